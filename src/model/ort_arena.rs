//! The memory of onnxruntime for the maps of dense runs: an arena of one region.
//!
//! onnxruntime's own arena grows by regions, each twice as large as the last, and maps of
//! hundreds of megabytes leave holes in all of them: GoogLeNet on images of 2,832 px took
//! 1,288 MB, of which its maps need 640 MB. With one region that holds all maps the run
//! takes 858 MB, in the same time (onnxruntime 1.31.1).

use std::ptr;

use ort::AsPointer;
use ort::environment::Environment;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};

/// The strategy by which an arena grows only by the bytes requested: `kSameAsRequested` in
/// onnxruntime.
const AS_REQUESTED: i32 = 1;

/// Gives the environment an arena of one region of `bytes`, for sessions that are built
/// with `with_env_allocators`. The region is taken from the system when first used, and
/// becomes resident as it is written.
pub(super) fn register(environment: &Environment, bytes: i32) -> ort::Result<()> {
    let memory =
        MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let mut settings = ptr::null_mut();
    // SAFETY: 0 and -1 stand for onnxruntime's defaults; `settings` is a live variable.
    let made =
        unsafe { (ort::api().CreateArenaCfg)(0, AS_REQUESTED, bytes, -1, &raw mut settings) };
    // SAFETY: the status comes from the call above and is consumed once.
    unsafe { ort::Error::result_from_status(made) }?;
    let environment = environment.ptr().cast_mut();
    // SAFETY: all three pointers are to live objects of this library, which copies the
    // settings and locks the environment.
    let registered =
        unsafe { (ort::api().CreateAndRegisterAllocator)(environment, memory.ptr(), settings) };
    // SAFETY: `settings` was made above and is not used any more.
    unsafe { (ort::api().ReleaseArenaCfg)(settings) };
    // SAFETY: the status comes from the call above and is consumed once.
    unsafe { ort::Error::result_from_status(registered) }
}
