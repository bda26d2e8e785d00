//! Files that are changed on purpose, with their seal put right as docs/formats.md describes
//! it: what is wrong with them is then not that their bytes have changed.

use std::fs;
use std::io::Write;
use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

const MAGIC: &[u8] = b"SLGSEAL1";

/// Opens a file for changes. HDF5 cuts the seal off when it closes the file.
pub(crate) fn open_rw(path: &Path) -> hdf5::File {
    hdf5::File::with_options().with_fapl(|p| p.file_locking(false)).open_rw(path).unwrap()
}

/// Changes a file and seals it again. Datasets that `change` writes keep their checksums.
pub(crate) fn edit(path: &Path, change: impl FnOnce(&hdf5::File)) {
    let file = open_rw(path);
    change(&file);
    file.close().unwrap();
    seal(path);
}

/// Seals all bytes of a file, its data included.
fn seal(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    assert!(!bytes.ends_with(MAGIC), "{} is sealed", path.display());
    let length = bytes.len() as u64;
    let mut seal = 0_u64.to_le_bytes().to_vec();
    seal.extend(length.to_le_bytes());
    bytes.extend(&seal);
    seal.extend(xxh3_64(&bytes).to_le_bytes());
    seal.extend(MAGIC);
    fs::OpenOptions::new().append(true).open(path).unwrap().write_all(&seal).unwrap();
}
