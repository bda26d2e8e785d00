//! The longest time that one call of a library may take.

use std::sync::OnceLock;
use std::time::Duration;

/// Environment variable with the limit of one call, seconds.
pub(crate) const VARIABLE: &str = "SLIDEGRID_READ_LIMIT_S";

/// Limit without [`VARIABLE`]: a hundred times what the largest picture takes, and room for
/// storage that is slow.
const LIMIT: Duration = Duration::from_secs(600);

/// The longest time that one call may take.
pub(crate) fn limit() -> Duration {
    static SET: OnceLock<Duration> = OnceLock::new();
    *SET.get_or_init(|| {
        let given = std::env::var(VARIABLE).ok().and_then(|text| text.trim().parse().ok());
        given.filter(|seconds| *seconds > 0).map_or(LIMIT, Duration::from_secs)
    })
}
