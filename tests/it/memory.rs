//! What `split` holds does not grow with the slide: whole processes, their
//! peak resident memory told by the kernel.

use std::path::Path;
use std::process::{Command, Stdio};

/// Runs `slidegrid ARGS` to its end and returns its peak memory, MB.
fn peak_mb(args: &[&str], folder: &Path) -> f64 {
    let mut command = Command::new(env!("CARGO_BIN_EXE_slidegrid"));
    let child = command.args(args).current_dir(folder).stderr(Stdio::null()).stdout(Stdio::null());
    let pid = i32::try_from(child.spawn().unwrap().id()).unwrap();
    let mut status = 0;
    // SAFETY: rusage is plain numbers, for which zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live variables; the child is ours and nobody
    // else waits for it.
    let waited = unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) };
    assert_eq!((waited, status), (pid, 0), "{args:?}");
    usage.ru_maxrss as f64 * 1024.0 / 1e6
}

#[test]
fn split_holds_no_more_of_a_large_slide() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    std::fs::write(
        folder.join("c.toml"),
        "[model]\nmpp = \"level0\"\n[tissue]\nmethod = \"all\"\n[tiling]\nwindow = 224\npatches_per_group = 4\n",
    )
    .unwrap();
    let peak_of = |side: &str| {
        let synth = ["synth", "--out", side, "--slides", "1", "--seed", "1", "--size", side];
        peak_mb(&synth, folder);
        let slides = format!("{side}/slides");
        let split = [
            "split",
            "--threads",
            "1",
            "--run",
            &format!("run{side}"),
            "--config",
            "c.toml",
            &slides,
        ];
        let peak = peak_mb(&split, folder);
        let patches = std::fs::read_dir(folder.join(format!("run{side}/patches"))).unwrap();
        let stored: u64 = patches.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        (peak, stored as f64 / 1e6)
    };
    // Caches are full by 6,000 px.
    let ((small_mb, small_stored_mb), (large_mb, large_stored_mb)) =
        (peak_of("6000"), peak_of("12000"));
    // Were slide or patches held, it would grow by this much.
    let grown_mb = large_stored_mb - small_stored_mb;
    assert!(grown_mb > 450.0, "{small_stored_mb} {large_stored_mb}");
    let told = format!("{small_mb} MB for 6000 px, {large_mb} MB for 12000 px");
    assert!(large_mb - small_mb < grown_mb / 2.0, "{told}");
    assert!(large_mb < 500.0, "{told}");
    println!("{told}");
}
