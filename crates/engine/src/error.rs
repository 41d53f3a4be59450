//! Why a file could not be fetched: one sentence for a person, one code for a program.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use dray_jobs::{Code, Context, ErrorClass};
use dray_origin::{OriginError, Phase};
use dray_ranges::RangeError;

/// A digest that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The digest that was expected, with its algorithm.
    pub expected: String,
    /// What the bytes gave.
    pub got: String,
    /// Who says what is expected: the caller, or an origin.
    pub author: String,
    /// Who gave the bytes.
    pub source: String,
}

/// Why [`crate::Engine::fetch`] did not bring the file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FetchError {
    /// The origin, or the way to it.
    #[error("{0}")]
    Origin(Arc<OriginError>),
    /// The bytes are not what they should be. Nothing of them is kept.
    #[error("{} sent other bytes than expected: {} was {}, but they have {}; nothing of them is kept", .0.source, .0.expected, .0.author, .0.got)]
    Integrity(Mismatch),
    /// The local file.
    #[error("cannot {act} {path}: {error}", path = .path.display())]
    Local {
        /// What was tried, as a verb.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the operating system says.
        error: Arc<io::Error>,
    },
    /// A range that was asked for does not lie in the file.
    #[error("{0}")]
    Range(#[from] RangeError),
    /// The origin does not serve ranges, and the task needs them.
    #[error("{host} does not serve byte ranges, which this request needs")]
    NoRanges {
        /// The origin.
        host: String,
    },
    /// Several ranges were asked for, and nothing would show that they are of one version of the file.
    #[error(
        "{host} gives no strong validator for this file, so its ranges cannot be shown to be of one version; ask for one range or for the whole file"
    )]
    NoValidator {
        /// The origin.
        host: String,
    },
    /// Only a part was wished for, and the origin cannot give a part of this file, or nothing would show that parts belong together.
    #[error("{host} does not serve parts of this file by which it could be fetched on demand")]
    NoRandomAccess {
        /// The origin.
        host: String,
    },
    /// The file at the origin kept changing while it was fetched.
    #[error("the file at {host} changed {times} times while it was being fetched; try again when it rests")]
    Unstable {
        /// The origin.
        host: String,
        /// How often it was begun anew.
        times: u32,
    },
    /// The connection kept breaking, and nothing tells whether the rest would be of the same file.
    #[error(
        "{host} broke off {times} times, and gives nothing by which the rest of the file could be recognised; try again later"
    )]
    Unresumable {
        /// The origin.
        host: String,
        /// How often it was begun anew.
        times: u32,
    },
    /// The disk is too small for what the origin announced.
    #[error("{} has {} of free space, but {} more are needed; make room or choose another place", .path.display(), mib(*.free), mib(*.needed))]
    NoSpace {
        /// The folder of the destination.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes that are still to come.
        needed: u64,
    },
    /// No failure: what was wished for is there, and the rest was not (see [`crate::Wishes::only`]).
    #[error("the bytes that were asked for are there; the rest of the file was not asked for")]
    OnlyPart,
    /// Stopped by the caller; what is there stays for the next attempt.
    #[error("interrupted; the same request goes on from here")]
    Interrupted,
}

impl FetchError {
    pub(crate) fn local(act: &'static str, path: &Path, error: io::Error) -> Self {
        Self::Local { act, path: path.to_owned(), error: Arc::new(error) }
    }

    /// A part of the transfer that ended by a fault of ours.
    pub(crate) fn broken() -> Self {
        Self::local(
            "go on writing",
            Path::new("the file"),
            io::Error::other("its writer stopped by a fault of its own"),
        )
    }

    /// The documented code of this failure (BITS reference, section 14).
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Origin(error) => origin_code(error),
            Self::Integrity(_) => Code::BG_E_VALIDATION_FAILED,
            Self::Local { error, .. } => local_code(error),
            Self::Range(_) => Code::BG_E_INVALID_RANGE,
            Self::NoRanges { .. } | Self::NoValidator { .. } => Code::BG_E_INSUFFICIENT_RANGE_SUPPORT,
            Self::NoRandomAccess { .. } => Code::BG_E_RANDOM_ACCESS_NOT_SUPPORTED,
            Self::Unstable { .. } => Code::BG_E_REMOTE_FILE_CHANGED,
            Self::NoSpace { .. } => Code::ERROR_DISK_FULL,
            Self::Unresumable { .. } => Code::BG_E_CONNECTION_CLOSED,
            Self::OnlyPart => Code::S_FALSE,
            Self::Interrupted => Code::ERROR_CANCELLED,
        }
    }

    /// What the failure is about (BG_ERROR_CONTEXT).
    #[must_use]
    pub fn context(&self) -> Context {
        match self {
            Self::Origin(error) => origin_context(error),
            Self::Integrity(_)
            | Self::Range(_)
            | Self::NoRanges { .. }
            | Self::NoValidator { .. }
            | Self::NoRandomAccess { .. }
            | Self::Unstable { .. } => Context::RemoteFile,
            Self::Local { .. } | Self::NoSpace { .. } => Context::LocalFile,
            Self::Unresumable { .. } => Context::GeneralTransport,
            Self::OnlyPart | Self::Interrupted => Context::GeneralQueueManager,
        }
    }

    /// Whether trying again later may help (BITS reference, 7.4).
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Origin(error) => error.is_transient(),
            Self::Unresumable { .. } => true,
            _ => self.code().class() == ErrorClass::Transient,
        }
    }

    /// How long the origin asks to be left alone.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        if let Self::Origin(error) = self { error.retry_after() } else { None }
    }
}

impl From<OriginError> for FetchError {
    fn from(error: OriginError) -> Self {
        Self::Origin(Arc::new(error))
    }
}

/// The code of a failure of the origin or the way to it.
fn origin_code(error: &OriginError) -> Code {
    use OriginError as E;
    match error {
        E::BadUrl { .. }
        | E::UnsupportedScheme { .. }
        | E::BadHeader { .. }
        | E::Roots { .. }
        | E::Config { .. } => Code::E_INVALIDARG,
        E::Dns { .. } => Code::ERROR_WINHTTP_NAME_NOT_RESOLVED,
        E::Refused { .. } | E::Connect { .. } | E::Proxy { .. } => Code::BG_E_CONNECT_FAILURE,
        E::Tls { .. } => Code::ERROR_WINHTTP_SECURE_FAILURE,
        E::Timeout { phase: Phase::Connect, .. } => Code::BG_E_CONNECT_FAILURE,
        E::Timeout { .. } => Code::ERROR_WINHTTP_TIMEOUT,
        E::NoAnswer { .. } | E::Truncated { .. } => Code::BG_E_CONNECTION_CLOSED,
        E::Status { status, .. } | E::RedirectRefused { status, .. } => Code::http(*status),
        E::RangeNotSatisfiable { .. } => Code::BG_E_INVALID_RANGE,
        E::Changed { .. } => Code::BG_E_REMOTE_FILE_CHANGED,
        E::TooManyRedirects { .. }
        | E::WrongRange { .. }
        | E::Multipart { .. }
        | E::BadPartial { .. }
        | E::TooLong { .. }
        | E::Encoded { .. }
        | E::Protocol { .. } => Code::BG_E_INVALID_SERVER_RESPONSE,
    }
}

fn origin_context(error: &OriginError) -> Context {
    use OriginError as E;
    match error {
        E::Dns { .. }
        | E::Refused { .. }
        | E::Connect { .. }
        | E::Proxy { .. }
        | E::Tls { .. }
        | E::Timeout { .. } => Context::GeneralTransport,
        E::NoAnswer { .. } | E::Truncated { .. } => Context::GeneralTransport,
        _ => Context::RemoteFile,
    }
}

/// The code of what the operating system says about a local file.
fn local_code(error: &io::Error) -> Code {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Code::E_ACCESSDENIED,
        io::ErrorKind::NotFound => Code::ERROR_PATH_NOT_FOUND,
        io::ErrorKind::StorageFull => Code::ERROR_DISK_FULL,
        io::ErrorKind::QuotaExceeded => Code::ERROR_DISK_QUOTA_EXCEEDED,
        io::ErrorKind::ReadOnlyFilesystem => Code::ERROR_WRITE_PROTECT,
        io::ErrorKind::FileTooLarge => Code::ERROR_FILE_TOO_LARGE,
        io::ErrorKind::IsADirectory | io::ErrorKind::NotADirectory => Code::ERROR_DIRECTORY,
        io::ErrorKind::AlreadyExists => Code::ERROR_FILE_EXISTS,
        io::ErrorKind::InvalidFilename => Code::ERROR_FILENAME_EXCED_RANGE,
        _ => Code::ERROR_WRITE_FAULT,
    }
}

fn mib(bytes: u64) -> String {
    format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
}
