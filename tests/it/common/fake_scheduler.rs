//! Programs in place of those of a scheduler, as shell scripts.

use std::os::unix::fs::PermissionsExt;

use super::Case;
use super::cli::Slidegrid;

/// Puts a shell script into `case/bin`.
pub(crate) fn fake(case: &Case, program: &str, script: &str) {
    let folder = case.path("bin");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join(program);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

/// A program that prints `text`.
pub(crate) fn fake_text(case: &Case, program: &str, text: &str) {
    fake(case, program, &format!("cat <<'EOF'\n{text}EOF"));
}

/// A SLURM that accepts jobs, numbered from 7 on, and lists none.
pub(crate) fn fake_slurm(case: &Case) {
    fake_text(case, "scontrol", "MaxArraySize = 1001\n");
    fake(
        case,
        "sbatch",
        "[ \"$1\" != --test-only ] || exit 0\nn=$(cat count 2>/dev/null || echo 6)\necho $((n + 1)) | tee count",
    );
    for program in ["sacctmgr", "sacct", "squeue"] {
        fake_text(case, program, "");
    }
}

/// `slidegrid LINE --run run` with the programs of `case/bin` first.
pub(crate) fn with_fakes(case: &Case, line: &str) -> Slidegrid {
    case.slidegrid(&format!("{line} --run run")).env("PATH", path_with_fakes(case))
}

/// `PATH` with the programs of `case/bin` first.
pub(crate) fn path_with_fakes(case: &Case) -> String {
    format!("{}:{}", case.path("bin").display(), std::env::var("PATH").unwrap())
}
