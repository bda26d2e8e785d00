//! The two demonstration networks, which are part of the program. `synth` writes them beside
//! the slides, so that a whole run needs no download.

use std::path::Path;

use crate::staged::{self, StageError};

macro_rules! model_file {
    ($name:literal) => {
        ($name, include_bytes!(concat!("../../configs/models/", $name)).as_slice())
    };
}

/// File names and contents.
const FILES: [(&str, &[u8]); 4] = [
    model_file!("demo-padded.onnx"),
    model_file!("demo-padded.toml"),
    model_file!("demo-valid.onnx"),
    model_file!("demo-valid.toml"),
];

/// A configuration for the slides in the same folder.
pub(super) const CONFIG: &str = "\
# Runs a demonstration network on these slides; paths are relative to this file.

[model]
card = \"model/demo-valid.toml\"

[predict]
stride = 16
method = \"dense\"
";

/// Writes the networks and their cards into `folder`. Files of the same content are not
/// written again.
pub(super) fn write(folder: &Path) -> Result<(), StageError> {
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if std::fs::read(&path).is_ok_and(|found| found == bytes) {
            continue;
        }
        staged::write(&path, bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    #[test]
    fn each_card_states_the_file_and_the_hash_of_its_network() {
        for pair in FILES.chunks(2) {
            let [(onnx, bytes), (_, card)] = pair else { panic!("networks and cards in pairs") };
            let card: toml::Table = toml::from_str(std::str::from_utf8(card).unwrap()).unwrap();
            let hash: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!(card["file"].as_str(), Some(*onnx));
            assert_eq!(card["sha256"].as_str(), Some(hash.as_str()));
            assert!(bytes.len() < 400_000);
        }
    }
}
