//! Who is calling: what the kernel says about the other end of a local socket or pipe. What a caller says about itself is
//! never asked.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::fmt;

#[cfg(windows)]
pub(crate) use system::TokenUser;
pub use system::group_number;
#[cfg(windows)]
pub use system::of_pipe;
pub use system::this_process;
pub use system::user_name;
#[cfg(unix)]
pub use system::{groups_of_socket, of_socket};

/// A local user, as the system knows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum UserId {
    /// A Unix user.
    Unix {
        /// User number.
        uid: u32,
        /// Primary group number.
        gid: u32,
    },
    /// A Windows user.
    Windows {
        /// The security identifier in its text form, "S-1-5-...".
        sid: String,
    },
}

/// The process at the other end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// On whose behalf it runs.
    pub user: UserId,
    /// Its number when it connected; for logs only, since numbers are used again.
    pub pid: Option<u32>,
}

impl UserId {
    /// Whether this user may do everything on the machine: root, or the Windows system account.
    pub fn is_superuser(&self) -> bool {
        match self {
            UserId::Unix { uid, .. } => *uid == 0,
            UserId::Windows { sid } => sid == "S-1-5-18",
        }
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UserId::Unix { uid, .. } => write!(f, "uid:{uid}"),
            UserId::Windows { sid } => f.write_str(sid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_other_end_of_a_socket_pair_is_this_process() {
        use std::os::fd::AsFd;
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(of_socket(near.as_fd()).unwrap(), this_process().unwrap());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_groups_of_the_other_end_are_those_of_this_process() {
        use std::os::fd::AsFd;
        let (near, _far) = std::os::unix::net::UnixStream::pair().unwrap();
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Groups:")).unwrap();
        let mut expected: Vec<u32> = line.split_whitespace().map(|gid| gid.parse().unwrap()).collect();
        let mut found = groups_of_socket(near.as_fd()).unwrap();
        expected.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, expected);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_group_has_a_number_if_it_exists() {
        assert_eq!(group_number("root").unwrap(), Some(0));
        assert_eq!(group_number("no such group").unwrap(), None);
        assert!(group_number("nul\0").is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_user_has_a_name_if_it_exists() {
        assert_eq!(user_name(&UserId::Unix { uid: 0, gid: 0 }).unwrap(), Some("root".to_owned()));
        assert_eq!(user_name(&UserId::Unix { uid: 4_000_000_000, gid: 0 }).unwrap(), None);
    }

    #[test]
    fn this_process_has_a_user() {
        let caller = this_process().unwrap();
        assert_eq!(caller.pid, Some(std::process::id()));
        assert!(!caller.user.to_string().is_empty());
    }
}
