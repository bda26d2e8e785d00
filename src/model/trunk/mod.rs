//! What neighbouring windows have in common, to be computed once.
//!
//! Windows at a stride of 16 px overlap by more than nine tenths, and the maps that the
//! first layers make of them are the same where they overlap, if the stride is a
//! multiple of what these layers move on. Only the rims differ, where layers pad: there
//! every window sees its own border. So the first layers (the trunk) run once over a
//! whole region for what is in common, over the strips along each row's and column's
//! borders for the rims, and over the corners for each window. Put together that is the
//! map that each window would have had alone, to the last element, and the rest of the
//! network (the head) goes on from there, window by window.
//!
//! No layer is rewritten: strips and corners are cut so that their borders are those
//! of the window, and what they see of other borders is left out ([`padded_axis`]).

mod cut;
mod layers;
mod padded_axis;
mod read;
mod trunk_head;

pub use cut::{CutMap, Trunk};
pub use trunk_head::TrunkHead;
