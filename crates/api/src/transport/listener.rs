//! The daemon's end: one name on this machine, and whoever connects to it.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::{Stream, stream};

use super::{BindError, Connection, os, slots::Slots};

/// Most connections at a time. One more is closed at once.
pub const MAX_CONNECTIONS: usize = 1024;

/// Most connections of one user at a time. One more is closed at once.
pub const MAX_CONNECTIONS_PER_USER: usize = 256;

/// How long the daemon waits after it could not accept, as when it has no more file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How to listen.
#[derive(Clone, Debug)]
pub struct BindOptions {
    /// Permission bits of a Unix socket. Whoever may write to it may connect, if the directories above let them through.
    /// Default 0o666: callers are told apart by who they are, and the directory keeps out whom it should.
    pub mode: u32,
    /// What the daemon asks the platform about the groups of whoever connects, once for each connection. Default: nothing.
    #[cfg(unix)]
    pub groups: fn(std::os::fd::BorrowedFd<'_>) -> Vec<u32>,
    /// What the daemon does with a named pipe that takes code of the platform.
    #[cfg(windows)]
    pub pipe: os::PipeHooks,
}

impl Default for BindOptions {
    fn default() -> Self {
        Self {
            mode: 0o666,
            #[cfg(unix)]
            groups: |_socket| Vec::new(),
            #[cfg(windows)]
            pipe: os::PipeHooks::default(),
        }
    }
}

/// A bound socket or pipe. Dropping it takes the name away.
#[derive(Debug)]
pub struct Listener {
    path: PathBuf,
    os: os::OsListener,
    slots: Arc<Slots>,
}

impl Listener {
    /// Listens on `path`: a socket, or a pipe named `\\.\pipe\...`. A socket that a dead daemon left behind is replaced; one
    /// with a live daemon, or a file of another kind, never. Has to be called within a tokio runtime.
    pub fn bind(path: &Path, options: &BindOptions) -> Result<Self, BindError> {
        Ok(Self {
            path: path.to_path_buf(),
            os: os::OsListener::bind(path, options)?,
            slots: Slots::new(MAX_CONNECTIONS, MAX_CONNECTIONS_PER_USER),
        })
    }

    /// Where it listens.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next connection that is within the limits.
    pub async fn accept(&mut self) -> Connection {
        loop {
            match self.os.accept().await {
                Ok((stream, caller)) => {
                    if let Some(slot) = self.slots.take(&caller.user) {
                        return Connection { stream, caller, _slot: slot };
                    }
                }
                Err(error) if is_the_clients_affair(&error) => {}
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    /// Every connection, as tonic's server wants them. It has no end and no errors.
    pub fn incoming(self) -> impl Stream<Item = Result<Connection, Infallible>> + Send {
        stream::unfold(self, |mut listener| async move {
            let connection = listener.accept().await;
            Some((Ok(connection), listener))
        })
    }
}

fn is_the_clients_affair(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::BrokenPipe | Kind::Interrupted
    )
}
