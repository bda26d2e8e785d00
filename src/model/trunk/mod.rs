//! The cut of a network into a trunk, which overlapping windows share, and a head.
//!
//! Windows at a stride of 16 px overlap by more than nine tenths. The maps that the first
//! layers make of them are equal where they overlap, if the stride is a multiple of the
//! distance between the elements of these maps. Only the rims differ where layers pad,
//! since there every window sees its own border. So the first layers (the trunk) run once
//! over a whole region for what windows have in common, over strips along the borders of
//! each row and column of windows for the rims, and over the corners of each window. Put
//! together these are the map that each window would have had alone, to the last element,
//! and the rest of the network (the head) continues from there, window by window.
//!
//! No layer is rewritten: strips and corners are cut so that their borders are those of
//! the window, and the elements that see any other border are left out ([`padded_axis`]).

mod cut;
mod layers;
mod padded_axis;
mod read;
mod trunk_head;

pub use cut::CutMap;
pub(crate) use cut::Trunk;
pub use trunk_head::TrunkHead;
