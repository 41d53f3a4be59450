//! Where an error happened: BG_ERROR_CONTEXT.

use serde::{Deserialize, Serialize};

/// The part of the work in which a job error happened (reference 1.3 and 6). The numbers are BITS's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Context {
    /// No error.
    None = 0,
    /// It could not be classified.
    #[default]
    Unknown = 1,
    /// Scheduling, persistence, policy.
    GeneralQueueManager = 2,
    /// Telling the client.
    QueueManagerNotification = 3,
    /// The local file or its volume.
    LocalFile = 4,
    /// The remote name or its server: URL, status, authorisation.
    RemoteFile = 5,
    /// The network.
    GeneralTransport = 6,
    /// The application behind an upload-reply.
    RemoteApplication = 7,
    /// The client refused the server's certificate.
    ServerCertificateCallback = 8,
}

impl Context {
    /// All contexts, in the order of their numbers.
    pub const ALL: [Context; 9] = [
        Context::None,
        Context::Unknown,
        Context::GeneralQueueManager,
        Context::QueueManagerNotification,
        Context::LocalFile,
        Context::RemoteFile,
        Context::GeneralTransport,
        Context::RemoteApplication,
        Context::ServerCertificateCallback,
    ];

    /// The number that travels in the API.
    #[must_use]
    pub const fn value(self) -> u32 {
        self as u32
    }

    /// The context with this number.
    #[must_use]
    pub fn from_value(value: u32) -> Option<Context> {
        Context::ALL.into_iter().find(|context| context.value() == value)
    }

    /// The symbolic name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Context::None => "BG_ERROR_CONTEXT_NONE",
            Context::Unknown => "BG_ERROR_CONTEXT_UNKNOWN",
            Context::GeneralQueueManager => "BG_ERROR_CONTEXT_GENERAL_QUEUE_MANAGER",
            Context::QueueManagerNotification => "BG_ERROR_CONTEXT_QUEUE_MANAGER_NOTIFICATION",
            Context::LocalFile => "BG_ERROR_CONTEXT_LOCAL_FILE",
            Context::RemoteFile => "BG_ERROR_CONTEXT_REMOTE_FILE",
            Context::GeneralTransport => "BG_ERROR_CONTEXT_GENERAL_TRANSPORT",
            Context::RemoteApplication => "BG_ERROR_CONTEXT_REMOTE_APPLICATION",
            Context::ServerCertificateCallback => "BG_ERROR_CONTEXT_SERVER_CERTIFICATE_CALLBACK",
        }
    }

    /// One sentence for a person (GetErrorContextDescription).
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Context::None => "There is no error.",
            Context::Unknown => "The place of the error is not known.",
            Context::GeneralQueueManager => "The error happened while the queue was managed.",
            Context::QueueManagerNotification => "The error happened while the client was notified.",
            Context::LocalFile => "The error concerns the local file or its volume.",
            Context::RemoteFile => "The error concerns the remote file or its server.",
            Context::GeneralTransport => "The error happened on the network.",
            Context::RemoteApplication => "The application behind the server refused the upload.",
            Context::ServerCertificateCallback => "The client refused the certificate of the server.",
        }
    }
}
