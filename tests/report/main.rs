//! `slidegrid report`: what is in the page, and what a browser makes of it.

#[expect(dead_code, reason = "the flow tests need more of it")]
#[path = "../common/mod.rs"]
mod common;

mod browser;
mod cohort;
mod files;
