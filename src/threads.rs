//! How many workers a task may use.

use std::num::NonZero;

/// How many workers, and who said so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Threads {
    /// Workers, at least 1.
    pub count: usize,
    /// Where the number comes from: a flag, a variable, or the machine.
    pub source: String,
    /// A sentence for the log when the number asked for was not taken.
    pub warning: Option<String>,
}

/// Workers for this task: `--threads`, else the scheduler's grant
/// (`SLURM_CPUS_PER_TASK`, `NSLOTS`), else what the machine offers; never more
/// than it offers. What it offers already honours affinity and cgroup quotas.
#[must_use]
pub fn worker_count(flag: Option<usize>) -> Threads {
    let offered = std::thread::available_parallelism().map_or(1, NonZero::get);
    decide(flag, &|name| std::env::var(name).ok(), offered)
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

fn limited(asked: usize, source: &str, offered: usize) -> Threads {
    let count = asked.clamp(1, offered.max(1));
    let warning = (count != asked).then(|| {
        format!("{source} asks for {asked} workers, this process is offered {offered} processors; using {count}")
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
    fn the_nearest_word_wins() {
        let both = [("SLURM_CPUS_PER_TASK", "4"), ("NSLOTS", "6")];
        for (flag, variables, count, source) in [
            (Some(2), &both[..], 2, "--threads"),
            (None, &both, 4, "SLURM_CPUS_PER_TASK"),
            (None, &both[1..], 6, "NSLOTS"),
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
    fn what_is_not_taken_is_said() {
        let flag = decided(Some(16), &[], 4);
        assert_eq!(flag.count, 4);
        assert_eq!(
            flag.warning.unwrap(),
            "--threads asks for 16 workers, this process is offered 4 processors; using 4"
        );
        assert_eq!(decided(Some(0), &[], 4).count, 1);
        let odd = decided(None, &[("SLURM_CPUS_PER_TASK", "four"), ("NSLOTS", "3")], 8);
        assert_eq!(odd.count, 3);
        assert!(odd.warning.unwrap().contains("\"four\""));
    }

    #[test]
    fn one_processor_of_the_affinity_is_one_worker() {
        let counted = std::thread::spawn(|| {
            // SAFETY: an all-zero set is a set without processors, and is written within.
            let bound = unsafe {
                let mut set: libc::cpu_set_t = std::mem::zeroed();
                let running = usize::try_from(libc::sched_getcpu()).unwrap();
                libc::CPU_SET(running, &mut set);
                // This thread alone.
                libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set)
            };
            assert_eq!(bound, 0);
            worker_count(Some(64))
        });
        let threads = counted.join().unwrap();
        assert_eq!(threads.count, 1);
        assert!(threads.warning.unwrap().contains("offered 1 processors"));
    }

    proptest! {
        #[test]
        fn never_none_and_never_more_than_offered(
            flag in prop::option::of(0usize..100), slurm in ".{0,6}", slots in "[0-9]{0,3}", offered in 1usize..64,
        ) {
            let threads = decided(flag, &[("SLURM_CPUS_PER_TASK", &slurm), ("NSLOTS", &slots)], offered);
            prop_assert!((1..=offered).contains(&threads.count));
        }
    }
}
