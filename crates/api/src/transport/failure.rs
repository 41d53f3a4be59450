//! Why there is no connection.

use std::{io, path::PathBuf};

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon listens there.
    #[error("another daemon listens on {}", path.display())]
    InUse {
        /// The socket or pipe.
        path: PathBuf,
    },
    /// Something that is not a socket has that name. It is left alone.
    #[error("{} exists and is not a socket", path.display())]
    NotASocket {
        /// What is there.
        path: PathBuf,
    },
    /// The system allows about a hundred bytes.
    #[error("{} is too long for the path of a socket", path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: "lock", "bind".
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Why a client cannot reach the daemon.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("no daemon listens on {}", path.display())]
    NoDaemon {
        /// The socket or pipe.
        path: PathBuf,
    },
    /// The socket or its directory is not open to this user.
    #[error("not permitted to connect to {}", path.display())]
    NotPermitted {
        /// The socket or pipe.
        path: PathBuf,
    },
    /// A daemon is there and takes no more connections.
    #[error("the daemon on {} does not take the connection", path.display())]
    Busy {
        /// The socket or pipe.
        path: PathBuf,
    },
    /// Anything else.
    #[error("cannot connect to {}: {source}", path.display())]
    Io {
        /// The socket or pipe.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something listens, and it does not speak gRPC.
    #[error("what listens on {} is not a dray daemon: {reason}", path.display())]
    Protocol {
        /// The socket or pipe.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
}
