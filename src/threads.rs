//! The number of worker threads that a task may use, and the pool of these threads.

use std::num::NonZero;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::interrupt::Interrupt;

/// The threads that do the work of a stage, and what may end it early.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workers<'w> {
    /// The threads.
    pub pool: &'w ThreadPool,
    /// Checked between pieces of work.
    pub interrupt: &'w Interrupt,
}

/// The number of workers, and where that number comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Threads {
    /// Number of workers, at least 1.
    pub count: usize,
    /// Source of the number: a flag, an environment variable or the machine.
    pub source: String,
    /// A message for the log if a requested number was not used.
    pub warning: Option<String>,
}

/// The number of workers for this task: that of `--threads`, else that of the scheduler
/// (`SLURM_CPUS_PER_TASK`, `NSLOTS`), else the processors offered to this process, which is also
/// the largest number. The offered processors respect affinity and cgroup quotas.
#[must_use]
pub(crate) fn worker_count(flag: Option<usize>) -> Threads {
    let offered = std::thread::available_parallelism().map_or(1, NonZero::get);
    decide(flag, &|name| std::env::var(name).ok(), offered)
}

/// The pool of a task's workers: `count` threads, at least 1. A task builds one and
/// passes it on to whatever parts its work.
///
/// # Panics
/// When the system does not let the process start as many threads.
#[must_use]
pub fn pool(count: usize) -> ThreadPool {
    let builder = ThreadPoolBuilder::new().num_threads(count.max(1));
    let named = builder.thread_name(|number| format!("worker-{number}"));
    named.build().unwrap_or_else(|error| panic!("cannot start {count} threads: {error}"))
}

fn decide(flag: Option<usize>, env: &dyn Fn(&str) -> Option<String>, offered: usize) -> Threads {
    if let Some(count) = flag {
        return limited(count, "--threads", offered);
    }
    let mut ignored = None;
    for name in ["SLURM_CPUS_PER_TASK", "NSLOTS"] {
        let Some(text) = env(name).filter(|text| !text.trim().is_empty()) else { continue };
        match text.trim().parse::<usize>() {
            Ok(count) if count > 0 => {
                let threads = limited(count, name, offered);
                return Threads { warning: ignored.or(threads.warning), ..threads };
            }
            _ => ignored = Some(format!("{name} is {text:?}, expected a number above 0; ignored")),
        }
    }
    Threads {
        count: offered,
        source: "the processors offered to this process".to_owned(),
        warning: ignored,
    }
}

fn limited(requested: usize, source: &str, offered: usize) -> Threads {
    let count = requested.clamp(1, offered.max(1));
    let warning = (count != requested).then(|| {
        let workers = if requested == 1 { "worker" } else { "workers" };
        let processors = if offered == 1 { "processor" } else { "processors" };
        format!(
            "{source} asks for {requested} {workers}, this process is offered {offered} {processors}; using {count}"
        )
    });
    Threads { count, source: source.to_owned(), warning }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decided(flag: Option<usize>, variables: &[(&str, &str)], offered: usize) -> Threads {
        let env = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        };
        decide(flag, &env, offered)
    }

    #[test]
    fn the_flag_comes_before_the_scheduler_and_the_scheduler_before_the_machine() {
        let scheduler = [("SLURM_CPUS_PER_TASK", "4"), ("NSLOTS", "6")];
        for (flag, variables, count, source) in [
            (Some(2), &scheduler[..], 2, "--threads"),
            (None, &scheduler, 4, "SLURM_CPUS_PER_TASK"),
            (None, &scheduler[1..], 6, "NSLOTS"),
            (None, &[], 8, "the processors offered to this process"),
            (None, &[("NSLOTS", "")], 8, "the processors offered to this process"),
        ] {
            let threads = decided(flag, variables, 8);
            assert_eq!(
                (threads.count, threads.source.as_str(), threads.warning),
                (count, source, None)
            );
        }
    }

    #[test]
    fn an_unused_request_gives_a_warning() {
        let flag = decided(Some(16), &[], 4);
        assert_eq!(flag.count, 4);
        assert_eq!(
            flag.warning.unwrap(),
            "--threads asks for 16 workers, this process is offered 4 processors; using 4"
        );
        assert_eq!(decided(Some(0), &[], 4).count, 1);
        let unparsed = decided(None, &[("SLURM_CPUS_PER_TASK", "four"), ("NSLOTS", "3")], 8);
        assert_eq!(unparsed.count, 3);
        assert!(unparsed.warning.unwrap().contains("\"four\""));
    }

    #[test]
    fn an_affinity_of_one_processor_gives_one_worker() {
        let counted = std::thread::spawn(|| {
            // SAFETY: an all-zero set is an empty set, and CPU_SET writes inside it.
            let bound = unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                let running = usize::try_from(libc::sched_getcpu()).unwrap();
                libc::CPU_SET(running, &mut set);
                // Binds this thread alone.
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
            };
            assert_eq!(bound, 0);
            worker_count(Some(64))
        });
        let threads = counted.join().unwrap();
        assert_eq!(threads.count, 1);
        assert!(threads.warning.unwrap().contains("offered 1 processor;"));
    }

    proptest! {
        #[test]
        fn the_count_is_at_least_one_and_at_most_the_offered_processors(
            flag in prop::option::of(0usize..100), slurm in ".{0,6}", slots in "[0-9]{0,3}", offered in 1usize..64,
        ) {
            let threads = decided(flag, &[("SLURM_CPUS_PER_TASK", &slurm), ("NSLOTS", &slots)], offered);
            prop_assert!((1..=offered).contains(&threads.count));
        }
    }
}
