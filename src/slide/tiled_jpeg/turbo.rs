//! The C interface of libturbojpeg 1.3 to 3, bound at run time.

use std::env;
use std::ffi::{OsStr, OsString, c_int, c_uchar, c_ulong, c_void};
use std::path::{Path, PathBuf};
use std::ptr::NonNull;
use std::sync::OnceLock;

use libloading::Library;

/// Environment variable with the path of the library to use, or [`NONE`].
pub(super) const VARIABLE: &str = "SLIDEGRID_TURBOJPEG";

/// Value of [`VARIABLE`] with which no library is loaded and OpenSlide decodes everything.
const NONE: &str = "none";

#[cfg(target_os = "macos")]
const SONAMES: [&str; 2] = ["libturbojpeg.0.dylib", "libturbojpeg.dylib"];
#[cfg(not(target_os = "macos"))]
const SONAMES: [&str; 2] = ["libturbojpeg.so.0", "libturbojpeg.so"];

/// `TJPF_RGB`.
const RGB: c_int = 0;
/// `TJCS_YCbCr`.
const YCBCR: c_int = 1;
/// No flags, which means the accurate transform and smooth upsampling of libjpeg.
const AS_LIBJPEG: c_int = 0;

type Init = unsafe extern "C" fn() -> *mut c_void;
type Destroy = unsafe extern "C" fn(*mut c_void) -> c_int;
type ReadHeader = unsafe extern "C" fn(
    *mut c_void,
    *const c_uchar,
    c_ulong,
    *mut c_int,
    *mut c_int,
    *mut c_int,
    *mut c_int,
) -> c_int;
type Decompress = unsafe extern "C" fn(
    *mut c_void,
    *const c_uchar,
    c_ulong,
    *mut c_uchar,
    c_int,
    c_int,
    c_int,
    c_int,
    c_int,
) -> c_int;

/// The library, loaded once and never unloaded.
pub(super) struct TurboJpeg {
    init: Init,
    destroy: Destroy,
    header: ReadHeader,
    decompress: Decompress,
    // The library is held so that the functions stay valid.
    _library: Library,
}

/// The error that the library named by the user does not load.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    pub(super) reason: String,
}

/// The library, which is loaded at the first call; `None` if none is found or
/// [`VARIABLE`] is [`NONE`].
pub(super) fn library() -> Result<Option<&'static TurboJpeg>, Named> {
    static LIBRARY: OnceLock<Result<Option<TurboJpeg>, Named>> = OnceLock::new();
    let loaded = LIBRARY.get_or_init(|| find(env::var_os(VARIABLE), &environment_folders()));
    loaded.as_ref().map(Option::as_ref).map_err(Clone::clone)
}

/// Library folders of the active virtual and Conda environments.
fn environment_folders() -> Vec<PathBuf> {
    let prefixes = ["VIRTUAL_ENV", "CONDA_PREFIX"].into_iter().filter_map(env::var_os);
    prefixes.map(|prefix| Path::new(&prefix).join("lib")).collect()
}

fn find(named: Option<OsString>, folders: &[PathBuf]) -> Result<Option<TurboJpeg>, Named> {
    if let Some(named) = named.filter(|value| !value.is_empty()) {
        if named == NONE {
            return Ok(None);
        }
        let path = PathBuf::from(named);
        return match load(path.as_os_str()) {
            Ok(turbo) => Ok(Some(turbo)),
            Err(error) => Err(Named { path, reason: loader_message(&error) }),
        };
    }
    let system = SONAMES.iter().map(PathBuf::from);
    let in_folders = folders.iter().flat_map(|folder| SONAMES.map(|name| folder.join(name)));
    let mut candidates = system.chain(in_folders.filter(|path| path.is_file()));
    Ok(candidates.find_map(|path| load(path.as_os_str()).ok()))
}

fn load(name: &OsStr) -> Result<TurboJpeg, libloading::Error> {
    // SAFETY: the library's initialisers only set up their own state; the user or the
    // system's loader vouches for the library of this name.
    let library = unsafe { Library::new(name)? };
    // SAFETY: the signatures are those of turbojpeg.h, the same in versions 1.3
    // to 3; the library outlives the functions.
    unsafe {
        Ok(TurboJpeg {
            init: *library.get(b"tjInitDecompress\0")?,
            destroy: *library.get(b"tjDestroy\0")?,
            header: *library.get(b"tjDecompressHeader3\0")?,
            decompress: *library.get(b"tjDecompress2\0")?,
            _library: library,
        })
    }
}

/// The message of the system's loader, which `libloading` keeps as the error's source.
fn loader_message(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

impl TurboJpeg {
    /// A decoder for one thread at a time; `None` when there is not enough memory.
    pub(super) fn decoder(&'static self) -> Option<Decoder> {
        // SAFETY: no preconditions; returns NULL or an owned handle.
        let raw = NonNull::new(unsafe { (self.init)() })?;
        Some(Decoder { turbo: self, raw })
    }
}

/// A JPEG decoder.
pub(super) struct Decoder {
    turbo: &'static TurboJpeg,
    raw: NonNull<c_void>,
}

impl Decoder {
    /// Decodes a YCbCr stream of exactly `width_px` x `height_px` into `out`, RGB in lines
    /// of `line_bytes`. `None` for a stream of another kind or size, and for each stream
    /// for which the library reports an error or a warning; `out` is then undefined.
    pub(super) fn decode(
        &mut self,
        jpeg: &[u8],
        [width_px, height_px]: [u32; 2],
        out: &mut [u8],
        line_bytes: usize,
    ) -> Option<()> {
        let rows = usize::try_from(height_px).ok()?;
        let line = 3 * usize::try_from(width_px).ok()?;
        let needed = rows.checked_sub(1)?.checked_mul(line_bytes)?.checked_add(line)?;
        assert!(out.len() >= needed && line_bytes >= line);
        let [width, height] = [width_px, height_px].map(c_int::try_from);
        let (width, height) = (width.ok()?, height.ok()?);
        let pitch = c_int::try_from(line_bytes).ok()?;
        let size = c_ulong::try_from(jpeg.len()).ok()?;
        let [mut found_width, mut found_height, mut sampling, mut space] = [-1; 4];
        // SAFETY: the handle is open and used by this thread only; `jpeg` holds
        // `size` bytes; the four pointers are valid for one write each.
        let status = unsafe {
            (self.turbo.header)(
                self.raw.as_ptr(),
                jpeg.as_ptr(),
                size,
                &raw mut found_width,
                &raw mut found_height,
                &raw mut sampling,
                &raw mut space,
            )
        };
        if status != 0 || [found_width, found_height, space] != [width, height, YCBCR] {
            return None;
        }
        // SAFETY: as above; `out` holds `height` lines of `pitch` bytes, the
        // last of 3 * `width` at least, and the stream has just that size.
        let status = unsafe {
            (self.turbo.decompress)(
                self.raw.as_ptr(),
                jpeg.as_ptr(),
                size,
                out.as_mut_ptr(),
                width,
                pitch,
                height,
                RGB,
                AS_LIBJPEG,
            )
        };
        (status == 0).then_some(())
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle is open and not used again.
        unsafe {
            (self.turbo.destroy)(self.raw.as_ptr());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_library_that_does_not_load_is_an_error() {
        let error = find(Some("/nowhere/libturbojpeg.so.0".into()), &[]).err().unwrap();
        assert_eq!(error.path, Path::new("/nowhere/libturbojpeg.so.0"));
        assert!(!error.reason.is_empty());
    }

    #[test]
    fn with_the_value_none_no_library_is_loaded() {
        assert!(find(Some(NONE.into()), &[]).unwrap().is_none());
    }

    #[test]
    #[ignore = "needs libturbojpeg (libturbojpeg0), and is run by scripts/test"]
    fn streams_of_another_size_and_damaged_streams_are_refused() {
        let turbo = library().unwrap().unwrap();
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        encoder.encode(&[128; 3 * 16 * 8], 16, 8, jpeg_encoder::ColorType::Rgb).unwrap();
        let mut decoder = turbo.decoder().unwrap();
        let mut out = [7; 3 * 20 * 8];
        assert!(decoder.decode(&jpeg, [16, 8], &mut out, 60).is_some());
        assert!(out[..48].iter().all(|v| v.abs_diff(128) < 3) && out[48..60] == [7; 12]);
        assert!(decoder.decode(&jpeg, [8, 16], &mut [0; 384], 24).is_none());
        assert!(decoder.decode(&jpeg[..jpeg.len() / 2], [16, 8], &mut out, 60).is_none());
        assert!(decoder.decode(&[], [16, 8], &mut out, 60).is_none());
    }
}
