//! Named pipes.
//!
//! A pipe name has no directory that could protect it, so the first instance must really be the first
//! (`first_pipe_instance`): a program that took the name before the daemon makes the daemon fail, not serve beside
//! it. Remote clients are refused by the system. The next instance exists before a connected one is handed
//! out, so that there is no moment in which a client finds nobody.

use std::{
    ffi::OsStr,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient, NamedPipeServer, ServerOptions};

use super::{BindError, BindOptions, Caller, ConnectError, User};

/// Where the daemon of the machine listens.
pub const SYSTEM_PATH: &str = r"\\.\pipe\drayd";

/// Where a daemon with this runtime directory listens: pipes lie in no directory, so it is the same for all.
pub fn path_for(_runtime_dir: &Path) -> PathBuf {
    PathBuf::from(SYSTEM_PATH)
}

/// ERROR_PIPE_BUSY: every instance has a client.
const PIPE_BUSY: i32 = 231;

/// How long a client waits for a free instance.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const BUSY_ATTEMPTS: u32 = 300;

pub(crate) type ClientStream = NamedPipeClient;
pub(super) type ServerStream = NamedPipeServer;

/// The two steps that need calls to the system for which no safe wrapper exists; the daemon fills them in from its
/// platform crate.
#[derive(Clone, Copy, Debug)]
pub struct PipeHooks {
    /// Makes an instance with an access list. Default: the system's own list, with which only the daemon's user and
    /// administrators can write to the pipe.
    pub create: fn(&ServerOptions, &OsStr) -> io::Result<NamedPipeServer>,
    /// Says who has connected. Default: [`User::Unknown`].
    pub identify: fn(&NamedPipeServer) -> io::Result<Caller>,
}

impl Default for PipeHooks {
    fn default() -> Self {
        Self {
            create: |options, name| options.create(name),
            identify: |_pipe| Ok(Caller { user: User::Unknown, groups: Vec::new(), pid: None }),
        }
    }
}

#[derive(Debug)]
pub(super) struct OsListener {
    /// The instance that waits for the next client.
    next: NamedPipeServer,
    path: PathBuf,
    hooks: PipeHooks,
}

impl OsListener {
    pub(super) fn bind(path: &Path, options: &BindOptions) -> Result<Self, BindError> {
        let hooks = options.pipe;
        let next = instance(path, hooks, true).map_err(|source| {
            let path = path.to_path_buf();
            match source.kind() {
                // What the system answers when first_pipe_instance is not true.
                io::ErrorKind::PermissionDenied => BindError::InUse { path },
                _ => BindError::Io { what: "create the pipe", path, source },
            }
        })?;
        Ok(Self { next, path: path.to_path_buf(), hooks })
    }

    pub(super) async fn accept(&mut self) -> io::Result<(ServerStream, Caller)> {
        if let Err(error) = self.next.connect().await {
            // A client that came and went leaves the instance unusable until it is disconnected.
            self.next.disconnect()?;
            return Err(error);
        }
        // When this fails the connected instance stays where it is, and the next call finds it connected.
        let next = instance(&self.path, self.hooks, false)?;
        let connected = std::mem::replace(&mut self.next, next);
        let caller = (self.hooks.identify)(&connected)?;
        Ok((connected, caller))
    }
}

fn instance(path: &Path, hooks: PipeHooks, first: bool) -> io::Result<NamedPipeServer> {
    let mut options = ServerOptions::new();
    options.first_pipe_instance(first).reject_remote_clients(true);
    (hooks.create)(&options, path.as_os_str())
}

/// The default security quality of tokio's client lets the server identify the client and not act as it.
pub(crate) async fn connect(path: &Path) -> Result<ClientStream, ConnectError> {
    for _ in 0..BUSY_ATTEMPTS {
        match ClientOptions::new().open(path) {
            Ok(stream) => return Ok(stream),
            Err(error) if error.raw_os_error() == Some(PIPE_BUSY) => tokio::time::sleep(BUSY_PAUSE).await,
            Err(source) => return Err(refused(path, source)),
        }
    }
    Err(ConnectError::Busy { path: path.to_path_buf() })
}

fn refused(path: &Path, source: io::Error) -> ConnectError {
    let path = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::NotFound => ConnectError::NoDaemon { path },
        io::ErrorKind::PermissionDenied => ConnectError::NotPermitted { path },
        _ => ConnectError::Io { path, source },
    }
}
