//! Signals and job scripts: a script passes signals on, keeps the program's exit code, and
//! queues itself again only after a warning.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use slidegrid::internal::config::{Resources, SchedulerKind, Stage};
use slidegrid::internal::jobs::scheduler;
use slidegrid::internal::jobs::{INDEX, Job};
use tempfile::TempDir;

/// Ends like `predict` on a signal: saves and exits with 5. It is no bash script, because bash
/// cannot trap a signal that was ignored when it started.
const PROGRAM: &str = "#!/usr/bin/perl
use POSIX ();
$SIG{$_} = sub { syswrite STDOUT, qq(saved\\n); POSIX::_exit(5) } for qw(USR1 TERM);
open BEGUN, '>', 'begun' or die;
select undef, undef, undef, 0.02 while 1;
";

struct Script {
    folder: TempDir,
    path: PathBuf,
}

impl Script {
    fn new(kind: SchedulerKind, program: &str, setup: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let program = write("program", program);
        write("scontrol", "#!/bin/sh\necho \"$@\" >>requeued\n");
        let resources = Resources {
            cpus: 1,
            time_min: Some(60),
            warn_s: Some(120),
            requeues: 2,
            ..Resources::default()
        };
        let job = Job {
            stage: Stage::Predict,
            name: "sg_predict_a".into(),
            tasks: Some(3),
            resources,
            run: folder.path().display().to_string(),
            log: "log".into(),
            script: "script".into(),
            about: String::new(),
            setup: setup.iter().map(|&line| line.to_owned()).collect(),
            command: format!("{} {INDEX}", program.display()),
        };
        let path = write("script", &scheduler(kind).render(&job));
        Self { folder, path }
    }

    /// Starts it as a scheduler does, in a process group of its own.
    fn start(&self, restarts: &str) -> Child {
        let bin = self.folder.path().display();
        Command::new("bash")
            .arg(&self.path)
            .current_dir(self.folder.path())
            .env("PATH", format!("{bin}:{}", std::env::var("PATH").unwrap()))
            // The last task of an array has the array's id as its own.
            .envs([("SLURM_ARRAY_JOB_ID", "77"), ("SLURM_ARRAY_TASK_ID", "2")])
            .envs([("SLURM_JOB_ID", "77"), ("SGE_TASK_ID", "2")])
            .env("SLURM_RESTART_COUNT", restarts)
            .env("SGE_STDOUT_PATH", self.log())
            .stdout(std::fs::OpenOptions::new().create(true).append(true).open(self.log()).unwrap())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    /// Starts it, sends signals (to the group when the name begins with `-`)
    /// once the program runs, and returns the exit code.
    fn end(&self, restarts: &str, signals: &[&str]) -> Option<i32> {
        let began = self.folder.path().join("begun");
        drop(std::fs::remove_file(&began));
        let mut script = self.start(restarts);
        if !signals.is_empty() {
            until(&began, &mut script);
        }
        for signal in signals {
            let name = signal.trim_start_matches('-');
            let group = if signal.starts_with('-') { "-" } else { "" };
            let target = format!("{group}{}", script.id());
            let words = ["-s", name, "--", &target];
            assert!(Command::new("kill").args(words).status().unwrap().success());
        }
        script.wait().unwrap().code()
    }

    /// Number of times the script asked SLURM to requeue its task, and nothing else.
    fn requeued(&self) -> usize {
        let text = std::fs::read_to_string(self.folder.path().join("requeued"));
        let text = text.unwrap_or_default();
        assert!(text.lines().all(|line| line == "requeue 77_2"), "{text}");
        text.lines().count()
    }
}

fn until(path: &Path, child: &mut Child) {
    let began = Instant::now();
    while !path.exists() {
        assert_eq!(child.try_wait().unwrap(), None, "ended before {}", path.display());
        assert!(began.elapsed() < Duration::from_secs(60), "no {}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn slurm_is_asked_to_requeue_after_its_warning_only() {
    let script = Script::new(SchedulerKind::Slurm, PROGRAM, &[]);
    // Repeated, because a race would lose a signal only now and then.
    for times in 1..=8 {
        assert_eq!(script.end("1", &["USR1"]), Some(5));
        assert_eq!(script.requeued(), times);
    }
    assert_eq!(script.end("2", &["USR1"]), Some(5));
    // scancel and preemption reach everything.
    for _ in 0..4 {
        assert_eq!(script.end("0", &["-TERM"]), Some(5));
        assert_eq!(script.end("0", &["TERM"]), Some(5));
    }
    assert_eq!(script.requeued(), 8);
    let log = std::fs::read_to_string(script.log()).unwrap();
    assert_eq!(log.matches("warned: queued again").count(), 8);
}

#[test]
fn grid_engine_gets_exit_code_99_after_a_limited_number_of_warnings() {
    let script = Script::new(SchedulerKind::Sge, PROGRAM, &[]);
    for _ in 0..8 {
        assert_eq!(script.end("", &["-USR1"]), Some(99));
        std::fs::write(script.log(), "").unwrap();
        assert_eq!(script.end("", &["-USR2"]), Some(5));
        assert_eq!(script.end("", &["-TERM"]), Some(5));
    }
    for code in [99, 99, 5, 5] {
        assert_eq!(script.end("", &["-USR1"]), Some(code));
    }
    // Long enough for the program to begin on a busy machine.
    let soon = ["timeout() { shift 2; command timeout --signal=USR1 3 \"$@\"; }"];
    let script = Script::new(SchedulerKind::Sge, PROGRAM, &soon);
    for code in [99, 99, 5] {
        assert_eq!(script.end("", &[]), Some(code));
    }
    assert_eq!(script.requeued(), 0);
}

#[test]
fn a_script_ends_with_the_exit_code_of_the_program() {
    for kind in [SchedulerKind::Slurm, SchedulerKind::Sge] {
        for code in [0, 3, 5, 137] {
            let program = format!("#!/bin/bash\n[ \"$1\" = 2 ] && exit {code}\n");
            let script = Script::new(kind, &program, &[]);
            assert_eq!(script.end("", &[]), Some(code));
            assert_eq!(script.requeued(), 0);
        }
        let killed = Script::new(kind, "#!/bin/bash\nkill -9 $$\n", &[]);
        assert_eq!(killed.end("", &[]), Some(137));
    }
}
