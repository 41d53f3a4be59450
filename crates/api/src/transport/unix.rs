//! Unix sockets.

use std::{
    ffi::OsString,
    fs::{self, File, TryLockError},
    io,
    os::fd::{AsFd, BorrowedFd},
    os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::net::{UnixListener, UnixStream};

use super::{BindError, BindOptions, Caller, ConnectError, User};

/// Where the daemon of the machine listens.
pub const SYSTEM_PATH: &str = "/run/dray/drayd.sock";

/// Where a daemon with this runtime directory listens.
pub fn path_for(runtime_dir: &Path) -> PathBuf {
    runtime_dir.join("drayd.sock")
}

/// How long a client waits for a daemon whose queue of connections is full.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
const BUSY_ATTEMPTS: u32 = 300;

pub(crate) type ClientStream = UnixStream;
pub(super) type ServerStream = UnixStream;

#[derive(Debug)]
pub(super) struct OsListener {
    listener: UnixListener,
    path: PathBuf,
    /// Device and inode of our socket: what may be removed at the end.
    file: (u64, u64),
    groups: fn(BorrowedFd<'_>) -> Vec<u32>,
    /// Held as long as the name is ours. The file itself stays: removing it would let two daemons lock two files.
    _lock: File,
}

impl OsListener {
    pub(super) fn bind(path: &Path, options: &BindOptions) -> Result<Self, BindError> {
        let lock = lock_beside(path)?;
        remove_stale(path)?;
        let listener = UnixListener::bind(path).map_err(|source| match source.kind() {
            io::ErrorKind::InvalidInput => BindError::TooLong { path: path.to_path_buf() },
            io::ErrorKind::AddrInUse => BindError::InUse { path: path.to_path_buf() },
            _ => failed("bind", path)(source),
        })?;
        let file = identity(path).map_err(failed("look at", path))?;
        let bound = Self { listener, path: path.to_path_buf(), file, groups: options.groups, _lock: lock };
        fs::set_permissions(path, fs::Permissions::from_mode(options.mode))
            .map_err(failed("set the permissions of", path))?;
        Ok(bound)
    }

    pub(super) async fn accept(&mut self) -> io::Result<(ServerStream, Caller)> {
        let (stream, _address) = self.listener.accept().await?;
        let credentials = stream.peer_cred()?;
        let caller = Caller {
            user: User::Unix { uid: credentials.uid(), gid: credentials.gid() },
            groups: (self.groups)(stream.as_fd()),
            pid: credentials.pid().and_then(|pid| u32::try_from(pid).ok()),
        };
        Ok((stream, caller))
    }
}

impl Drop for OsListener {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file) {
            // A socket that stays is stale, and the next daemon removes it.
            let _ = fs::remove_file(&self.path);
        }
    }
}

pub(crate) async fn connect(path: &Path) -> Result<ClientStream, ConnectError> {
    for _ in 0..BUSY_ATTEMPTS {
        match UnixStream::connect(path).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => tokio::time::sleep(BUSY_PAUSE).await,
            Err(source) => return Err(refused(path, source)),
        }
    }
    Err(ConnectError::Busy { path: path.to_path_buf() })
}

fn refused(path: &Path, source: io::Error) -> ConnectError {
    let path = path.to_path_buf();
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ConnectError::NoDaemon { path },
        io::ErrorKind::PermissionDenied => ConnectError::NotPermitted { path },
        _ => ConnectError::Io { path, source },
    }
}

/// Of two daemons that start at once, each could take the other's fresh socket for a stale one; the lock makes one of them
/// the first.
fn lock_beside(path: &Path) -> Result<File, BindError> {
    let mut name = OsString::from(path);
    name.push(".lock");
    let lock_path = PathBuf::from(name);
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(failed("open", &lock_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BindError::InUse { path: path.to_path_buf() }),
        Err(TryLockError::Error(source)) => Err(failed("lock", &lock_path)(source)),
    }
}

/// Removes a socket that nobody answers. The lock says that no daemon of ours is behind it; whatever else answers is alive
/// too.
fn remove_stale(path: &Path) -> Result<(), BindError> {
    let metadata = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(failed("look at", path))?,
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket { path: path.to_path_buf() });
    }
    match std::os::unix::net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(failed("remove the stale socket", path))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // A full queue of connections, or no permission to knock: someone is there.
        Ok(_) | Err(_) => Err(BindError::InUse { path: path.to_path_buf() }),
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|metadata| (metadata.dev(), metadata.ino()))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BindError {
    let path = path.to_path_buf();
    move |source| BindError::Io { what, path, source }
}
