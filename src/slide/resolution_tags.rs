//! Reads the resolution tags of plain TIFF, PNG and JPEG files, without decoding the pixels.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::resolution::{ResolutionTags, ResolutionUnit};
use super::tiff_file::{RESOLUTION_UNIT, Tiff, TiffTag, X_RESOLUTION, Y_RESOLUTION};

/// XResolution, YResolution and ResolutionUnit of a directory; `None` when it has no such tags.
///
/// Source: TIFF 6.0, sections 2 and 8; BigTIFF as in libtiff.
pub(super) fn tiff_tags(
    tiff: &Tiff<'_>,
    entries: &[TiffTag],
) -> io::Result<Option<ResolutionTags>> {
    let [x, y] = [X_RESOLUTION, Y_RESOLUTION].map(|tag| tiff.rational(entries, tag));
    let (x, y) = (x?, y?);
    let unit = match tiff.numbers(entries, RESOLUTION_UNIT)?.first() {
        // The default of TIFF 6.0 is inches.
        None | Some(2) => ResolutionUnit::Inch,
        Some(3) => ResolutionUnit::Centimeter,
        Some(_) => ResolutionUnit::None,
    };
    Ok(x.or(y).map(|any| ResolutionTags { x: x.unwrap_or(any), y: y.unwrap_or(any), unit }))
}

/// The pHYs chunk of a PNG, as pixels per centimetre; `None` when the file has no such chunk
/// or its unit is unknown.
///
/// Source: PNG (Third Edition), section 11.3.4.3.
pub(crate) fn png_tags(path: &Path) -> Option<ResolutionTags> {
    let mut file = File::open(path).ok()?;
    file.seek(SeekFrom::Start(8)).ok()?;
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        match &head[4..] {
            b"pHYs" => {
                let mut body = [0; 9];
                file.read_exact(&mut body).ok()?;
                let per_metre =
                    |at| f64::from(u32::from_be_bytes([0, 1, 2, 3].map(|i: usize| body[at + i])));
                let unit = (body[8] == 1).then_some(ResolutionUnit::Centimeter)?;
                return Some(ResolutionTags {
                    x: per_metre(0) / 100.0,
                    y: per_metre(4) / 100.0,
                    unit,
                });
            }
            // A pHYs chunk must come before the pixels.
            b"IDAT" | b"IEND" => return None,
            _ => file.seek(SeekFrom::Current(i64::from(length) + 4)).ok()?,
        };
    }
}

/// The density of a JPEG's JFIF header; `None` when the file has no such header.
///
/// Source: JFIF 1.02, section "JPEG File Interchange Format Specification".
pub(crate) fn jfif_tags(path: &Path) -> Option<ResolutionTags> {
    // SOI, APP0 with its length, the identifier, two bytes of version, unit and densities.
    let mut head = [0; 18];
    File::open(path).ok()?.read_exact(&mut head).ok()?;
    if head[..4] != [0xFF, 0xD8, 0xFF, 0xE0] || &head[6..11] != b"JFIF\0" {
        return None;
    }
    let unit = match head[13] {
        1 => ResolutionUnit::Inch,
        2 => ResolutionUnit::Centimeter,
        // Densities without a unit state the shape of a pixel.
        _ => return None,
    };
    let density = |at: usize| f64::from(u16::from_be_bytes([head[at], head[at + 1]]));
    Some(ResolutionTags { x: density(14), y: density(16), unit })
}
