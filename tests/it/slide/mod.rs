//! Slides: readers, working plane, thumbnails.
//!
//! Real slides are used when SLIDEGRID_SHARED_DATA names the folder of the
//! shared test data (or ../shared/data exists), openslide-python when
//! SLIDEGRID_TEST_PYTHON names a Python that has it. What is absent is said on
//! stderr; SLIDEGRID_REQUIRE_OPENSLIDE=1 and SLIDEGRID_REQUIRE_PYTHON=1 make
//! absence a failure, and so does SLIDEGRID_REQUIRE_TURBOJPEG=1.

mod contract;
mod plane;
mod readers;
mod support;
mod tiff;
mod tiled_jpeg;
