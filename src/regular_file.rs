//! Input files that people give: regular files of a bounded size, read whole.
//!
//! A folder, a pipe or a device in the place of a file is refused before anything is read: a
//! pipe may wait for ever, and `/dev/zero` has no end.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

/// Largest configuration, model card or file of stains that is read, bytes.
pub(crate) const SETTINGS_BYTES: u64 = 8 << 20;

/// Largest table, list or file of annotations that is read, bytes.
pub(crate) const TEXT_BYTES: u64 = 256 << 20;

/// Opens a regular file for reading. Links are followed.
///
/// # Errors
/// The system's error, or one that says what there is in place of a file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    check(&std::fs::metadata(path)?)?;
    // It may have been replaced since: opening a pipe must not wait for its writer.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Reads a regular file of at most `most_bytes`.
///
/// # Errors
/// The system's error, or one that says what there is in place of such a file.
pub(crate) fn read(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let bytes = file.metadata()?.len();
    check_size(bytes, most_bytes)?;
    let mut content = Vec::with_capacity(usize::try_from(bytes).map_err(io::Error::other)?);
    // One more than allowed shows that the file has grown, or states no size, as in /proc.
    file.take(most_bytes + 1).read_to_end(&mut content)?;
    check_size(content.len() as u64, most_bytes)?;
    Ok(content)
}

/// Reads a regular file of UTF-8 text of at most `most_bytes`.
///
/// # Errors
/// Those of [`read`], and one of kind `InvalidData` for other bytes.
pub(crate) fn read_to_string(path: &Path, most_bytes: u64) -> io::Result<String> {
    String::from_utf8(read(path, most_bytes)?)
        .map_err(|_| io::Error::new(ErrorKind::InvalidData, "it is not UTF-8 text"))
}

fn check_size(bytes: u64, most_bytes: u64) -> io::Result<()> {
    if bytes <= most_bytes {
        return Ok(());
    }
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let problem = format!("it has {:.0} MB, expected at most {:.0} MB", mb(bytes), mb(most_bytes));
    Err(io::Error::new(ErrorKind::FileTooLarge, problem))
}

/// Refuses what is no regular file.
///
/// # Errors
/// One that says what there is.
pub(crate) fn check(found: &Metadata) -> io::Result<()> {
    let kind = found.file_type();
    if kind.is_file() {
        return Ok(());
    }
    let (error, what) = if kind.is_dir() {
        (ErrorKind::IsADirectory, "a folder")
    } else if kind.is_fifo() {
        (ErrorKind::InvalidInput, "a pipe")
    } else if kind.is_socket() {
        (ErrorKind::InvalidInput, "a socket")
    } else {
        (ErrorKind::InvalidInput, "a device")
    };
    Err(io::Error::new(error, format!("it is {what}, expected a regular file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "four").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        for name in ["file", "link"] {
            assert_eq!(read(&at(name), 4).unwrap(), b"four");
            let error = read(&at(name), 3).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::FileTooLarge, "{error}");
        }
        let pipe = std::ffi::CString::new(at("pipe").to_str().unwrap()).unwrap();
        // SAFETY: the name is a C string that lives during the call.
        assert_eq!(unsafe { libc::mkfifo(pipe.as_ptr(), 0o600) }, 0);
        let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (path, what) in [
            (folder.path().to_owned(), "a folder"),
            (at("pipe"), "a pipe"),
            (at("socket"), "a socket"),
            ("/dev/zero".into(), "a device"),
        ] {
            let error = read(&path, u64::MAX - 1).unwrap_err().to_string();
            assert_eq!(error, format!("it is {what}, expected a regular file"));
        }
        drop(socket);
        assert_eq!(read(&at("none"), 9).unwrap_err().kind(), ErrorKind::NotFound);
        // This one has more than the size that it states, which is 0.
        assert!(read(Path::new("/proc/self/maps"), 10).is_err());
        assert!(!read_to_string(Path::new("/proc/self/status"), 1 << 20).unwrap().is_empty());
        std::fs::write(at("file"), [0xff]).unwrap();
        assert!(read_to_string(&at("file"), 4).unwrap_err().to_string().contains("UTF-8"));
    }

    #[test]
    fn a_file_with_holes_is_as_large_as_it_says() {
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(1 << 40).unwrap();
        let error = read(file.path(), TEXT_BYTES).unwrap_err().to_string();
        assert_eq!(error, "it has 1099512 MB, expected at most 268 MB");
    }
}
