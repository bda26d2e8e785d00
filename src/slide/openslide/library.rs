//! The C interface of OpenSlide 3.4 and 4, bound at run time.

use std::ffi::{CStr, CString, c_char, c_double, c_int, c_void};
use std::ptr::NonNull;
use std::sync::OnceLock;

use libloading::{Library, Symbol};

use super::find::{self, OpenSlideMissing};
use crate::slide::icc::PROFILE_BYTES;

/// The opaque C type `openslide_t`.
#[repr(C)]
pub(super) struct RawSlide {
    _private: [u8; 0],
}

macro_rules! functions {
    ($($(#[$doc:meta])* $name:ident = $symbol:literal : fn($($arg:ty),*) $(-> $ret:ty)?;)*) => {
        /// The functions in use. The library that they come from is never unloaded.
        struct Functions {
            $($(#[$doc])* $name: unsafe extern "C" fn($($arg),*) $(-> $ret)?,)*
            icc_profile_size: Option<unsafe extern "C" fn(*mut RawSlide) -> i64>,
            read_icc_profile: Option<unsafe extern "C" fn(*mut RawSlide, *mut c_void)>,
        }

        impl Functions {
            fn bind(library: &Library) -> Result<Self, libloading::Error> {
                Ok(Self {
                    // SAFETY: the signatures are those of openslide.h, the same in
                    // 3.4.1 and 4.0; the library outlives the functions.
                    $($name: unsafe { *library.get($symbol)? },)*
                    // SAFETY: as above; the function does not exist before 4.0.
                    icc_profile_size: unsafe {
                        optional(library.get(b"openslide_get_icc_profile_size\0"))
                    },
                    // SAFETY: as above.
                    read_icc_profile: unsafe {
                        optional(library.get(b"openslide_read_icc_profile\0"))
                    },
                })
            }
        }
    };
}

functions! {
    version = b"openslide_get_version\0": fn() -> *const c_char;
    detect_vendor = b"openslide_detect_vendor\0": fn(*const c_char) -> *const c_char;
    open = b"openslide_open\0": fn(*const c_char) -> *mut RawSlide;
    close = b"openslide_close\0": fn(*mut RawSlide);
    error = b"openslide_get_error\0": fn(*mut RawSlide) -> *const c_char;
    level_count = b"openslide_get_level_count\0": fn(*mut RawSlide) -> i32;
    level_dimensions = b"openslide_get_level_dimensions\0": fn(*mut RawSlide, i32, *mut i64, *mut i64);
    level_downsample = b"openslide_get_level_downsample\0": fn(*mut RawSlide, i32) -> c_double;
    property = b"openslide_get_property_value\0": fn(*mut RawSlide, *const c_char) -> *const c_char;
    read_region = b"openslide_read_region\0": fn(*mut RawSlide, *mut u32, i64, i64, i32, i64, i64);
}

fn optional<T: Copy>(symbol: Result<Symbol<'_, T>, libloading::Error>) -> Option<T> {
    symbol.ok().map(|symbol| *symbol)
}

/// The OpenSlide library.
pub(super) struct OpenSlide {
    functions: Functions,
    // The library is held so that the functions stay valid.
    _library: Library,
}

/// The library, which is loaded at the first call.
pub(super) fn library() -> Result<&'static OpenSlide, OpenSlideMissing> {
    static LIBRARY: OnceLock<Result<OpenSlide, OpenSlideMissing>> = OnceLock::new();
    let loaded = LIBRARY.get_or_init(|| {
        let (library, name) = find::load()?;
        let functions = Functions::bind(&library).map_err(|error| OpenSlideMissing::Unusable {
            library: name,
            reason: error.to_string(),
        })?;
        silence_libtiff(&library);
        Ok(OpenSlide { functions, _library: library })
    });
    loaded.as_ref().map_err(Clone::clone)
}

/// Switches off the messages that libtiff prints on stderr, several lines per damaged
/// tile. OpenSlide returns the same problems as errors.
fn silence_libtiff(library: &Library) {
    type SetHandler = unsafe extern "C" fn(*const c_void) -> *const c_void;
    for name in [&b"TIFFSetErrorHandler\0"[..], b"TIFFSetWarningHandler\0"] {
        // SAFETY: the signature is that of tiffio.h; the symbol is also searched for in
        // the library's dependencies. Without a handler libtiff prints nothing.
        unsafe {
            if let Ok(set) = library.get::<SetHandler>(name) {
                set(std::ptr::null());
            }
        }
    }
}

impl OpenSlide {
    /// The version, such as "4.0.1".
    pub(super) fn version(&self) -> String {
        // SAFETY: the function returns a static C string.
        unsafe { text((self.functions.version)()) }.unwrap_or_else(|| "?".to_owned())
    }

    /// The vendor of the file's format; `None` if OpenSlide does not know the format.
    pub(super) fn detect_vendor(&self, path: &CString) -> Option<String> {
        // SAFETY: `path` is a C string; returns NULL or a static C string.
        unsafe { text((self.functions.detect_vendor)(path.as_ptr())) }
    }

    /// Opens a slide. `Ok(None)` means that OpenSlide does not recognise the file, and an
    /// error is OpenSlide's message.
    pub(super) fn open(&'static self, path: &CString) -> Result<Option<Handle>, String> {
        // SAFETY: `path` is a C string; returns NULL or an owned handle.
        let raw = NonNull::new(unsafe { (self.functions.open)(path.as_ptr()) });
        let Some(raw) = raw else { return Ok(None) };
        let handle = Handle { openslide: self, raw };
        match handle.error() {
            Some(error) => Err(error),
            None => Ok(Some(handle)),
        }
    }
}

/// An open slide. After the first error the handle stays unusable: OpenSlide keeps the
/// error and reads nothing more.
pub(super) struct Handle {
    openslide: &'static OpenSlide,
    raw: NonNull<RawSlide>,
}

// SAFETY: "openslide_t objects are thread-safe" (openslide.h); the handle is
// closed once, by its only owner.
unsafe impl Send for Handle {}
// SAFETY: as above.
unsafe impl Sync for Handle {}

impl Handle {
    fn functions(&self) -> &Functions {
        &self.openslide.functions
    }

    /// The error that made the handle unusable, if there was one.
    pub(super) fn error(&self) -> Option<String> {
        // SAFETY: the handle is open; returns NULL or a C string it owns.
        unsafe { text((self.functions().error)(self.raw.as_ptr())) }
    }

    pub(super) fn level_count(&self) -> i32 {
        // SAFETY: the handle is open.
        unsafe { (self.functions().level_count)(self.raw.as_ptr()) }
    }

    /// Width and height of a level, px; -1 after an error.
    pub(super) fn level_dimensions(&self, level: i32) -> [i64; 2] {
        let [mut width, mut height] = [-1; 2];
        // SAFETY: the handle is open, both pointers are valid for one write.
        unsafe {
            (self.functions().level_dimensions)(self.raw.as_ptr(), level, &mut width, &mut height);
        }
        [width, height]
    }

    pub(super) fn level_downsample(&self, level: i32) -> f64 {
        // SAFETY: the handle is open.
        unsafe { (self.functions().level_downsample)(self.raw.as_ptr(), level) }
    }

    pub(super) fn property(&self, name: &CStr) -> Option<String> {
        // SAFETY: the handle is open, `name` is a C string; returns NULL or a
        // C string that the handle owns.
        unsafe { text((self.functions().property)(self.raw.as_ptr(), name.as_ptr())) }
    }

    /// Reads `width` x `height` px of a level as premultiplied ARGB. (x, y) is the top left
    /// corner in level-0 px. The caller must check [`Handle::error`] afterwards.
    pub(super) fn read_region(
        &self,
        argb: &mut [u32],
        [x, y]: [i64; 2],
        level: c_int,
        [width, height]: [u32; 2],
    ) {
        assert!(argb.len() as u64 >= u64::from(width) * u64::from(height));
        let (width, height) = (i64::from(width), i64::from(height));
        // SAFETY: the handle is open and `argb` holds the whole region.
        unsafe {
            let read = self.functions().read_region;
            read(self.raw.as_ptr(), argb.as_mut_ptr(), x, y, level, width, height);
        }
    }

    pub(super) fn icc_profile(&self) -> Option<Vec<u8>> {
        let size_of = self.functions().icc_profile_size?;
        let read = self.functions().read_icc_profile?;
        // SAFETY: the handle is open.
        let size = usize::try_from(unsafe { size_of(self.raw.as_ptr()) }).ok()?;
        // What is larger is not used, whatever it holds.
        let mut profile = vec![0; size.min(PROFILE_BYTES + 1)];
        if (1..=PROFILE_BYTES).contains(&size) {
            // SAFETY: the handle is open and the buffer has the size it stated.
            unsafe { read(self.raw.as_ptr(), profile.as_mut_ptr().cast()) };
        }
        (size > 0 && self.error().is_none()).then_some(profile)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is open and not used again.
        unsafe { (self.functions().close)(self.raw.as_ptr()) }
    }
}

/// # Safety
/// `pointer` must be NULL or a C string valid during the call.
unsafe fn text(pointer: *const c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    // SAFETY: not NULL, and a C string as the caller promises.
    Some(unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned())
}
