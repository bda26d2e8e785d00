//! Hashes of numbers.

use hdf5::H5Type;
use xxhash_rust::xxh3::{Xxh3Default, xxh3_64};

/// A type of numbers whose values can be hashed.
pub(crate) trait Hashed: H5Type + Clone {
    /// XXH3 hash of the bytes of `values`, in little-endian order.
    fn hash(values: &[Self]) -> u64;
}

impl Hashed for u8 {
    fn hash(values: &[Self]) -> u64 {
        xxh3_64(values)
    }
}

macro_rules! hash_by_bytes {
    ($($number:ty),+) => {$(
        impl Hashed for $number {
            fn hash(values: &[Self]) -> u64 {
                let mut hash = Xxh3Default::new();
                let mut bytes = Vec::new();
                for values in values.chunks(4096) {
                    bytes.clear();
                    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
                    hash.update(&bytes);
                }
                hash.digest()
            }
        }
    )+};
}

hash_by_bytes!(i32, i64, u64, f32, f64);
