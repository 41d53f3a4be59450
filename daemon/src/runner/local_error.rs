//! What the operating system says about a local file, as the code that a BITS client knows.

use std::io::ErrorKind;

use dray_jobs::{Code, Failure};
use dray_platform::FileError;

/// The code for a failure on a local file.
pub(crate) fn code_of(kind: ErrorKind) -> Code {
    match kind {
        ErrorKind::NotFound => Code::ERROR_FILE_NOT_FOUND,
        ErrorKind::NotADirectory | ErrorKind::IsADirectory | ErrorKind::DirectoryNotEmpty => {
            Code::ERROR_DIRECTORY
        }
        ErrorKind::PermissionDenied => Code::E_ACCESSDENIED,
        ErrorKind::ReadOnlyFilesystem => Code::ERROR_WRITE_PROTECT,
        ErrorKind::StorageFull => Code::ERROR_DISK_FULL,
        ErrorKind::QuotaExceeded => Code::ERROR_DISK_QUOTA_EXCEEDED,
        ErrorKind::FileTooLarge => Code::ERROR_FILE_TOO_LARGE,
        ErrorKind::InvalidFilename => Code::ERROR_FILENAME_EXCED_RANGE,
        ErrorKind::AlreadyExists => Code::ERROR_FILE_EXISTS,
        ErrorKind::OutOfMemory => Code::E_OUTOFMEMORY,
        ErrorKind::ResourceBusy | ErrorKind::ExecutableFileBusy => Code::ERROR_SHARING_VIOLATION,
        _ => Code::E_FAIL,
    }
}

/// A failure on a local file as the answer of a call.
pub(crate) fn failure(error: &FileError) -> Failure {
    Failure::new(code_of(error.kind()), error.to_string())
}
