//! The memory of `split` does not grow with the slide: peak resident memory of whole processes,
//! as the kernel reports it.

use std::process::Stdio;

use crate::common::Case;
use crate::common::cli::Slidegrid;

/// Runs a command to its end and returns its peak memory, MB.
#[track_caller]
fn peak_mb(command: &Slidegrid) -> f64 {
    let mut command = command.command();
    command.stderr(Stdio::null()).stdout(Stdio::null());
    let pid = i32::try_from(command.spawn().unwrap().id()).unwrap();
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables; the child is ours and nobody
    // else waits for it.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0));
    usage.ru_maxrss as f64 * 1024.0 / 1e6
}

#[test]
fn split_holds_no_more_of_a_large_slide() {
    let case = Case::new();
    let config = "[model]\nmpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\nwindow = 224\npatches_per_group = 4\n";
    case.write("c.toml", config);
    let peak_of = |side: u32| {
        case.slidegrid(&format!("synth --out s{side} --slides 1 --seed 1 --size {side}")).done();
        let split = "split --threads 1 --config c.toml";
        let peak = peak_mb(&case.slidegrid(&format!("{split} --run run{side} s{side}/slides")));
        let patches = std::fs::read_dir(case.path(&format!("run{side}/patches"))).unwrap();
        let stored: u64 = patches.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        (peak, stored as f64 / 1e6)
    };
    // Caches are full by 6,000 px.
    let ((small_mb, small_stored_mb), (large_mb, large_stored_mb)) =
        (peak_of(6000), peak_of(12_000));
    // Were slide or patches held, it would grow by this much.
    let grown_mb = large_stored_mb - small_stored_mb;
    assert!(grown_mb > 450.0, "{small_stored_mb} {large_stored_mb}");
    let figures = format!("{small_mb} MB for 6000 px, {large_mb} MB for 12000 px");
    assert!(large_mb - small_mb < grown_mb / 2.0, "{figures}");
    assert!(large_mb < 500.0, "{figures}");
}
