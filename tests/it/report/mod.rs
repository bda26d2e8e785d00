//! `slidegrid report`: what is in the page, and what a browser makes of it.

mod browser;
mod cohort;
mod files;
