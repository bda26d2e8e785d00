//! How much of a file the kernel holds in memory, and how much disk space and memory is free.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;

/// Asks the kernel to drop a file's pages from memory. Returns the share of the file, 0 to
/// 1, that is in memory nevertheless; the caches of disks, hosts of virtual machines and
/// file servers are not seen.
///
/// # Errors
/// When the file cannot be synced, dropped or looked at.
pub(crate) fn drop_file(path: &Path) -> io::Result<f64> {
    let file = File::open(path)?;
    // Pages that are not on disk yet are not dropped.
    file.sync_all()?;
    // SAFETY: the descriptor is open; the call touches no memory of ours.
    match unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) } {
        0 => cached_share(&file),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Share of a file's pages that are in memory.
fn cached_share(file: &File) -> io::Result<f64> {
    let length = usize::try_from(file.metadata()?.len()).map_err(io::Error::other)?;
    if length == 0 {
        return Ok(0.0);
    }
    // SAFETY: the call returns a constant of the system.
    let page = usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096);
    let mut pages = vec![0u8; length.div_ceil(page)];
    // SAFETY: this is a new mapping of an open file, at an address that the kernel chooses.
    let map = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            0,
        )
    };
    if map == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the range is the mapping's; `pages` has a byte for each of its pages.
    // The mapping is never read and is given back once.
    let answer = unsafe {
        let answer = libc::mincore(map, length, pages.as_mut_ptr());
        libc::munmap(map, length);
        answer
    };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    let held = pages.iter().filter(|&&page| page & 1 == 1).count();
    Ok(held as f64 / pages.len() as f64)
}

/// Bytes that this user may still write to the file system of `folder`.
///
/// # Errors
/// When the system does not say.
pub(crate) fn free_bytes(folder: &Path) -> io::Result<u64> {
    let name = std::ffi::CString::new(folder.as_os_str().as_encoded_bytes())?;
    // SAFETY: all-zero is a valid statvfs; the name is NUL-terminated; the call
    // writes to the struct alone.
    let (answer, found) = unsafe {
        let mut found: libc::statvfs = std::mem::zeroed();
        (libc::statvfs(name.as_ptr(), &raw mut found), found)
    };
    if answer != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(found.f_bavail * found.f_frsize)
}

/// Bytes of memory that are available without swapping; `None` if `/proc` does not say.
#[must_use]
pub(crate) fn available_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_in_memory_are_counted() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), vec![7; 1 << 20]).unwrap();
        // Just written and read: all of it is in memory.
        std::fs::read(file.path()).unwrap();
        let before = cached_share(file.as_file()).unwrap();
        assert!(before > 0.99, "{before}");
        let after = drop_file(file.path()).unwrap();
        assert!((0.0..=before).contains(&after), "{after} of {before}");
        assert_eq!(std::fs::read(file.path()).unwrap(), vec![7; 1 << 20]);
    }

    #[test]
    fn space_and_memory_are_plausible() {
        assert!(free_bytes(&std::env::temp_dir()).unwrap() > 1 << 20);
        assert!(free_bytes(Path::new("/no such folder")).is_err());
        assert!(available_memory_bytes().is_none_or(|bytes| bytes > 1 << 20));
    }
}
