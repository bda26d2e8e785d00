//! Reads text files as other programs write them: with a byte order mark, in the encoding that
//! an XML file declares, with semicolons for commas.

use std::path::Path;

use encoding_rs::{Encoding, UTF_8};

use crate::regular_file;

/// Reads a text file.
///
/// The encoding is that of the byte order mark, else the one that an XML declaration names, else
/// UTF-8. The mark is removed.
///
/// # Errors
/// The system's error, or one of kind `InvalidData` that names the encoding.
pub(crate) fn read_text(path: &Path) -> std::io::Result<String> {
    let bytes = regular_file::read(path, regular_file::TEXT_BYTES)?;
    decode_owned(bytes)
        .map_err(|problem| std::io::Error::new(std::io::ErrorKind::InvalidData, problem))
}

/// Decodes a text; the error says what was expected. UTF-8 without a mark is not copied.
pub(crate) fn decode_owned(bytes: Vec<u8>) -> Result<String, String> {
    let is_plain = Encoding::for_bom(&bytes).is_none() && declared(&bytes)? == UTF_8;
    match is_plain {
        true => String::from_utf8(bytes).map_err(|_| not_encoded(UTF_8)),
        false => decode(&bytes),
    }
}

fn not_encoded(encoding: &'static Encoding) -> String {
    format!("it is not {}; save it as UTF-8", encoding.name())
}

fn decode(bytes: &[u8]) -> Result<String, String> {
    let (encoding, mark_bytes) = match Encoding::for_bom(bytes) {
        Some(found) => found,
        None => (declared(bytes)?, 0),
    };
    let (text, has_errors) = encoding.decode_without_bom_handling(&bytes[mark_bytes..]);
    if has_errors {
        return Err(not_encoded(encoding));
    }
    Ok(text.into_owned())
}

/// The encoding that an XML declaration names; UTF-8 without one.
fn declared(bytes: &[u8]) -> Result<&'static Encoding, String> {
    // UTF-16 without a mark: every second byte of the declaration is zero.
    if bytes.starts_with(b"<\0?\0") {
        return Ok(encoding_rs::UTF_16LE);
    }
    if bytes.starts_with(b"\0<\0?") {
        return Ok(encoding_rs::UTF_16BE);
    }
    if !bytes.starts_with(b"<?xml") {
        return Ok(UTF_8);
    }
    let end = bytes.iter().position(|&byte| byte == b'>').unwrap_or(bytes.len());
    let declaration = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let Some((_, value)) = declaration.split_once("encoding") else { return Ok(UTF_8) };
    let value = value.trim_start().trim_start_matches('=').trim_start();
    let label = value.get(1..).and_then(|rest| rest.split(['"', '\'']).next()).unwrap_or_default();
    Encoding::for_label(label.as_bytes())
        .ok_or_else(|| format!("its encoding {label:?} is unknown; save it as UTF-8"))
}

/// The character that separates the cells of a table: the first of tab, semicolon and comma that
/// its first line has.
pub(crate) fn delimiter(text: &str) -> u8 {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let delimiters = *b"\t;,";
    delimiters.into_iter().find(|delimiter| line.as_bytes().contains(delimiter)).unwrap_or(b',')
}

/// A number of a table, whose decimal comma counts where cells are separated by something else.
pub(crate) fn number(cell: &str, delimiter: u8) -> Option<f64> {
    let value = match delimiter {
        b',' => cell.trim().parse(),
        _ => cell.trim().replace(',', ".").parse(),
    };
    value.ok().filter(|value: &f64| value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_every_encoding_are_the_same() {
        let text = "<?xml version=\"1.0\" encoding=\"utf-8\"?><a n=\"Stra\u{df}e\"/>";
        let utf16 = |big: bool, mark: bool| {
            let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
            let mark = mark.then_some(0xFEFF);
            mark.into_iter().chain(text.encode_utf16()).flat_map(unit).collect::<Vec<u8>>()
        };
        let mut marked = b"\xef\xbb\xbf".to_vec();
        marked.extend(text.as_bytes());
        for bytes in
            [marked, utf16(false, true), utf16(true, true), utf16(false, false), utf16(true, false)]
        {
            assert_eq!(decode(&bytes).unwrap(), text);
            assert_eq!(decode_owned(bytes).unwrap(), text);
        }
        let latin = text.replace("utf-8", "ISO-8859-1");
        let bytes: Vec<u8> = latin.chars().map(|c| u8::try_from(c).unwrap()).collect();
        assert_eq!(decode(&bytes).unwrap(), latin);
    }

    #[test]
    fn other_bytes_are_refused_by_the_encodings_name() {
        assert!(decode(b"Stra\xdfe").unwrap_err().contains("UTF-8"));
        let unknown = decode(b"<?xml encoding='klingon'?>").unwrap_err();
        assert!(unknown.contains("klingon"), "{unknown}");
    }

    #[test]
    fn tables_of_semicolons_may_have_decimal_commas() {
        assert_eq!(delimiter("a;b\n1,5;2"), b';');
        assert_eq!(delimiter("\na,b"), b',');
        assert_eq!(delimiter("a\tb;c"), b'\t');
        assert_eq!(
            (number("1,5", b';'), number("1.5", b';'), number("1,5", b',')),
            (Some(1.5), Some(1.5), None)
        );
    }
}
