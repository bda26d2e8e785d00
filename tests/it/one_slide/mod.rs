//! One slide's failure is that slide's: a slide that a library dies of, or does not return from, is
//! recorded and left out, and the others are done.

mod deaths;
mod library;
