//! Output files that are complete whenever they exist. All results of a run are written with
//! this module.
//!
//! A file is written under a temporary name in the same directory, synced, read back, compared
//! with what was to be written, and renamed. The first reader of a file is therefore its writer,
//! and a write that was lost without an error is reported too. Temporary files of killed writers
//! are removed by the next writer of the same file.

mod error;
mod file;
mod folder;
mod leftovers;
mod presence;
mod read_back;
mod stream;
mod sync;

pub use error::StageError;
pub use file::StagedFile;
pub(crate) use file::write;
pub(crate) use folder::StagedFolder;
pub(crate) use leftovers::discard;
pub(crate) use presence::{has_entries, is_file, is_same, is_there, names_ending, read_if_there};
pub(crate) use read_back::READ_BACK;
pub(crate) use stream::StagedStream;

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("deep/out.txt");
        let staged = StagedFile::new(&target).unwrap();
        fs::write(staged.path(), "half").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(target.parent().unwrap()).unwrap().count(), 0);
    }

    #[test]
    fn a_failed_write_keeps_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out.txt");
        write(&target, b"old").unwrap();
        let staged = StagedFile::new(&target).unwrap();
        fs::write(staged.path(), "new, unfinished").unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        staged.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new, unfinished");
    }

    #[test]
    fn a_folder_in_the_way_is_an_error_that_names_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("taken");
        fs::create_dir_all(target.join("x")).unwrap();
        let error = write(&target, b"bytes").unwrap_err().to_string();
        assert!(error.contains("taken") && error.contains("rename"), "{error}");
    }

    #[test]
    fn a_folder_appears_whole_or_not_at_all() {
        let above = tempfile::tempdir().unwrap();
        let target = above.path().join("tiles");
        for text in ["one", "two"] {
            let mut staged = StagedFolder::new(&target).unwrap();
            staged.write("0/a", text.as_bytes()).unwrap();
            staged.commit().unwrap();
            assert_eq!(fs::read_to_string(target.join("0/a")).unwrap(), text);
        }
        let mut dropped = StagedFolder::new(&target).unwrap();
        dropped.write("b", b"half").unwrap();
        drop(dropped);
        assert_eq!(fs::read_to_string(target.join("0/a")).unwrap(), "two");
        assert_eq!(fs::read_dir(above.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_folder_that_lost_a_write_is_refused() {
        let above = tempfile::tempdir().unwrap();
        let target = above.path().join("tiles");
        for damage in ["0/a", "0/b"] {
            let mut staged = StagedFolder::new(&target).unwrap();
            staged.write("0/a", b"one").unwrap();
            staged.write("0/b", b"two").unwrap();
            fs::write(staged.path().join(damage), [0; 3]).unwrap();
            let error = staged.commit().unwrap_err().to_string();
            assert!(error.contains(damage) && error.contains("not what was written"), "{error}");
            assert_eq!(fs::read_dir(above.path()).unwrap().count(), 0);
        }
    }

    #[test]
    fn a_stream_holds_the_written_bytes_and_the_late_ones() {
        use std::io::Write;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        // Several blocks, written in pieces of an odd size; the late bytes cross two blocks.
        let mut expected: Vec<u8> = (0..3_000_001_u32).map(|k| (k % 251) as u8).collect();
        expected[1_048_570..1_048_586].fill(0);
        let mut stream = StagedStream::new(&target).unwrap();
        expected.chunks(77_777).for_each(|piece| stream.write_all(piece).unwrap());
        stream.write_later(1_048_572, [7; 8]);
        expected[1_048_572..1_048_580].fill(7);
        stream.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), expected);
    }

    #[test]
    fn a_stream_that_lost_a_write_is_refused() {
        use std::io::Write;
        use std::os::unix::fs::FileExt;
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("out");
        for at in [0, 1_500_000, 2_999_999] {
            let mut stream = StagedStream::new(&target).unwrap();
            stream.write_all(&[1; 3_000_000]).unwrap();
            stream.flush().unwrap();
            let other_handle = File::options().write(true).open(stream.path()).unwrap();
            other_handle.write_all_at(&[0], at).unwrap();
            let error = stream.commit().unwrap_err().to_string();
            assert!(error.contains("out: cannot read back"), "{error}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
