//! Escapes texts from outside (slide names, reasons, paths) for use in the page.

use std::fmt::Write;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// Longest folder name, bytes. File systems allow 255.
const LONGEST_FOLDER: usize = 120;

/// The name of the folder for a slide's files.
///
/// Every byte of the slide's name that is not an ASCII letter, a digit, `.`, `_`, `+` or `-`
/// becomes `~` and two hexadecimal digits. The folder's name therefore needs no escaping
/// in addresses, and different slides have different folders. A very long name is cut and
/// ends in a hash.
pub(super) fn folder(slide: &str) -> String {
    let mut folder = String::with_capacity(slide.len());
    for byte in slide.bytes() {
        match byte {
            b'.' | b'_' | b'+' | b'-' => folder.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => folder.push(byte.into()),
            byte => put(&mut folder, format_args!("~{byte:02X}")),
        }
    }
    // `.` and `..` would mean another folder.
    if folder.bytes().all(|byte| byte == b'.') {
        folder = folder.replace('.', "~2E");
    }
    if folder.len() > LONGEST_FOLDER {
        folder.truncate(LONGEST_FOLDER - 17);
        put(&mut folder, format_args!("~{:.16}", hex(&Sha256::digest(slide))));
    }
    folder
}

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        put(&mut text, format_args!("{byte:02x}"));
        text
    })
}

/// Appends formatted text to a string, which cannot fail.
pub(super) fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("writing to memory does not fail");
}

/// Escapes a text for HTML, both between tags and in quoted attributes.
pub(super) fn html(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

/// Percent-encodes a text for use in an address. JavaScript's `decodeURIComponent` reverses
/// the encoding.
pub(super) fn percent(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut address, byte| {
        match byte {
            b'-' | b'_' | b'.' | b'~' => address.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => address.push(byte.into()),
            byte => put(&mut address, format_args!("%{byte:02X}")),
        }
        address
    })
}

/// A value as JSON that is safe inside a script, both in an HTML page and in a file of its own.
pub(super) fn script_json(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("plain data");
    // In JSON these characters occur only inside strings. `<` could begin `</script>`, and
    // older browsers take the other two for line ends.
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Bytes as base64 (RFC 4648), padded.
pub(super) fn base64(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let byte = |at: usize| u32::from(three.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4 {
            let sextet = (bits >> (18 - 6 * place) & 63) as usize;
            text.push(if place <= three.len() { BASE64[sextet].into() } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn special_characters_in_folder_names_are_escaped() {
        assert_eq!(folder("tumor_001.a+b-c"), "tumor_001.a+b-c");
        assert_eq!(folder("a b/ü\"<"), "a~20b~2F~C3~BC~22~3C");
        assert_eq!(folder(".."), "~2E~2E");
        let long = folder(&"ä".repeat(200));
        assert_eq!(long.len(), LONGEST_FOLDER);
        assert_ne!(long, folder(&"ä".repeat(201)));
    }

    #[test]
    fn base64_matches_the_examples_of_rfc_4648() {
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
        assert_eq!(base64(&[255, 255, 254]), "///+");
    }

    #[test]
    fn texts_are_escaped_for_addresses_html_and_scripts() {
        assert_eq!(percent("a b/ü#%"), "a%20b%2F%C3%BC%23%25");
        assert_eq!(html("<b a='1' c=\"2\">&"), "&lt;b a=&#39;1&#39; c=&quot;2&quot;&gt;&amp;");
        let json = script_json(&"</script>\u{2028}");
        assert_eq!(json, "\"\\u003c/script>\\u2028\"");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), "</script>\u{2028}");
    }

    proptest! {
        #[test]
        fn different_slides_have_different_folders(a in "\\PC{0,20}", b in "\\PC{0,20}") {
            prop_assert_eq!(a == b, folder(&a) == folder(&b));
            let plain = |c: char| c.is_ascii_alphanumeric() || "._+-~".contains(c);
            prop_assert!(folder(&a).chars().all(plain));
        }
    }
}
