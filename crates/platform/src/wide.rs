//! Paths and handles in the form that Win32 calls take.
#![allow(unsafe_code)]

use std::io;
use std::os::windows::ffi::OsStrExt;
use std::path::Path;

use windows_sys::Win32::Foundation::{CloseHandle, HANDLE};

/// A path as a NUL-terminated UTF-16 string; a NUL inside it is refused, for it would cut the path short.
pub(crate) fn wide(path: &Path) -> io::Result<Vec<u16>> {
    let mut units: Vec<u16> = path.as_os_str().encode_wide().collect();
    if units.contains(&0) {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path contains a NUL"));
    }
    units.push(0);
    Ok(units)
}

/// The result of a call that says FALSE on failure.
pub(crate) fn check(outcome: windows_sys::core::BOOL) -> io::Result<()> {
    if outcome == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// A handle that closes itself.
pub(crate) struct Owned(pub(crate) HANDLE);

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the handle was given to this value alone by the call that opened it, and is closed once.
        unsafe { CloseHandle(self.0) };
    }
}
