//! Reads the resolution tags of plain TIFF and PNG files, without decoding the pixels.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use super::resolution::{ResolutionTags, ResolutionUnit};

/// XResolution, YResolution and ResolutionUnit of a TIFF's first directory; `None` when the
/// file has no such tags or is not a readable TIFF.
///
/// Source: TIFF 6.0, sections 2 and 8; BigTIFF as in libtiff.
pub(crate) fn tiff_tags(path: &Path) -> Option<ResolutionTags> {
    TiffReader::open(path).ok()?.resolution().ok()?
}

struct TiffReader {
    file: File,
    big_endian: bool,
    big_tiff: bool,
}

impl TiffReader {
    fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let mut head = [0; 4];
        file.read_exact(&mut head)?;
        let big_endian = match &head[..2] {
            b"II" => false,
            b"MM" => true,
            _ => return Err(io::ErrorKind::InvalidData.into()),
        };
        let version = if big_endian { head[3] } else { head[2] };
        Ok(Self { file, big_endian, big_tiff: version == 43 })
    }

    fn number(&mut self, bytes: usize) -> io::Result<u64> {
        let mut buffer = [0; 8];
        self.file.read_exact(&mut buffer[..bytes])?;
        if self.big_endian {
            buffer[..bytes].reverse();
        }
        Ok(u64::from_le_bytes(buffer))
    }

    fn resolution(&mut self) -> io::Result<Option<ResolutionTags>> {
        let (offset_bytes, count_bytes, entry_bytes) =
            if self.big_tiff { (8, 8, 20) } else { (4, 2, 12) };
        self.file.seek(SeekFrom::Start(if self.big_tiff { 8 } else { 4 }))?;
        let directory = self.number(offset_bytes)?;
        self.file.seek(SeekFrom::Start(directory))?;
        let entries = self.number(count_bytes)?.min(4096);
        let (mut x, mut y) = (None, None);
        // The default of TIFF 6.0 is inches.
        let mut unit = ResolutionUnit::Inch;
        for index in 0..entries {
            let at = directory + count_bytes as u64 + index * entry_bytes;
            self.file.seek(SeekFrom::Start(at))?;
            let tag = self.number(2)?;
            let value_at = at + if self.big_tiff { 12 } else { 8 };
            match tag {
                282 => x = Some(self.rational(value_at)?),
                283 => y = Some(self.rational(value_at)?),
                296 => unit = self.unit(value_at)?,
                _ => {}
            }
        }
        Ok(x.or(y).map(|any| ResolutionTags { x: x.unwrap_or(any), y: y.unwrap_or(any), unit }))
    }

    /// Reads a RATIONAL, which is inline in BigTIFF and behind an offset in classic TIFF.
    fn rational(&mut self, value_at: u64) -> io::Result<f64> {
        self.file.seek(SeekFrom::Start(value_at))?;
        if !self.big_tiff {
            let at = self.number(4)?;
            self.file.seek(SeekFrom::Start(at))?;
        }
        let (numerator, denominator) = (self.number(4)?, self.number(4)?);
        Ok(numerator as f64 / denominator as f64)
    }

    fn unit(&mut self, value_at: u64) -> io::Result<ResolutionUnit> {
        self.file.seek(SeekFrom::Start(value_at))?;
        Ok(match self.number(2)? {
            2 => ResolutionUnit::Inch,
            3 => ResolutionUnit::Centimeter,
            _ => ResolutionUnit::None,
        })
    }
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
