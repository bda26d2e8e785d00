//! Arguments and output of the commands.
pub mod synth;
