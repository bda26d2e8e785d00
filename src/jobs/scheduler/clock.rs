//! Times in the form that schedulers take.

/// The time `minutes` from now, in the form of [`local_time`].
pub(super) fn local_time_in(minutes: u32) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    local_time(now.map_or(0, |since| since.as_secs()) + u64::from(minutes) * 60)
}

/// A Unix time as local time, `YYYYMMDDhhmm`.
pub(super) fn local_time(unix_s: u64) -> String {
    // A time too late for the system is replaced by the latest that it can hold.
    let then = libc::time_t::try_from(unix_s).unwrap_or(libc::time_t::MAX);
    // SAFETY: all-zero is a valid tm, and localtime_r only writes to it.
    let time = unsafe {
        let mut time: libc::tm = std::mem::zeroed();
        libc::localtime_r(&raw const then, &raw mut time);
        time
    };
    format!(
        "{:04}{:02}{:02}{:02}{:02}",
        time.tm_year + 1900,
        time.tm_mon + 1,
        time.tm_mday,
        time.tm_hour,
        time.tm_min
    )
}
