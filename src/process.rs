//! Resource use of this process and properties of its machine, which are stored with the
//! scores, the size of its terminal, and two settings of the process.

use std::fs;
use std::sync::OnceLock;

use sha2::{Digest, Sha256};

/// CPU time of all threads so far, user and system together, seconds.
pub fn cpu_s() -> f64 {
    // SAFETY: all-zero is a valid rusage, and getrusage only writes to it.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Returns freed memory to the system, which the C library otherwise keeps for later. Engines
/// free hundreds of megabytes in pieces.
pub(crate) fn release_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes the number of bytes to keep and may be called at any time.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Makes a write beyond the file-size limit (`ulimit -f`) fail with an error that can be
/// reported. By default, a signal ends the process without a message.
pub(crate) fn report_file_size_limit() {
    // SAFETY: ignoring a signal installs no handler and touches no memory.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Largest resident memory so far, bytes; 0 where `/proc` does not tell.
pub(crate) fn peak_rss_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .and_then(|rest| rest.trim().strip_suffix("kB"))
        .and_then(|number| number.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// The time now, seconds since 1970 UTC.
pub(crate) fn unix_s() -> f64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0.0, |since| since.as_secs_f64())
}

/// Name of this machine.
pub(crate) fn host() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname")
        .map_or_else(|_| "unknown".to_owned(), |name| name.trim().to_owned())
}

/// Model name of the processor, or its architecture where `/proc` does not tell.
pub(crate) fn processor() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    value_in(&cpuinfo, "model name").unwrap_or(std::env::consts::ARCH).to_owned()
}

/// Instruction sets for which engines have kernels of their own, as `/proc/cpuinfo` calls them.
const INSTRUCTION_SETS: [&str; 17] = [
    "avx",
    "avx2",
    "fma",
    "f16c",
    "avx_vnni",
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_int8",
    "asimd",
    "asimddp",
    "bf16",
    "sve",
];

/// Those instruction sets of the processor that decide how engines round, with spaces between
/// them; empty where `/proc` does not tell.
pub(crate) fn instruction_sets() -> String {
    instruction_sets_in(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default())
}

fn instruction_sets_in(cpuinfo: &str) -> String {
    let flags = value_in(cpuinfo, "flags").or_else(|| value_in(cpuinfo, "Features"));
    let flags: Vec<&str> = flags.unwrap_or_default().split_whitespace().collect();
    let known: Vec<&str> = INSTRUCTION_SETS.into_iter().filter(|set| flags.contains(set)).collect();
    known.join(" ")
}

/// The first value of a key in `/proc/cpuinfo`.
fn value_in<'c>(cpuinfo: &'c str, key: &str) -> Option<&'c str> {
    let mut pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// Load average of the last minute: the mean number of processes that ran or waited to run.
/// `None` where `/proc` does not tell.
pub(crate) fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// The size of a terminal, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TerminalSize {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
}

/// The size of the terminal on stdout; 24 rows of 80 columns where the system does not tell.
pub(crate) fn terminal_size() -> TerminalSize {
    // SAFETY: all-zero is a valid winsize, and the call only writes to it.
    let size = unsafe {
        let mut size: libc::winsize = std::mem::zeroed();
        libc::ioctl(libc::STDOUT_FILENO, libc::TIOCGWINSZ, &raw mut size);
        size
    };
    match (usize::from(size.ws_row), usize::from(size.ws_col)) {
        (0, _) | (_, 0) => TerminalSize { rows: 24, columns: 80 },
        (rows, columns) => TerminalSize { rows, columns },
    }
}

/// Whether a process with this number exists on this machine.
pub(crate) fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 is never delivered; the call only checks whether the process exists.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    found || std::io::Error::last_os_error().raw_os_error() != Some(libc::ESRCH)
}

/// Identifies this machine since its last boot and the process namespace, since containers
/// number their processes themselves; `None` where Linux does not tell.
pub(crate) fn machine() -> Option<&'static str> {
    static MACHINE: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        let processes = fs::read_link("/proc/self/ns/pid").ok()?;
        let digest = Sha256::digest(format!("{boot}{}", processes.display()));
        Some(digest[..6].iter().map(|byte| format!("{byte:02x}")).collect())
    };
    MACHINE.get_or_init(read).as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_are_plausible() {
        let before = cpu_s();
        let work: f64 = (1..20_000_000).map(f64::from).map(f64::sqrt).sum();
        assert!(work > 0.0 && cpu_s() > before);
        assert!(peak_rss_bytes() > 1_000_000);
        assert!(!host().is_empty());
    }

    #[test]
    fn the_first_processor_tells_its_instruction_sets() {
        let intel = "processor\t: 0\nmodel name\t: Xeon\nflags\t\t: fpu fma avx2 avx abm\n\nprocessor\t: 1\nflags\t\t: amx_int8\n";
        assert_eq!(value_in(intel, "model name"), Some("Xeon"));
        assert_eq!(instruction_sets_in(intel), "avx avx2 fma");
        assert_eq!(instruction_sets_in("processor\t: 0\nFeatures\t: fp sve asimd\n"), "asimd sve");
        assert_eq!(instruction_sets_in(""), "");
    }
}
