//! Looks at the colour profile of a PNG before the file is decoded.
//!
//! A profile is packed (chunk iCCP), and the decoders unpack it whole whether it is used or not: a
//! file of 2 MB can hold one of 2 GB.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::bufread::ZlibDecoder;

/// Largest profile, unpacked, bytes. Profiles of scanners have up to a few megabytes.
const PROFILE_BYTES: u64 = 16 << 20;

/// Refuses a PNG with a colour profile of more than 16 MiB. Files of other kinds pass.
///
/// # Errors
/// A clause for a message that names the file, or the system's error as such a clause.
pub(crate) fn check(file: &File) -> Result<(), String> {
    match profile_bytes(file) {
        Ok(bytes) if bytes > PROFILE_BYTES => Err(format!(
            "its colour profile unpacks to more than {} MB; expected one of a few megabytes, or none",
            PROFILE_BYTES / 1_000_000
        )),
        // What is cut short or damaged is told by the decoder.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        Err(error) => Err(format!("cannot read it: {error}")),
    }
}

/// Length of the unpacked profile, counted up to one byte more than is allowed; 0 without one.
///
/// Source: PNG (Third Edition), sections 5.3 and 11.3.2.3.
fn profile_bytes(mut file: &File) -> io::Result<u64> {
    file.rewind()?;
    let mut signature = [0; 8];
    file.read_exact(&mut signature)?;
    if signature != *b"\x89PNG\r\n\x1a\n" {
        return Ok(0);
    }
    loop {
        let mut head = [0; 8];
        file.read_exact(&mut head)?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        match &head[4..] {
            b"iCCP" => {
                let mut chunk = BufReader::new(file.take(length.into()));
                // Its name, a zero, and the method of packing.
                let mut name = Vec::new();
                io::BufRead::read_until(&mut chunk, 0, &mut name)?;
                chunk.read_exact(&mut [0])?;
                let unpacked = ZlibDecoder::new(chunk).take(PROFILE_BYTES + 1);
                let mut sink = Counted(0);
                // Where it is damaged, the decoder says so.
                drop(io::copy(&mut { unpacked }, &mut sink));
                return Ok(sink.0);
            }
            // A profile comes before the pixels.
            b"IDAT" | b"IEND" => return Ok(0),
            _ => file.seek(SeekFrom::Current(i64::from(length) + 4))?,
        };
    }
}

/// Counts bytes.
struct Counted(u64);

impl io::Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn png(profile: Option<Vec<u8>>) -> File {
        let mut info = png::Info::with_size(1, 1);
        info.icc_profile = profile.map(Into::into);
        let mut bytes = Vec::new();
        let mut writer = png::Encoder::with_info(&mut bytes, info).unwrap().write_header().unwrap();
        writer.write_image_data(&[7]).unwrap();
        drop(writer);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        file
    }

    #[test]
    fn a_profile_is_counted_and_no_more_of_it_than_is_needed() {
        assert_eq!(profile_bytes(&png(None)).unwrap(), 0);
        assert_eq!(profile_bytes(&png(Some(vec![3; 5000]))).unwrap(), 5000);
        check(&png(Some(vec![3; 5000]))).unwrap();
        let bomb = png(Some(vec![0; 64 << 20]));
        assert_eq!(profile_bytes(&bomb).unwrap(), PROFILE_BYTES + 1);
        assert!(check(&bomb).unwrap_err().contains("more than 16 MB"));
        for other in [&b""[..], b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n\0\0\0\rIH"] {
            let mut file = tempfile::tempfile().unwrap();
            file.write_all(other).unwrap();
            check(&file).unwrap();
        }
    }
}
