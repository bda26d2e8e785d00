//! The version of this program, which files name as their writer.

/// Name and version of this program, the attribute `writer` of every file.
pub(crate) const WRITER: &str = concat!("slidegrid ", env!("CARGO_PKG_VERSION"));
