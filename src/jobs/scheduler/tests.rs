use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::command::{Answer, Call};
use super::*;
use crate::config::{ClusterKeys, Resources, Stage};
use crate::jobs::script::{INDEX, Job};
use crate::jobs::work::Request;

const KINDS: [SchedulerKind; 5] = [
    SchedulerKind::Local,
    SchedulerKind::Slurm,
    SchedulerKind::Sge,
    SchedulerKind::Pbs,
    SchedulerKind::Lsf,
];

/// Answers by the first words of the command line.
struct CannedAnswers(BTreeMap<&'static str, &'static str>);

impl Commands for CannedAnswers {
    fn run(&self, call: &Call) -> io::Result<Answer> {
        let line = call.line();
        let found = self.0.iter().find(|(start, _)| line.starts_with(**start));
        let (_, stdout) = found.ok_or_else(|| io::Error::other(format!("no answer to {line}")))?;
        Ok(Answer { ok: true, stdout: (*stdout).to_owned(), ..Answer::default() })
    }
}

fn canned(answers: &[(&'static str, &'static str)]) -> CannedAnswers {
    CannedAnswers(answers.iter().copied().collect())
}

fn array() -> Job {
    Job {
        stage: Stage::Predict,
        name: "sg_predict_tumor_001".into(),
        tasks: Some(40),
        resources: Resources {
            queue: Some("long".into()),
            account: Some("lab".into()),
            parallel_environment: Some("smp".into()),
            cpus: 7,
            memory_mb: Some(8000),
            time_min: Some(125),
            throttle: Some(20),
            extra: vec!["--first=1".into(), "--second".into()],
            warn_s: Some(120),
            requeues: 10,
        },
        run: "/data/run".into(),
        log: "/data/run/logs/predict/tumor_001".into(),
        script: "/data/run/jobs/predict_tumor_001.sh".into(),
        about: "Scores groups 1-40 of tumor_001 in 40 tasks.".into(),
        setup: vec!["module load hdf5".into(), "export OMP_NUM_THREADS=1".into()],
        command: format!(
            "/opt/slidegrid predict --run /data/run --slide tumor_001 --group 1-40 --part {INDEX}/40"
        ),
    }
}

fn single() -> Job {
    Job {
        stage: Stage::Stitch,
        name: "sg_stitch_tumor_001".into(),
        tasks: None,
        resources: Resources { cpus: 1, throttle: Some(20), ..Resources::default() },
        log: "/data/run/logs/stitch/tumor_001".into(),
        script: "/data/run/jobs/stitch_tumor_001.sh".into(),
        about: "Assembles the heatmap of tumor_001.".into(),
        setup: Vec::new(),
        command: "/opt/slidegrid stitch --run /data/run --slide tumor_001".into(),
        ..array()
    }
}

/// SLIDEGRID_WRITE_SNAPSHOTS=1 writes them anew; scripts/check runs shellcheck
/// over them.
#[test]
fn scripts_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/jobs");
    for kind in KINDS {
        for (what, job) in [("array", array()), ("single", single())] {
            let script = scheduler(kind).render(&job);
            let path = folder.join(format!("{}_{what}.sh", kind.name()));
            if std::env::var_os("SLIDEGRID_WRITE_SNAPSHOTS").is_some() {
                std::fs::write(&path, &script).unwrap();
            }
            let expected = std::fs::read_to_string(&path).unwrap();
            assert_eq!(script, expected, "{}", path.display());
            assert!(!script.contains("{{"), "a name of the template has no value:\n{script}");
        }
    }
}

#[test]
fn jobs_wait_for_the_end_of_others_however_it_is() {
    let condition = StartCondition { after: vec!["7".into(), "8".into()], delay_min: None };
    let line =
        |kind| scheduler(kind).submit_call(Path::new("/j/s.sh"), &single(), &condition).line();
    assert_eq!(line(SchedulerKind::Slurm), "sbatch --parsable --dependency=afterany:7:8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Sge), "qsub -terse -hold_jid 7,8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Pbs), "qsub -W depend=afterany:7:8 /j/s.sh");
    assert_eq!(line(SchedulerKind::Lsf), "bsub -w 'ended(7) && ended(8)' < /j/s.sh");
    let later = StartCondition { after: Vec::new(), delay_min: Some(5) };
    let call = Slurm.submit_call(Path::new("/j/s.sh"), &single(), &later);
    assert_eq!(call.line(), "sbatch --parsable --begin=now+5minutes /j/s.sh");
    let call = Sge.submit_call(Path::new("/j/s.sh"), &single(), &later);
    assert!(call.args[1] == "-a" && call.args[2].len() == 12, "{}", call.line());
}

#[test]
fn ids_are_found_in_answers() {
    for (kind, answer, id) in [
        (SchedulerKind::Slurm, "11\n", Some("11")),
        (SchedulerKind::Slurm, "242;local\n", Some("242")),
        (SchedulerKind::Slurm, "Submitted\n", None),
        (SchedulerKind::Sge, "2.1-10:1\n", Some("2")),
        (SchedulerKind::Sge, "4\n", Some("4")),
        (SchedulerKind::Sge, "", None),
        (SchedulerKind::Pbs, "1234[].server\n", Some("1234[].server")),
        (SchedulerKind::Lsf, "Job <1234> is submitted to queue <normal>.\n", Some("1234")),
        (SchedulerKind::Lsf, "Job not submitted.\n", None),
    ] {
        assert_eq!(scheduler(kind).job_id(answer).as_deref(), id, "{answer}");
    }
}

fn limits(array_tasks: u32, jobs: Option<usize>, jobs_in_use: usize) -> Limits {
    Limits { array_tasks, jobs, jobs_in_use }
}

#[test]
fn the_limits_of_slurm() {
    let keys = ClusterKeys { queue: Some("main".into()), ..ClusterKeys::default() };
    let config = "AccountingStorageEnforce = associations,limits,qos\nMaxArraySize            = 8\nMaxDBDMsgs = 20008\n";
    let answers = [
        ("scontrol show config", config),
        (
            "scontrol show partition main",
            "PartitionName=main\n   AllocNodes=ALL Default=YES QoS=part\n",
        ),
        ("id -un", "ann\n"),
        (
            "sacctmgr -nP show assoc user=ann format=MaxSubmitJobs,DefaultQOS,QOS",
            "|normal|normal,long\n20||normal\n",
        ),
        ("sacctmgr -nP show qos normal,normal,part format=MaxSubmitJobsPerUser", "\n12\n"),
        ("sacctmgr -nP show qos long,part format=MaxSubmitJobsPerUser", "15\n\n"),
        ("squeue --noheader --array --user ", "125_1\n125_2\n126\n"),
    ];
    assert_eq!(Slurm.limits(&canned(&answers), &keys).unwrap(), limits(7, Some(12), 3));
    let long = ClusterKeys { extra: vec!["--qos=long".into()], ..keys.clone() };
    assert_eq!(Slurm.limits(&canned(&answers), &long).unwrap().jobs, Some(15));
    let own = ClusterKeys {
        max_array_tasks: Some(3),
        max_submitted_jobs: Some(9),
        ..ClusterKeys::default()
    };
    assert_eq!(Slurm.limits(&canned(&answers), &own).unwrap(), limits(3, Some(9), 3));
    // Numbers that nobody enforces.
    let loose = "AccountingStorageEnforce = none\nMaxArraySize            = 8\n";
    let answers = [[("scontrol show config", loose)].as_slice(), &answers[1..]].concat();
    assert_eq!(Slurm.limits(&canned(&answers), &keys).unwrap().jobs, None);
    let bare = canned(&[("scontrol show config", "MaxArraySize            = 1001\n")]);
    assert_eq!(Slurm.limits(&bare, &keys).unwrap(), limits(1000, None, 0));
    let small = [
        ("scontrol show config", "MaxArraySize = 1001\nMaxJobCount             = 10000\n"),
        ("squeue", ""),
    ];
    assert_eq!(Slurm.limits(&canned(&small), &keys).unwrap().jobs, Some(9000));
    let policy = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)";
    for (limit, is_full) in [
        ("AssocMaxSubmitJobLimit", true),
        ("QOSMaxSubmitJobPerUserLimit", true),
        ("AssocGrpSubmitJobsLimit", true),
        ("QOSMaxWallDurationPerJobLimit", false),
        ("QOSMaxCpuPerUserLimit", false),
    ] {
        let printed = format!("sbatch: error: {limit}\n{policy}");
        assert_eq!(Slurm.is_full(&printed), is_full, "{limit}");
    }
    assert!(Slurm.is_full("sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying.\nsbatch: error: Batch job submission failed: Resource temporarily unavailable"));
}

#[test]
fn the_limits_of_the_others() {
    let keys = ClusterKeys::default();
    let site =
        |jobs| format!("max_aj_tasks                 8\nmax_u_jobs                   {jobs}\n");
    let job = "<job_list><JB_job_number>17</JB_job_number><state>r</state>";
    let queue = format!(
        "<job_info>{job}<tasks>1</tasks></job_list>{job}<tasks>2-5:1</tasks></job_list></job_info>"
    );
    let sge = |jobs| {
        let config: &'static str = site(jobs).leak();
        let queue: &'static str = queue.clone().leak();
        canned(&[("qconf -sconf", config), ("id -un", "ann\n"), ("qstat -xml -u ann", queue)])
    };
    assert_eq!(Sge.limits(&sge(0), &keys).unwrap(), limits(8, None, 0));
    assert_eq!(Sge.limits(&sge(30), &keys).unwrap(), limits(8, Some(30), 1), "an array is one job");
    let most = ClusterKeys { max_submitted_jobs: Some(50), ..ClusterKeys::default() };
    let pbs = canned(&[
        ("qmgr -c", "set server max_array_size = 500\n"),
        ("id -un", "ann\n"),
        ("qselect -T -u ann", "1234[].srv\n1234[7].srv\n1234[8].srv\n1235.srv\n"),
    ]);
    assert_eq!(Pbs.limits(&pbs, &most).unwrap(), limits(500, Some(50), 3));
    assert_eq!(Pbs.limits(&pbs, &keys).unwrap(), limits(500, None, 0));
    let lsf = canned(&[
        ("bparams -a", "    MAX_JOB_ARRAY_SIZE = 2000\n"),
        ("bjobs -noheader", "7\n7\n8\n"),
    ]);
    assert_eq!(Lsf.limits(&lsf, &most).unwrap(), limits(2000, Some(50), 3));
}

#[test]
fn a_missing_scheduler_is_named() {
    let error = Slurm.limits(&canned(&[]), &ClusterKeys::default()).unwrap_err().to_string();
    assert!(error.contains("scontrol") && error.contains("is slurm installed"), "{error}");
}

#[test]
fn the_largest_request_is_that_of_the_partition() {
    let slurm = scheduler(SchedulerKind::Slurm);
    let text = "PartitionName=long\n   Default=NO QoS=N/A\n   MaxTime=7-01:30:00 MaxMemPerNode=64000\n\nPartitionName=main\n   Default=YES\n   MaxNodes=UNLIMITED MaxTime=02:00:30 MinNodes=0\n   DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED\n";
    let of = |memory_mb, time_min| Request { memory_mb, time_min };
    let all = canned(&[("scontrol show partition", text)]);
    assert_eq!(slurm.largest_request(&all, None), of(None, Some(120)));
    assert_eq!(slurm.largest_request(&all, Some("long")), of(Some(64_000), Some(7 * 1440 + 90)));
    // No partition, no limit, no answer.
    for text in ["", "PartitionName=a\n MaxTime=UNLIMITED\n"] {
        let answers = canned(&[("scontrol show partition a", text)]);
        assert_eq!(slurm.largest_request(&answers, Some("a")), Request::NONE);
    }
    for kind in KINDS {
        assert_eq!(scheduler(kind).largest_request(&canned(&[]), None), Request::NONE);
    }
}
