//! Writes a two-dimensional Zarr 3 array of f32, in shards of gzipped chunks; the levels
//! of an OME-Zarr export are such arrays.
//!
//! The format is that of the Zarr core specification, version 3.1, and its sharding
//! codec, version 1.0. An array is one JSON file and one file per shard, which holds the
//! chunks one after the other and a table of their positions. It is written here because
//! the Rust library for Zarr brings more than fifty other crates along. tests/it/export.rs
//! checks the arrays with zarr-python and ome-zarr.
//!
//! Shards keep the number of files small: chunks of 256 x 256 points are stored together
//! in files of up to 2048 x 2048 points. Chunks and shards that hold only NaN are not
//! stored.

use std::io;

use libdeflater::{CompressionLvl, Compressor};
use ndarray::{ArrayView2, s};
use serde_json::json;

use crate::staged::{StageError, StagedFolder};

/// Side of a chunk, points.
pub(super) const CHUNK: usize = 256;
/// Largest number of chunks along a side of a shard.
const MAX_CHUNKS_PER_SIDE: usize = 8;
const GZIP_LEVEL: i32 = 4;
/// The offset and the length in the index of a chunk that is not stored.
const NOT_STORED: u64 = u64::MAX;

/// Writes `map` `[row, col]` as the array `name`, with axes y and x, into `folder`, which
/// must not have an array of this name yet.
pub(super) fn write(
    folder: &mut StagedFolder,
    name: &str,
    map: ArrayView2<'_, f32>,
) -> Result<(), StageError> {
    let (rows, cols) = map.dim();
    let chunks = |points: usize| points.div_ceil(CHUNK).clamp(1, MAX_CHUNKS_PER_SIDE);
    let shard = [chunks(rows), chunks(cols)];
    let metadata = metadata([rows, cols], shard);
    folder.write(format!("{name}/zarr.json"), metadata.to_string().as_bytes())?;
    let mut compressor = Compressor::new(CompressionLvl::new(GZIP_LEVEL).expect("4 is a level"));
    for (down, top) in (0..rows).step_by(shard[0] * CHUNK).enumerate() {
        for (across, left) in (0..cols).step_by(shard[1] * CHUNK).enumerate() {
            let bottom = (top + shard[0] * CHUNK).min(rows);
            let right = (left + shard[1] * CHUNK).min(cols);
            let part = map.slice(s![top..bottom, left..right]);
            let file = format!("{name}/c/{down}/{across}");
            let bytes = shard_bytes(part, shard, &mut compressor);
            if let Some(bytes) = bytes.map_err(|e| folder.failed(&file, "write it", e))? {
                folder.write(file, &bytes)?;
            }
        }
    }
    Ok(())
}

/// The array's metadata, `zarr.json`. `shape` is in points, `shard` in chunks.
fn metadata(shape: [usize; 2], shard: [usize; 2]) -> serde_json::Value {
    let bytes = json!({"name": "bytes", "configuration": {"endian": "little"}});
    json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": shape,
        "data_type": "float32",
        "chunk_grid": {
            "name": "regular",
            "configuration": {"chunk_shape": shard.map(|chunks| chunks * CHUNK)},
        },
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN",
        "codecs": [{
            "name": "sharding_indexed",
            "configuration": {
                "chunk_shape": [CHUNK, CHUNK],
                "codecs": [bytes, {"name": "gzip", "configuration": {"level": GZIP_LEVEL}}],
                "index_codecs": [bytes, {"name": "crc32c"}],
                "index_location": "end",
            },
        }],
        "dimension_names": ["y", "x"],
        "attributes": {},
    })
}

/// The bytes of a shard: its chunks and its index. `None` if the shard holds only NaN.
fn shard_bytes(
    part: ArrayView2<'_, f32>,
    shard: [usize; 2],
    compressor: &mut Compressor,
) -> io::Result<Option<Vec<u8>>> {
    let (mut bytes, mut index) = (Vec::new(), Vec::new());
    let (rows, cols) = part.dim();
    for top in (0..shard[0]).map(|chunk| chunk * CHUNK) {
        for left in (0..shard[1]).map(|chunk| chunk * CHUNK) {
            let (bottom, right) = ((top + CHUNK).min(rows), (left + CHUNK).min(cols));
            let inside = top < rows && left < cols;
            let cells = inside.then(|| part.slice(s![top..bottom, left..right]));
            let location = match cells.filter(|cells| cells.iter().any(|v| !v.is_nan())) {
                None => [NOT_STORED; 2],
                Some(cells) => {
                    let packed = chunk_bytes(cells, compressor)?;
                    let location = [bytes.len() as u64, packed.len() as u64];
                    bytes.extend(packed);
                    location
                }
            };
            index.extend(location.iter().flat_map(|number| number.to_le_bytes()));
        }
    }
    if bytes.is_empty() {
        return Ok(None);
    }
    let checksum = crc32c(&index);
    bytes.extend(index);
    bytes.extend(checksum.to_le_bytes());
    Ok(Some(bytes))
}

/// The gzipped bytes of a chunk, filled up with NaN beyond the edge of the array.
fn chunk_bytes(cells: ArrayView2<'_, f32>, compressor: &mut Compressor) -> io::Result<Vec<u8>> {
    let mut plain = f32::NAN.to_le_bytes().repeat(CHUNK * CHUNK);
    for ((row, col), value) in cells.indexed_iter() {
        let at = 4 * (row * CHUNK + col);
        let value = if value.is_nan() { f32::NAN } else { *value };
        plain[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    let mut packed = vec![0; compressor.gzip_compress_bound(plain.len())];
    let length = compressor.gzip_compress(&plain, &mut packed).map_err(io::Error::other)?;
    packed.truncate(length);
    Ok(packed)
}

/// CRC32C, Castagnoli's checksum (RFC 3720, appendix B.4).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes
        .iter()
        .fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), |crc, _| step(crc)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn crc32c_gives_the_published_values() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn chunks_of_only_nan_are_not_stored() {
        let above = tempfile::tempdir().unwrap();
        let mut folder = StagedFolder::new(&above.path().join("a.zarr")).unwrap();
        let mut map = Array2::from_elem((300, 2500), f32::NAN);
        write(&mut folder, "s0", map.view()).unwrap();
        assert!(!folder.path().join("s0/c").exists());
        map[[299, 2499]] = 0.5;
        write(&mut folder, "s1", map.view()).unwrap();
        assert!(!folder.path().join("s1/c/0/0").exists());
        let shard = std::fs::read(folder.path().join("s1/c/0/1")).unwrap();
        // Two by eight chunks, of which one is stored.
        let index = &shard[shard.len() - 4 - 16 * 16..shard.len() - 4];
        let stored = index.chunks(16).filter(|place| place[..8] != [255; 8]).count();
        assert_eq!(stored, 1);
    }
}
