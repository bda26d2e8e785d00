//! One slide's failure is that slide's: a slide that a library dies of, or does not return from, is
//! recorded and left out, and the others are done. A slide of which a part is missing is never
//! scored as if it were whole.

mod cut;
mod deaths;
mod directories;
mod library;
