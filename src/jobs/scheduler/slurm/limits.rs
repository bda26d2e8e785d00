//! Reads the limits of a SLURM site.

use crate::config::ClusterKeys;
use crate::jobs::scheduler::command::{Call, Commands};
use crate::jobs::scheduler::contract::{Limits, Scheduler};
use crate::jobs::scheduler::error::SchedulerError;
use crate::jobs::scheduler::printed::setting;
use crate::jobs::work::Request;

/// The largest array, and the smallest limit on jobs that is enforced.
pub(super) fn site_limits(
    slurm: &dyn Scheduler,
    commands: &dyn Commands,
    keys: &ClusterKeys,
) -> Result<Limits, SchedulerError> {
    let call = Call::new("scontrol", &["show", "config"]);
    let text = slurm.run(commands, &call)?.stdout;
    let size: u32 = setting(&text, "MaxArraySize")
        .ok_or_else(|| SchedulerError::answer(&call.line(), &text, "a line MaxArraySize"))?;
    let own = enforced(&text).then(|| submit_limit(commands, keys)).flatten();
    // All users share this limit, which also counts jobs that have just ended. A tenth is left to
    // the others.
    let shared = setting(&text, "MaxJobCount").map(|most: usize| most / 10 * 9);
    Ok(Limits {
        // The largest index is one less than the size.
        array_tasks: size.saturating_sub(1).max(1),
        jobs: own.into_iter().chain(shared).min(),
        jobs_in_use: 0,
    })
}

/// Whether limits of the accounting are enforced.
fn enforced(config: &str) -> bool {
    let line = config.lines().find(|line| line.starts_with("AccountingStorageEnforce "));
    // Old versions have no such line.
    line.is_none_or(|line| line.contains("limits") || line.contains("all"))
}

/// The smallest limit on submitted jobs: of this user's associations, and of the QOS that applies.
/// `None` without accounting.
fn submit_limit(commands: &dyn Commands, keys: &ClusterKeys) -> Option<usize> {
    let user = stdout(commands, Call::new("id", &["-un"]))?;
    let mut call = Call::new("sacctmgr", &["-nP", "show", "assoc"]);
    call = call.arg(format!("user={}", user.trim()));
    if let Some(account) = &keys.account {
        call = call.arg(format!("account={account}"));
    }
    let associations = stdout(commands, call.arg("format=MaxSubmitJobs,DefaultQOS,QOS"))?;
    let mut limits = Vec::new();
    let mut qos: Vec<String> = requested_qos(&keys.extra).into_iter().collect();
    for line in associations.lines() {
        let mut fields = line.trim().split('|');
        limits.extend(fields.next().and_then(|limit| limit.parse::<usize>().ok()));
        if requested_qos(&keys.extra).is_none() {
            // If there is no default, the only QOS of the list applies.
            let default = fields.find(|names| !names.is_empty() && !names.contains(','));
            qos.extend(default.map(ToOwned::to_owned));
        }
    }
    qos.extend(keys.queue.as_ref().and_then(|partition| partition_qos(commands, partition)));
    if !qos.is_empty() {
        let call = Call::new("sacctmgr", &["-nP", "show", "qos"]).arg(qos.join(","));
        let printed = stdout(commands, call.arg("format=MaxSubmitJobsPerUser")).unwrap_or_default();
        limits.extend(printed.lines().filter_map(|line| line.trim().parse::<usize>().ok()));
    }
    limits.into_iter().min()
}

/// The limits of a partition, or of the default one: `MaxMemPerNode` and `MaxTime`.
pub(super) fn largest_request(commands: &dyn Commands, partition: Option<&str>) -> Request {
    let call = Call::new("scontrol", &["show", "partition"]);
    let call = partition.into_iter().fold(call, Call::arg);
    let text = stdout(commands, call).unwrap_or_default();
    let mut partitions = text.split("PartitionName=").skip(1);
    let found = match partition {
        Some(_) => partitions.next(),
        None => partitions.find(|text| text.split_whitespace().any(|word| word == "Default=YES")),
    };
    let found = found.unwrap_or_default();
    let value = |key: &str| found.split_whitespace().find_map(|word| word.strip_prefix(key));
    Request {
        // UNLIMITED is no number.
        memory_mb: value("MaxMemPerNode=").and_then(|mb| mb.parse().ok()),
        time_min: value("MaxTime=").and_then(whole_minutes),
    }
}

/// The whole minutes of a time such as `7-00:00:00` or `01:30:00`; `None` for `UNLIMITED`.
fn whole_minutes(text: &str) -> Option<u32> {
    let (days, clock) = text.split_once('-').unwrap_or(("0", text));
    let fields: Vec<u32> = clock.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let [hours, minutes, _] = fields[..] else { return None };
    let hours = days.parse::<u32>().ok()?.checked_mul(24)?.checked_add(hours)?;
    hours.checked_mul(60)?.checked_add(minutes)
}

fn stdout(commands: &dyn Commands, call: Call) -> Option<String> {
    commands.run(&call).ok().filter(|answer| answer.ok).map(|answer| answer.stdout)
}

/// The QOS in scheduler flags, as in `--qos=long`, `--qos long` or `-q long`.
fn requested_qos(extra: &[String]) -> Option<String> {
    extra.iter().find_map(|flag| {
        let rest = flag.strip_prefix("--qos").or_else(|| flag.strip_prefix("-q"))?;
        Some(rest.trim_start_matches(['=', ' ']).trim().to_owned())
    })
}

/// The QOS of a partition, which applies in addition.
fn partition_qos(commands: &dyn Commands, partition: &str) -> Option<String> {
    let text = stdout(commands, Call::new("scontrol", &["show", "partition", partition]))?;
    let qos = text.split_whitespace().find_map(|word| word.strip_prefix("QoS="))?;
    (qos != "N/A").then(|| qos.to_owned())
}
