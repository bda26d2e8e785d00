//! Colour normalisation: against independent references, through a whole run,
//! and on the command line.

mod command;
mod flow;
mod parity;
mod pictures;
