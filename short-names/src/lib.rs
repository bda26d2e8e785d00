//! Empty on purpose: building this package beside `slidegrid` turns on the
//! feature `short-names`, so that `cargo build` makes `split`, `master`,
//! `predict` and `stitch` in the build directory while `cargo install` makes
//! `slidegrid` alone.
