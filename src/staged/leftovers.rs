//! Removal of temporary files whose writer no longer exists.
//!
//! A killed process cannot remove its temporary file, so the next writer of the same target
//! does. Two tasks may write one target at the same time, if a scheduler starts a task twice;
//! each has a temporary file of its own, and neither may remove the other's. The temporary name
//! therefore identifies the writer: `.<target>.<machine>-<process>.<random>.part`. A file of
//! this machine is removed if its process no longer exists, a file of another machine if
//! nothing was written to it for a day.

use std::fs::{self, DirEntry};
use std::path::Path;
use std::time::Duration;

use crate::process::{is_alive, machine};

/// End of every temporary name.
pub(super) const SUFFIX: &str = ".part";

/// A temporary file that was not written to for this long has lost its writer.
const ABANDONED: Duration = Duration::from_secs(24 * 3600);

/// Start of the temporary names that this process uses for target `name`.
pub(super) fn prefix(name: &str) -> String {
    format!(".{name}.{}-{}.", machine().unwrap_or("elsewhere"), std::process::id())
}

/// Removes the temporary files of a target that killed writers left, and those that this process
/// left before it started again. This process must not be writing the target.
pub(crate) fn discard(target: &Path) {
    if let (Some(folder), Some(name)) = (target.parent(), target.file_name()) {
        remove_where(folder, &name.to_string_lossy(), |pid| {
            !is_alive(pid) || u32::try_from(pid) == Ok(std::process::id())
        });
    }
}

/// Removes the temporary files that killed writers of `folder/name` left.
pub(super) fn remove(folder: &Path, name: &str) {
    remove_where(folder, name, |pid| !is_alive(pid));
}

fn remove_where(folder: &Path, name: &str, is_over: impl Fn(i32) -> bool) {
    // Errors are ignored: a file that cannot be listed or removed hinders no write.
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_leftover(&entry, name, &is_over) {
            let path = entry.path();
            drop(if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) });
        }
    }
}

/// `is_over` says whether a process of this machine has lost its temporary files.
fn is_leftover(entry: &DirEntry, name: &str, is_over: impl Fn(i32) -> bool) -> bool {
    let file = entry.file_name();
    let Some((writer_machine, pid)) = file.to_str().and_then(|file| writer_of(file, name)) else {
        return false;
    };
    if machine() == Some(writer_machine) {
        return is_over(pid);
    }
    let age = entry.metadata().and_then(|m| m.modified()).map(|written| written.elapsed());
    matches!(age, Ok(Ok(age)) if age > ABANDONED)
}

/// The machine and the process in a temporary name of target `name`; `None` for other names.
fn writer_of<'a>(file: &'a str, name: &str) -> Option<(&'a str, i32)> {
    let rest = file.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?;
    let (writer, random) = rest.strip_suffix(SUFFIX)?.split_once('.')?;
    let (machine, pid) = writer.split_once('-')?;
    // The name of another target may begin with this target's name.
    (!random.contains('.')).then_some((machine, pid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn left_after(names: &[String], target: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for name in names {
            fs::write(folder.path().join(name), "half").unwrap();
        }
        remove(folder.path(), target);
        let mut left: Vec<String> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        left
    }

    #[test]
    fn only_files_of_dead_writers_of_the_same_target_are_removed() {
        let mut child = Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let here = machine().unwrap();
        let alive = std::process::id();
        let part = |target: &str, machine: &str, pid| format!(".{target}.{machine}-{pid}.x1.part");
        let keep = [
            part("a.h5", "0123456789ab", dead),
            part("a.h5", here, alive),
            part("aa.h5", here, dead),
            part("a.h5.more", here, dead),
            "a.h5".to_owned(),
        ];
        let mut names = keep.to_vec();
        names.push(part("a.h5", here, dead));
        let mut expected = keep.to_vec();
        expected.sort();
        assert_eq!(left_after(&names, "a.h5"), expected);
    }

    #[test]
    fn a_folder_of_a_dead_writer_is_removed_with_its_content() {
        let mut child = Command::new("true").spawn().unwrap();
        let dead = child.id();
        child.wait().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(format!(".a.{}-{dead}.x1.part", machine().unwrap()));
        fs::create_dir(&left).unwrap();
        fs::write(left.join("file"), "half").unwrap();
        remove(folder.path(), "a");
        assert!(!left.exists());
    }

    #[test]
    fn a_file_of_another_machine_is_removed_after_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".a.h5.0123456789ab-1.x1.part");
        let file = fs::File::create(&path).unwrap();
        let old = std::time::SystemTime::now() - ABANDONED - Duration::from_secs(60);
        file.set_modified(old).unwrap();
        remove(folder.path(), "a.h5");
        assert!(!path.exists());
    }
}
