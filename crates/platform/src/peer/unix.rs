//! SO_PEERCRED and SO_PEERGROUPS, and the names of users and groups.
#![cfg_attr(target_os = "linux", allow(unsafe_code))]

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

/// Most groups of one process that are looked at; the kernel allows 65,536, and nobody is in more than a few dozen.
#[cfg(target_os = "linux")]
const MAX_GROUPS: usize = 65_536;
/// Room for the first try at a group's entry, and the most that one may need: a group can have many members.
#[cfg(target_os = "linux")]
const GROUP_BYTES: usize = 4 << 10;
#[cfg(target_os = "linux")]
const MAX_GROUP_BYTES: usize = 16 << 20;

/// The supplementary groups of whoever connected this Unix socket, as they were then. The primary group need not be among
/// them. Linux only.
#[cfg(target_os = "linux")]
pub fn groups_of_socket(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    use std::os::fd::AsRawFd;
    let mut groups: Vec<libc::gid_t> = vec![0; 64];
    loop {
        let room = groups.len() * size_of::<libc::gid_t>();
        let mut len = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: the descriptor is borrowed for the call, and `len` is the size of the buffer in bytes, of which the kernel
        // writes no more and in which any bit pattern is a number.
        let failed = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &mut len,
            )
        } != 0;
        let count = usize::try_from(len).map_err(io::Error::other)? / size_of::<libc::gid_t>();
        if !failed {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        // Too little room: the kernel says how much it takes.
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > MAX_GROUPS {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

/// Not known on this system: in no group.
#[cfg(not(target_os = "linux"))]
pub fn groups_of_socket(_socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The number of a group, as the system's databases have it; `None` when there is none of this name. It may ask a directory
/// service, and so take a while. Linux only.
#[cfg(target_os = "linux")]
pub fn group_number(name: &str) -> io::Result<Option<u32>> {
    let name = std::ffi::CString::new(name)?;
    let mut buffer: Vec<libc::c_char> = vec![0; GROUP_BYTES];
    loop {
        let mut entry = std::mem::MaybeUninit::<libc::group>::uninit();
        let mut found: *mut libc::group = std::ptr::null_mut();
        // SAFETY: the name ends with NUL, the buffer has the length that is given, and all three outlive the call.
        let code = unsafe {
            libc::getgrnam_r(name.as_ptr(), entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found)
        };
        match code {
            libc::ERANGE if buffer.len() < MAX_GROUP_BYTES => buffer.resize(buffer.len() * 2, 0),
            _ if !found.is_null() => {
                // SAFETY: `found` points at `entry`, which the call has filled.
                return Ok(Some(unsafe { (*found).gr_gid }));
            }
            // The ways of the databases to say that there is none.
            0 | libc::ENOENT | libc::ESRCH | libc::EPERM => return Ok(None),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn group_number(_name: &str) -> io::Result<Option<u32>> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Room for the first try at a user's entry, and the most that one may need.
const USER_BYTES: usize = 1 << 10;
const MAX_USER_BYTES: usize = 1 << 20;

/// The name of a user, as the system's databases have it; `None` when there is none with this number. It may ask a directory
/// service, and so take a while. Linux only.
#[cfg(target_os = "linux")]
pub fn user_name(user: &UserId) -> io::Result<Option<String>> {
    let UserId::Unix { uid, .. } = user else { return Ok(None) };
    let mut buffer: Vec<libc::c_char> = vec![0; USER_BYTES];
    loop {
        let mut entry = std::mem::MaybeUninit::<libc::passwd>::uninit();
        let mut found: *mut libc::passwd = std::ptr::null_mut();
        // SAFETY: the buffer has the length that is given, and all three outlive the call.
        let code = unsafe {
            libc::getpwuid_r(*uid, entry.as_mut_ptr(), buffer.as_mut_ptr(), buffer.len(), &mut found)
        };
        match code {
            libc::ERANGE if buffer.len() < MAX_USER_BYTES => buffer.resize(buffer.len() * 2, 0),
            _ if !found.is_null() => {
                // SAFETY: `found` points at `entry`, which the call has filled; the name in it ends with NUL and lies in the
                // buffer, which lives on.
                let name = unsafe { std::ffi::CStr::from_ptr((*found).pw_name) };
                return Ok(Some(name.to_string_lossy().into_owned()));
            }
            // The ways of the databases to say that there is none.
            0 | libc::ENOENT | libc::ESRCH | libc::EPERM => return Ok(None),
            code => return Err(io::Error::from_raw_os_error(code)),
        }
    }
}

/// Not known on this system.
#[cfg(not(target_os = "linux"))]
pub fn user_name(_user: &UserId) -> io::Result<Option<String>> {
    Err(io::ErrorKind::Unsupported.into())
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
