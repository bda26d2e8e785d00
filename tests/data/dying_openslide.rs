//! A library with the interface of OpenSlide that dies, or does not return, when it opens a slide
//! with the name of a way to die. It knows no other slide. tests/it/one_slide compiles it.

use std::ffi::{CStr, c_char, c_double, c_int, c_void};
use std::ptr;
use std::time::Duration;

unsafe extern "C" {
    fn abort() -> !;
    fn raise(signal: c_int) -> c_int;
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_version() -> *const c_char {
    c"4.9.9".as_ptr()
}

fn overflow(depth: u64) -> u64 {
    let block = std::hint::black_box([depth; 512]);
    if depth == u64::MAX { 0 } else { overflow(depth + 1) + block[7] }
}

/// # Safety
/// `path` is a C string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn openslide_detect_vendor(path: *const c_char) -> *const c_char {
    let path = unsafe { CStr::from_ptr(path) }.to_string_lossy().into_owned();
    let name = path.rsplit('/').next().unwrap();
    match name.split('.').next().unwrap().split('_').nth(1).unwrap_or_default() {
        "abort" => unsafe { abort() },
        "trap" => drop(unsafe { raise(5) }),
        "segfault" => unsafe { ptr::null_mut::<u8>().wrapping_add(64).write_volatile(1) },
        "stack" => drop(std::hint::black_box(overflow(1))),
        "busy" => loop {
            std::hint::spin_loop();
        },
        "waiting" => std::thread::sleep(Duration::from_secs(3600)),
        "once" => {
            // The first call leaves a file beside the slide.
            let called = format!("{path}.called");
            if std::fs::metadata(&called).is_err() {
                std::fs::write(&called, "").unwrap();
                unsafe { abort() }
            }
        }
        _ => {}
    }
    ptr::null()
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_open(_path: *const c_char) -> *mut c_void {
    ptr::null_mut()
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_close(_slide: *mut c_void) {}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_error(_slide: *mut c_void) -> *const c_char {
    ptr::null()
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_level_count(_slide: *mut c_void) -> i32 {
    0
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_level_dimensions(_: *mut c_void, _: i32, _: *mut i64, _: *mut i64) {}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_level_downsample(_: *mut c_void, _: i32) -> c_double {
    1.0
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_get_property_value(_: *mut c_void, _: *const c_char) -> *const c_char {
    ptr::null()
}

#[unsafe(no_mangle)]
pub extern "C" fn openslide_read_region(_: *mut c_void, _: *mut u32, _: i64, _: i64, _: i32, _: i64, _: i64) {}
