//! A scheduler for the tests of the chain.

use std::cell::RefCell;
use std::io;

use crate::jobs::scheduler::Commands;
use crate::jobs::scheduler::command::{Answer, Call};
use crate::number::{ArrayShare, GroupNumber, NumberList};
use crate::run_dir::RunDir;

/// A SLURM that queues what it is given, and runs it only when a test asks for that.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) limit: Option<usize>,
    pub(super) reports_limit: bool,
    /// id, array tasks, script.
    pub(super) queue: RefCell<Vec<(String, Option<u32>, String)>>,
    pub(super) next: RefCell<usize>,
    pub(super) calls: RefCell<Vec<String>>,
    /// Whether the queue does not answer.
    pub(super) silent: RefCell<bool>,
    /// Number of times that the next programs fail, other than to submit.
    pub(super) failures: RefCell<usize>,
    /// Number of submissions that are queued without an answer.
    pub(super) lost_answers: RefCell<usize>,
    /// Ids and scripts of all jobs.
    pub(super) scripts: RefCell<Vec<(String, String)>>,
    /// Pauses to make, and those that were made, seconds.
    pub(super) pauses_s: Vec<u64>,
    pub(super) paused_s: RefCell<Vec<u64>>,
}

fn answer(ok: bool, text: &str) -> io::Result<Answer> {
    let (stdout, stderr) = if ok { (text, "") } else { ("", text) };
    Ok(Answer {
        ok,
        status: "exit status: 1".into(),
        stdout: stdout.into(),
        stderr: stderr.into(),
        timed_out: false,
    })
}

impl Commands for Fake {
    fn pauses_s(&self) -> &[u64] {
        &self.pauses_s
    }

    fn pause(&self, seconds: u64) {
        self.paused_s.borrow_mut().push(seconds);
    }

    fn run(&self, call: &Call) -> io::Result<Answer> {
        self.calls.borrow_mut().push(call.line());
        let is_submission = call.program == "sbatch" && call.args[0] != "--test-only";
        if *self.failures.borrow() > 0 && !is_submission {
            *self.failures.borrow_mut() -= 1;
            return answer(false, "error: Unable to contact slurm controller (connect failure)");
        }
        match call.program.as_str() {
            "squeue" if call.args.iter().any(|arg| arg == "%F|%o") => {
                let scripts = self.scripts.borrow();
                let lines = scripts.iter().map(|(id, script)| format!("{id}|{script}\n"));
                answer(true, &lines.collect::<String>())
            }
            "scontrol" => answer(true, "MaxArraySize = 8\n"),
            "id" => answer(true, "ann\n"),
            "sacctmgr" if call.args.iter().any(|arg| arg == "qos") => answer(true, ""),
            "sacctmgr" => match self.limit.filter(|_| self.reports_limit) {
                Some(limit) => answer(true, &format!("{limit}\n")),
                None => answer(false, "no accounting"),
            },
            "squeue" if *self.silent.borrow() => {
                answer(false, "slurm_load_jobs error: Unable to contact slurm controller")
            }
            "squeue" => answer(true, &self.listed()),
            _ if call.args[0] == "--test-only" => answer(true, ""),
            _ => self.take(call),
        }
    }
}

impl Fake {
    fn listed(&self) -> String {
        let mut text = String::new();
        for (id, tasks, _) in self.queue.borrow().iter() {
            match tasks {
                None => text.push_str(&format!("{id}|PENDING|N/A||None\n")),
                Some(tasks) => (1..=*tasks)
                    .for_each(|index| text.push_str(&format!("{id}_{index}|PENDING|N/A||None\n"))),
            }
        }
        text
    }

    pub(super) fn jobs(&self) -> usize {
        self.queue.borrow().iter().map(|(_, tasks, _)| tasks.unwrap_or(1) as usize).sum()
    }

    fn take(&self, call: &Call) -> io::Result<Answer> {
        let script = std::fs::read_to_string(call.args.last().unwrap())?;
        let array = script.lines().find_map(|line| line.strip_prefix("#SBATCH --array=1-"));
        let tasks: Option<u32> = array.map(|tasks| tasks.parse().unwrap());
        assert!(tasks.unwrap_or(1) <= 7, "an index above MaxArraySize - 1");
        if self.limit.is_some_and(|limit| self.jobs() + tasks.unwrap_or(1) as usize > limit) {
            return answer(false, "sbatch: error: AssocMaxSubmitJobLimit");
        }
        *self.next.borrow_mut() += 1;
        let id = self.next.borrow().to_string();
        let command = script.lines().find(|line| line.contains("/opt/slidegrid ")).unwrap();
        let command = command.trim().to_owned();
        self.queue.borrow_mut().push((id.clone(), tasks, command));
        self.scripts.borrow_mut().push((id.clone(), call.args.last().unwrap().clone()));
        if *self.lost_answers.borrow() > 0 {
            *self.lost_answers.borrow_mut() -= 1;
            return answer(
                false,
                "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            );
        }
        answer(true, &id)
    }

    /// Runs everything in the queue: predict writes its files.
    pub(super) fn run_all(
        &self,
        run: &RunDir,
        fails: &dyn Fn(&str, GroupNumber) -> bool,
        log: &mut Vec<(String, GroupNumber)>,
    ) {
        for (_, tasks, command) in self.queue.borrow_mut().drain(..) {
            let words: Vec<&str> = command.split(' ').collect();
            let after = |flag: &str| {
                words.iter().position(|word| *word == flag).map(|at| words[at + 1].to_owned())
            };
            let (Some(slide), Some(groups)) = (after("--slide"), after("--group")) else {
                continue;
            };
            let groups: NumberList<GroupNumber> = groups.parse().unwrap();
            for share in ArrayShare::all(tasks.unwrap()) {
                for &group in groups.share(share) {
                    log.push((slide.clone(), group));
                    if !fails(&slide, group) {
                        crate::staged::write(&run.scores(&slide, group), b"x").unwrap();
                    }
                }
            }
        }
    }
}
