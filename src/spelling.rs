//! The two spellings of `tumor`, the one word that users write in both.

/// The text in American spelling: "tumour" becomes "tumor", its case kept.
fn american(text: &str) -> String {
    text.replace("tumour", "tumor").replace("Tumour", "Tumor").replace("TUMOUR", "TUMOR")
}

/// Whether two names are the same but for the spelling of "tumor".
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    a == b || american(a) == american(b)
}

/// As [`is_same`], without regard to the case of ASCII letters.
pub(crate) fn is_same_ignoring_case(a: &str, b: &str) -> bool {
    american(a).eq_ignore_ascii_case(&american(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_are_one_word() {
        assert!(is_same("tumour", "tumor") && is_same("is_tumor", "is_tumour"));
        assert!(is_same("Tumour cells", "Tumor cells") && is_same("stroma", "stroma"));
        assert!(!is_same("Tumour", "tumor") && !is_same("tumor", "tumors"));
        assert!(!is_same("colour", "color"));
    }

    #[test]
    fn case_is_ignored_on_request() {
        assert!(is_same_ignoring_case("TUMOUR", "tumor") && is_same_ignoring_case("_0", "_0"));
        assert!(!is_same_ignoring_case("tumour", "normal"));
    }
}
