//! GetFileInformationByHandle, and the owner in the security descriptor.
#![allow(unsafe_code)]

use std::fs::{File, OpenOptions};
use std::io;
use std::mem::size_of;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::AsRawHandle;
use std::path::Path;
use std::ptr::null_mut;

use windows_sys::Win32::Foundation::LocalFree;
use windows_sys::Win32::Security::Authorization::{GetSecurityInfo, SE_FILE_OBJECT};
use windows_sys::Win32::Security::{EqualSid, OWNER_SECURITY_INFORMATION, PSECURITY_DESCRIPTOR, PSID};
use windows_sys::Win32::Storage::FileSystem::{
    BY_HANDLE_FILE_INFORMATION, FILE_BASIC_INFO, FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT,
    FileBasicInfo, GetFileInformationByHandle, GetFileInformationByHandleEx,
};

use super::FileStamp;
use crate::peer::TokenUser;
use crate::wide::check;

/// Windows counts 100 ns steps from 1601; this many lie before 1970.
const STEPS_BEFORE_1970: i64 = 116_444_736_000_000_000;

pub(super) fn stamp(file: &File) -> io::Result<FileStamp> {
    let mut by_handle = BY_HANDLE_FILE_INFORMATION::default();
    // SAFETY: the handle is open while `file` is borrowed, and the structure is of the type that the call fills.
    check(unsafe { GetFileInformationByHandle(file.as_raw_handle(), &mut by_handle) })?;
    let mut basic = FILE_BASIC_INFO::default();
    let len = u32::try_from(size_of::<FILE_BASIC_INFO>()).unwrap_or(0);
    // SAFETY: as above; `FileBasicInfo` asks for this structure and `len` is its size.
    check(unsafe {
        GetFileInformationByHandleEx(file.as_raw_handle(), FileBasicInfo, (&raw mut basic).cast(), len)
    })?;
    let join = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
    Ok(FileStamp {
        volume: by_handle.dwVolumeSerialNumber.into(),
        file: join(by_handle.nFileIndexHigh, by_handle.nFileIndexLow),
        size: join(by_handle.nFileSizeHigh, by_handle.nFileSizeLow),
        modified_ns: nanos(basic.LastWriteTime),
        changed_ns: nanos(basic.ChangeTime),
        links: by_handle.nNumberOfLinks.into(),
    })
}

pub(super) fn stamp_of_path(path: &Path) -> io::Result<FileStamp> {
    let file = OpenOptions::new()
        .access_mode(0) // attributes only
        .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
        .open(path)?;
    stamp(&file)
}

/// READ_CONTROL: the right to see the owner.
const READ_CONTROL: u32 = 0x0002_0000;

pub(super) fn open_dir(path: &Path) -> io::Result<File> {
    OpenOptions::new().access_mode(READ_CONTROL).custom_flags(FILE_FLAG_BACKUP_SEMANTICS).open(path)
}

pub(super) fn only_we_can_read(file: &File) -> io::Result<bool> {
    only_we_can_write(file)
}

pub(super) fn only_we_can_write(file: &File) -> io::Result<bool> {
    let us = TokenUser::of_process()?;
    let mut owner: PSID = null_mut();
    let mut descriptor: PSECURITY_DESCRIPTOR = null_mut();
    // SAFETY: the handle is open; the two out-pointers are ours, the others are allowed to be null.
    let outcome = unsafe {
        GetSecurityInfo(
            file.as_raw_handle(),
            SE_FILE_OBJECT,
            OWNER_SECURITY_INFORMATION,
            &mut owner,
            null_mut(),
            null_mut(),
            null_mut(),
            &mut descriptor,
        )
    };
    if outcome != 0 {
        return Err(io::Error::from_raw_os_error(i32::try_from(outcome).unwrap_or(i32::MAX)));
    }
    // SAFETY: `owner` points into `descriptor`, which is alive until freed below; our SID lives in `us`.
    let ours = !owner.is_null() && unsafe { EqualSid(owner, us.sid()) } != 0;
    // SAFETY: GetSecurityInfo allocated the descriptor with LocalAlloc for us, and it is freed once.
    unsafe { LocalFree(descriptor.cast()) };
    Ok(ours)
}

fn nanos(steps: i64) -> i64 {
    steps.saturating_sub(STEPS_BEFORE_1970).saturating_mul(100)
}
