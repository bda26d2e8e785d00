//! SHA-256 over keys and values.

use sha2::{Digest, Sha256};

/// SHA-256 of one line `key=value` per pair, as lower-case hexadecimal digits.
pub(crate) fn sha256_of_pairs<'k>(pairs: impl Iterator<Item = (&'k str, &'k str)>) -> String {
    let mut sha = Sha256::new();
    for (key, value) in pairs {
        sha.update(format!("{key}={value}\n"));
    }
    sha.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// SHA-256 of bytes, as lower-case hexadecimal digits.
pub(crate) fn sha256_of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
