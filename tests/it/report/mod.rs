//! `slidegrid report`: the page's contents, and the page in a browser.

mod browser;
mod cohort;
mod files;
