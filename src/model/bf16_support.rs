//! What bf16 needs of a processor.

use std::fmt;

use crate::process;

/// Instructions that OpenVINO emulates bf16 with.
const TO_EMULATE: [&str; 4] = ["AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"];

/// A variable that keeps OpenVINO from instructions, under its two names.
const CAPS: [&str; 2] = ["ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"];

/// This processor, asked whether it computes in bf16, and could not.
#[derive(Debug, Clone)]
pub struct Bf16Unsupported {
    /// The processor's name.
    pub processor: String,
    /// What bf16 is emulated with, and this processor has not.
    pub to_emulate: Vec<&'static str>,
    /// A variable that keeps OpenVINO from what the processor has, and its value.
    pub capped: Option<(&'static str, String)>,
}

impl Bf16Unsupported {
    /// Looks at this machine.
    pub(crate) fn look() -> Self {
        let capped = |name| std::env::var(name).ok().map(|value| (name, value));
        Self {
            processor: process::processor(),
            to_emulate: TO_EMULATE.into_iter().filter(|name| !has(name)).collect(),
            capped: CAPS.into_iter().find_map(capped),
        }
    }
}

/// What is lacking, as the end of "the processor ..".
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
fn has(name: &str) -> bool {
    match name {
        "AVX512F" => std::is_x86_feature_detected!("avx512f"),
        "AVX512BW" => std::is_x86_feature_detected!("avx512bw"),
        "AVX512DQ" => std::is_x86_feature_detected!("avx512dq"),
        "AVX512VL" => std::is_x86_feature_detected!("avx512vl"),
        _ => false,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn has(_: &str) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_processor_and_what_it_lacks() {
        let mut here = Bf16Unsupported {
            processor: "Old Xeon".to_owned(),
            to_emulate: vec!["AVX512F", "AVX512VL"],
            capped: None,
        };
        let said = here.to_string();
        assert!(said.starts_with("Old Xeon has no instructions for bf16 (AVX512_BF16"), "{said}");
        assert!(said.ends_with("emulate it with (AVX512F, AVX512VL)"), "{said}");
        here.to_emulate.clear();
        here.capped = Some((CAPS[0], "AVX2".to_owned()));
        let said = here.to_string();
        assert!(said.ends_with(", or is kept from them by ONEDNN_MAX_CPU_ISA=AVX2"), "{said}");
    }
}
