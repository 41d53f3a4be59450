//! FSCTL_DUPLICATE_EXTENTS_TO_FILE (ReFS, Dev Drive), and the errors by which a volume says that it has no links.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::mem::size_of;
use std::os::windows::io::AsRawHandle;
use std::ptr::{null, null_mut};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_INVALID_FUNCTION, ERROR_NOT_SAME_DEVICE, ERROR_NOT_SUPPORTED,
    ERROR_TOO_MANY_LINKS,
};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::{
    DUPLICATE_EXTENTS_DATA, FSCTL_DUPLICATE_EXTENTS_TO_FILE, FSCTL_SET_SPARSE,
};

use crate::wide::check;

/// ReFS clones whole clusters, of 4 or 64 KiB; the larger one is right for both.
const CLUSTER: u64 = 64 * 1024;
/// One call moves less than 4 GiB.
const MOST_PER_CALL: u64 = 1 << 30;

pub(super) fn reflink(source: &File, dest: &File) -> io::Result<bool> {
    let size = source.metadata()?.len();
    if size == 0 {
        return Ok(true);
    }
    let outcome = duplicate(source, dest, size);
    if outcome.is_err() {
        dest.set_len(0)?;
    }
    match outcome {
        Ok(()) => Ok(true),
        // Volumes without block sharing, two volumes, or clusters that do not fit: copy instead. A real error of the disk
        // will come again while copying.
        Err(_) => Ok(false),
    }
}

fn duplicate(source: &File, dest: &File, size: u64) -> io::Result<()> {
    control(dest, FSCTL_SET_SPARSE, null(), 0)?;
    dest.set_len(size)?;
    let end = size.next_multiple_of(CLUSTER);
    let mut at = 0;
    while at < end {
        let len = MOST_PER_CALL.min(end - at);
        let signed =
            |value: u64| i64::try_from(value).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput));
        let request = DUPLICATE_EXTENTS_DATA {
            FileHandle: source.as_raw_handle(),
            SourceFileOffset: signed(at)?,
            TargetFileOffset: signed(at)?,
            ByteCount: signed(len)?,
        };
        let len_of_request = u32::try_from(size_of::<DUPLICATE_EXTENTS_DATA>()).unwrap_or(0);
        control(dest, FSCTL_DUPLICATE_EXTENTS_TO_FILE, (&raw const request).cast(), len_of_request)?;
        at += len;
    }
    Ok(())
}

fn control(file: &File, code: u32, input: *const core::ffi::c_void, input_len: u32) -> io::Result<()> {
    let mut returned = 0;
    // SAFETY: the handle is open while `file` is borrowed; `input` is null with length 0, or points to a request of that
    // length that outlives the call; there is no output buffer and no overlapped operation.
    check(unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            code,
            input,
            input_len,
            null_mut(),
            0,
            &mut returned,
            null_mut(),
        )
    })
}

pub(super) fn no_link_here(error: &io::Error) -> bool {
    let code = error.raw_os_error().and_then(|code| u32::try_from(code).ok());
    matches!(
        code,
        Some(
            ERROR_NOT_SAME_DEVICE
                | ERROR_NOT_SUPPORTED
                | ERROR_INVALID_FUNCTION
                | ERROR_TOO_MANY_LINKS
                | ERROR_ACCESS_DENIED
        )
    )
}
