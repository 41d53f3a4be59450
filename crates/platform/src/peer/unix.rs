//! SO_PEERCRED.

use std::io;
use std::os::fd::BorrowedFd;

use super::{Caller, UserId};

/// Who connected this Unix socket.
pub fn of_socket(socket: BorrowedFd<'_>) -> io::Result<Caller> {
    #[cfg(target_os = "linux")]
    {
        let credentials = rustix::net::sockopt::socket_peercred(socket)?;
        Ok(Caller {
            user: UserId::Unix { uid: credentials.uid.as_raw(), gid: credentials.gid.as_raw() },
            pid: u32::try_from(credentials.pid.as_raw_pid()).ok(),
        })
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = socket;
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// This process, as its own caller.
pub fn this_process() -> io::Result<Caller> {
    Ok(Caller {
        user: UserId::Unix {
            uid: rustix::process::geteuid().as_raw(),
            gid: rustix::process::getegid().as_raw(),
        },
        pid: Some(std::process::id()),
    })
}
