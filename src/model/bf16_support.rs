//! The instructions that a processor lacks for bf16, as the error message names them.

use std::fmt;

use crate::process;

/// Instruction sets with which OpenVINO emulates bf16.
const TO_EMULATE: [&str; 4] = ["AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"];

/// The two names of the environment variable that caps the instruction sets of oneDNN,
/// which OpenVINO computes with.
const CAPS: [&str; 2] = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];

/// The processor of this machine, which does not compute in bf16, and what it lacks.
#[derive(Debug, Clone)]
pub struct Bf16Unsupported {
    /// The processor's name.
    pub processor: String,
    /// Instruction sets for emulating bf16 that the processor lacks; empty if it could
    /// emulate bf16.
    pub to_emulate: Vec<&'static str>,
    /// The environment variable that caps the instruction sets, and its value, if set.
    pub capped: Option<(&'static str, String)>,
}

impl Bf16Unsupported {
    /// Inspects this machine.
    pub(crate) fn detect() -> Self {
        let capped = |name| std::env::var(name).ok().map(|value| (name, value));
        Self {
            processor: process::processor(),
            to_emulate: TO_EMULATE.into_iter().filter(|name| !processor_has(name)).collect(),
            capped: CAPS.into_iter().find_map(capped),
        }
    }
}

/// Writes the processor's name and what it lacks, as a clause without a full stop.
impl fmt::Display for Bf16Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} has no instructions for bf16 (AVX512_BF16 or AMX_BF16)", self.processor)?;
        if !self.to_emulate.is_empty() {
            write!(f, ", nor those to emulate it with ({})", self.to_emulate.join(", "))?;
        }
        match &self.capped {
            Some((name, value)) => write!(f, ", or is kept from them by {name}={value}"),
            None => Ok(()),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn processor_has(name: &str) -> bool {
    match name {
        "AVX512F" => std::is_x86_feature_detected!("avx512f"),
        "AVX512BW" => std::is_x86_feature_detected!("avx512bw"),
        "AVX512DQ" => std::is_x86_feature_detected!("avx512dq"),
        "AVX512VL" => std::is_x86_feature_detected!("avx512vl"),
        _ => false,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn processor_has(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_processor_and_what_it_lacks() {
        let mut unsupported = Bf16Unsupported {
            processor: "Old Xeon".to_owned(),
            to_emulate: vec!["AVX512F", "AVX512VL"],
            capped: None,
        };
        let message = unsupported.to_string();
        assert!(
            message.starts_with("Old Xeon has no instructions for bf16 (AVX512_BF16"),
            "{message}"
        );
        assert!(message.ends_with("emulate it with (AVX512F, AVX512VL)"), "{message}");
        unsupported.to_emulate.clear();
        unsupported.capped = Some((CAPS[0], "AVX2".to_owned()));
        let message = unsupported.to_string();
        assert!(
            message.ends_with(", or is kept from them by ONEDNN_MAX_CPU_ISA=AVX2"),
            "{message}"
        );
    }
}
