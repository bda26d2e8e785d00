//! Files and programs the tests use when they are there, and test pictures.

use std::path::PathBuf;

/// A file of the shared test data, when it is there.
pub(crate) fn shared_data(name: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("SLIDEGRID_SHARED_DATA").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    let path = folder.unwrap_or_else(beside).join(name);
    if path.exists() {
        return Some(path);
    }
    eprintln!("skipped: no {} (set SLIDEGRID_SHARED_DATA)", path.display());
    None
}

/// Whether OpenSlide can be used; without it a test has to say so.
pub(crate) fn have_openslide() -> bool {
    match slidegrid::slide::openslide_version() {
        Ok(_) => true,
        Err(error) => {
            let required = std::env::var_os("SLIDEGRID_REQUIRE_OPENSLIDE").is_some();
            assert!(!required, "OpenSlide is required here: {error}");
            eprintln!("skipped: {error}");
            false
        }
    }
}

/// Whether libturbojpeg can be used: the smallest slide it reads says so.
pub(crate) fn have_turbojpeg() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("probe.tif");
    let mut level = crate::slide::tiff::Level::new(noise(64, 64, 3), 64);
    level.jpeg = true;
    std::fs::write(&path, crate::slide::tiff::tiff(&[level], None)).unwrap();
    let reader = slidegrid::slide::open(&path).unwrap().reader();
    let found = reader.contains("libturbojpeg");
    if !found {
        let required = std::env::var_os("SLIDEGRID_REQUIRE_TURBOJPEG").is_some();
        assert!(!required, "libturbojpeg is required here, tiles are read by {reader}");
        eprintln!("skipped: no libturbojpeg (apt install libturbojpeg0)");
    }
    found
}

/// The Python to compare with, from SLIDEGRID_TEST_PYTHON.
pub(crate) fn python() -> Option<PathBuf> {
    let python = std::env::var_os("SLIDEGRID_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        let required = std::env::var_os("SLIDEGRID_REQUIRE_PYTHON").is_some();
        assert!(!required, "SLIDEGRID_REQUIRE_PYTHON is set, SLIDEGRID_TEST_PYTHON is not");
        eprintln!("skipped: SLIDEGRID_TEST_PYTHON does not name a Python with numpy and openslide");
    }
    python
}

/// A picture without regularity, u8 [row, col, channel].
pub(crate) fn noise(rows: usize, cols: usize, channels: usize) -> ndarray::Array3<u8> {
    ndarray::Array3::from_shape_fn((rows, cols, channels), |(row, col, channel)| {
        let mixed = (row * 7919 + col * 104_729 + channel * 1_299_709) as u64;
        let mixed = (mixed ^ (mixed >> 7)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed.to_be_bytes()[1]
    })
}
