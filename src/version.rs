//! The version of this program.

/// Program and version, written into every file.
pub(crate) const WRITER: &str = concat!("slidegrid ", env!("CARGO_PKG_VERSION"));
