//! Who is at the other end.

use std::fmt;

/// A user, as the kernel names them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum User {
    /// A Unix user and their primary group.
    Unix {
        /// User id.
        uid: u32,
        /// Group id.
        gid: u32,
    },
    /// A Windows security identifier in its text form, "S-1-5-...".
    Windows {
        /// The identifier.
        sid: String,
    },
    /// The system did not say. Whoever authorises treats it as nobody.
    Unknown,
}

/// "1000" or "S-1-5-21-...": the owner of a job in the API.
impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { uid, .. } => write!(f, "{uid}"),
            Self::Windows { sid } => f.write_str(sid),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}

/// The process at the other end of a connection, at the moment it connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// On whose behalf it runs.
    pub user: User,
    /// Numbers of the Unix groups it is in besides its primary one; empty where the listener does not look.
    pub groups: Vec<u32>,
    /// Its process id, for the log alone: by the time anyone looks it may be another process.
    pub pid: Option<u32>,
}

impl Caller {
    /// The caller of a request that came over a [`Connection`](super::Connection); `None` for one made by hand.
    pub fn of<T>(request: &tonic::Request<T>) -> Option<&Self> {
        request.extensions().get()
    }
}
