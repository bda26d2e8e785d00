//! The record of a slide's pictures and exports, `logs/files/<slide>.json`: the length and the
//! hash of each file when it was written. These files are in formats that have no room for a
//! checksum of ours.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Default;

use super::RunDir;
use crate::staged::{self, StageError};

/// What is recorded of a file, or of a folder with all that is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedFile {
    /// Length, bytes; that of all files of a folder together.
    pub bytes: u64,
    /// XXH3 of the content, 16 hexadecimal digits. Of a folder: of the path, the length (8 bytes,
    /// little-endian) and the content of each file, in the order of the paths.
    pub xxh3: String,
}

impl RecordedFile {
    /// What is to be recorded of the file or folder at `path`.
    ///
    /// # Errors
    /// The system's error if anything cannot be read.
    pub(crate) fn read(path: &Path) -> io::Result<Self> {
        let (mut hash, mut bytes) = (Xxh3Default::new(), 0);
        if !fs::metadata(path)?.is_dir() {
            bytes = hash_file(path, &mut hash)?;
            return Ok(Self { bytes, xxh3: format!("{:016x}", hash.digest()) });
        }
        for file in files_below(path)? {
            let name = file.strip_prefix(path).unwrap_or(&file);
            hash.update(name.as_os_str().as_encoded_bytes());
            hash.update(&fs::metadata(&file)?.len().to_le_bytes());
            bytes += hash_file(&file, &mut hash)?;
        }
        Ok(Self { bytes, xxh3: format!("{:016x}", hash.digest()) })
    }
}

/// The files of a slide that are recorded, by their paths below the run directory.
pub(crate) type RecordedFiles = BTreeMap<String, RecordedFile>;

/// The record of a slide, as far as it can be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FilesRecord {
    /// No file of the slide was recorded.
    None,
    /// The files.
    Known(RecordedFiles),
    /// The content of the record is damaged in this way.
    Damaged(String),
}

impl FilesRecord {
    /// The files, none of them if the record is damaged: whoever asks writes it anew.
    fn known(self) -> RecordedFiles {
        match self {
            Self::Known(files) => files,
            Self::None | Self::Damaged(_) => RecordedFiles::new(),
        }
    }
}

/// Reads the record of a slide.
///
/// # Errors
/// [`StageError`] if the record is there, or may be, and the system does not give it.
pub(crate) fn recorded_files(run: &RunDir, slide: &str) -> Result<FilesRecord, StageError> {
    let Some(bytes) = staged::read_if_there(&run.recorded(slide))? else {
        return Ok(FilesRecord::None);
    };
    Ok(match serde_json::from_slice(&bytes) {
        Ok(files) => FilesRecord::Known(files),
        Err(error) => FilesRecord::Damaged(error.to_string()),
    })
}

/// Records files and folders of a slide that have just been written. Those outside the run
/// directory are not part of the run.
///
/// # Errors
/// [`StageError`] if a file cannot be read back, or the record cannot be read or written.
pub(crate) fn record_files(run: &RunDir, slide: &str, files: &[PathBuf]) -> Result<(), StageError> {
    let mut record = recorded_files(run, slide)?.known();
    for path in files {
        let Some(name) = path.strip_prefix(run.root()).ok().and_then(Path::to_str) else {
            continue;
        };
        let found = RecordedFile::read(path).map_err(|source| StageError {
            path: path.clone(),
            action: staged::READ_BACK,
            source,
        })?;
        record.insert(name.to_owned(), found);
    }
    write(run, slide, &record)
}

/// Whether the record of a slide, if it has one, names the file or folder at `path`. A file that a
/// record lacks was written by a command that ended before it was recorded.
///
/// # Errors
/// [`StageError`] if the system does not give the record.
pub(crate) fn is_recorded(run: &RunDir, slide: &str, path: &Path) -> Result<bool, StageError> {
    let name = path.strip_prefix(run.root()).ok().and_then(Path::to_str);
    Ok(match recorded_files(run, slide)? {
        FilesRecord::None => true,
        FilesRecord::Known(files) => name.is_none_or(|name| files.contains_key(name)),
        FilesRecord::Damaged(_) => false,
    })
}

/// Forgets the files of a slide whose paths begin with `folder`, since they are removed.
///
/// # Errors
/// [`StageError`] if the record cannot be read or written.
pub(crate) fn forget_files(run: &RunDir, slide: &str, folder: &str) -> Result<(), StageError> {
    let FilesRecord::Known(mut record) = recorded_files(run, slide)? else { return Ok(()) };
    record.retain(|name, _| !name.starts_with(folder));
    write(run, slide, &record)
}

fn write(run: &RunDir, slide: &str, record: &RecordedFiles) -> Result<(), StageError> {
    let text = serde_json::to_string_pretty(record).expect("a record is plain data");
    staged::write(&run.recorded(slide), format!("{text}\n").as_bytes())
}

fn hash_file(path: &Path, hash: &mut Xxh3Default) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let (mut buffer, mut bytes) = (vec![0; 1 << 16], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(bytes),
            length => {
                hash.update(&buffer[..length]);
                bytes += length as u64;
            }
        }
    }
}

/// The files in a folder and the folders below, by path.
fn files_below(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let (mut files, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let list = if entry.file_type()?.is_dir() { &mut folders } else { &mut files };
            list.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_and_name_counts() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path());
        let (file, tiles) = (run.heatmap("a", "png"), run.heatmaps().join("a_files"));
        staged::write(&file, b"picture").unwrap();
        staged::write(&tiles.join("0/0_0.png"), b"one").unwrap();
        staged::write(&tiles.join("1/0_0.png"), b"two").unwrap();
        let recorded = || recorded_files(&run, "a").unwrap();
        let is_recorded = |path: &Path| is_recorded(&run, "a", path).unwrap();
        assert_eq!(recorded(), FilesRecord::None);
        assert!(is_recorded(&file));
        record_files(&run, "a", &[file.clone(), tiles.clone(), "/elsewhere".into()]).unwrap();
        let record = recorded().known();
        assert_eq!(record.keys().collect::<Vec<_>>(), ["heatmaps/a.png", "heatmaps/a_files"]);
        assert!(is_recorded(&file) && is_recorded(Path::new("/elsewhere")));
        assert!(!is_recorded(&run.heatmap("a", "npy")));
        let same = |path: &Path, name: &str| RecordedFile::read(path).unwrap() == record[name];
        assert!(same(&file, "heatmaps/a.png") && same(&tiles, "heatmaps/a_files"));
        fs::write(&file, "pictuse").unwrap();
        fs::rename(tiles.join("1"), tiles.join("2")).unwrap();
        assert!(!same(&file, "heatmaps/a.png") && !same(&tiles, "heatmaps/a_files"));
        forget_files(&run, "a", "heatmaps/a.").unwrap();
        let record = recorded().known();
        assert_eq!(record.keys().collect::<Vec<_>>(), ["heatmaps/a_files"]);
        fs::write(run.recorded("a"), "{").unwrap();
        assert!(matches!(recorded(), FilesRecord::Damaged(_)) && !is_recorded(&file));
        fs::remove_file(run.recorded("a")).unwrap();
        std::os::unix::fs::symlink(run.recorded("a"), run.recorded("a")).unwrap();
        let error = record_files(&run, "a", &[file]).unwrap_err().to_string();
        assert!(error.contains("a.json: cannot read it"), "{error}");
    }
}
