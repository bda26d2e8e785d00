//! Colour normalisation: against independent references, through a whole run,
//! and on the command line.

mod command;
#[expect(dead_code, reason = "the other flow tests need more of it")]
#[path = "../common/mod.rs"]
mod common;
mod flow;
mod parity;
mod pictures;
#[expect(dead_code, reason = "parity finds onnxruntime with it")]
#[path = "../common/reference.rs"]
mod reference;
