//! Who may use the jobs of this daemon.
//!
//! The kernel says who the caller is. The daemon writes files as the user it runs as, not yet as the caller; so a
//! daemon of root takes jobs from root alone, and a daemon of a user serves that user and root. Members of the group of
//! administrators see and control every job of either, and add no files of their own. Whoever is served at
//! all sees every job of the daemon or only the own ones: that the job machine decides.

use dray_api::transport::{Caller, User};
use dray_jobs::{Caller as JobCaller, Code, Failure, Owner};
use dray_platform::peer::UserId;

use super::names::Names;

/// The rule for callers.
#[derive(Debug, Clone)]
pub(crate) struct Access {
    /// The user this daemon runs as.
    daemon: UserId,
    /// Number of the group whose members are administrators.
    administrators: Option<u32>,
    /// What users are called.
    names: Names,
}

impl Access {
    pub(crate) fn new(daemon: UserId) -> Access {
        Access { daemon, administrators: None, names: Names::default() }
    }

    /// The same, with a group of administrators.
    pub(crate) fn with_administrators(self, group: Option<u32>) -> Access {
        Access { administrators: group, ..self }
    }

    /// What users are called.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Whether the caller is in the group of administrators, as the kernel knew its groups when it connected.
    fn is_member(&self, caller: Option<&Caller>) -> bool {
        let Some((group, caller)) = self.administrators.zip(caller) else { return false };
        let is_primary = matches!(caller.user, User::Unix { gid, .. } if gid == group);
        is_primary || caller.groups.contains(&group)
    }

    /// The caller as the job machine knows callers, or why it is not served.
    pub(crate) fn caller(&self, caller: Option<&Caller>) -> Result<JobCaller, Failure> {
        let is_member = self.is_member(caller);
        let user = caller.and_then(|caller| user_id(&caller.user)).ok_or_else(|| {
            Failure::new(
                Code::E_ACCESSDENIED,
                "The system does not say who is calling; only known users are served.",
            )
        })?;
        let own = is_same(&user, &self.daemon);
        if own || is_member || user.is_superuser() {
            // On a daemon of one's own there is nobody from whom the limits would have to protect the machine.
            return Ok(JobCaller::administrator(owner(&user)));
        }
        let sentence = if self.daemon.is_superuser() {
            "This daemon runs as root and takes jobs from root alone, because it cannot yet write files as another \
             user; run drayd as yourself, or call as root."
        } else {
            "This daemon belongs to another user and serves only that user and root; run drayd as yourself."
        };
        Err(Failure::new(Code::E_ACCESSDENIED, sentence))
    }

    /// Whether the daemon writes files with no more rights than the caller has: its own user and root.
    pub(crate) fn may_write(&self, caller: &JobCaller) -> Result<(), Failure> {
        if caller.owner == owner(&self.daemon) || self.may_do_all(caller) {
            return Ok(());
        }
        let sentence = "The daemon cannot yet write files as another user; add files as the user it runs as.";
        Err(Failure::new(Code::E_ACCESSDENIED, sentence))
    }

    /// Root, or the system itself.
    pub(crate) fn may_do_all(&self, caller: &JobCaller) -> bool {
        matches!(caller.owner.as_str(), "0" | "S-1-5-18")
    }

    /// Whether the caller may know where the daemon keeps its state.
    pub(crate) fn is_trusted(&self, caller: Option<&Caller>) -> bool {
        self.caller(caller).is_ok()
    }
}

fn user_id(user: &User) -> Option<UserId> {
    match user {
        User::Unix { uid, gid } => Some(UserId::Unix { uid: *uid, gid: *gid }),
        User::Windows { sid } => Some(UserId::Windows { sid: sid.clone() }),
        User::Unknown => None,
    }
}

/// The same user, in whatever group the process runs.
fn is_same(one: &UserId, other: &UserId) -> bool {
    match (one, other) {
        (UserId::Unix { uid: one, .. }, UserId::Unix { uid: other, .. }) => one == other,
        (UserId::Windows { sid: one }, UserId::Windows { sid: other }) => one == other,
        _ => false,
    }
}

/// The owner of what this user creates: the decimal user id, or the security identifier.
fn owner(user: &UserId) -> Owner {
    match user {
        UserId::Unix { uid, .. } => Owner::new(uid.to_string()),
        UserId::Windows { sid } => Owner::new(sid.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn daemon_of(uid: u32) -> Access {
        Access::new(UserId::Unix { uid, gid: 7 })
    }

    fn ask(access: &Access, uid: u32) -> Result<JobCaller, Code> {
        let caller = Caller { user: User::Unix { uid, gid: uid }, groups: vec![90, 91], pid: None };
        access.caller(Some(&caller)).map_err(|failure| failure.code)
    }

    #[test]
    fn a_daemon_of_root_serves_root_alone() {
        let access = daemon_of(0);
        assert_eq!(ask(&access, 0).unwrap().owner, Owner::new("0"));
        assert_eq!(ask(&access, 1000), Err(Code::E_ACCESSDENIED));
    }

    #[test]
    fn a_daemon_of_a_user_serves_that_user_in_any_group_and_root() {
        let access = daemon_of(1000);
        assert_eq!(ask(&access, 1000).unwrap().owner, Owner::new("1000"));
        assert!(ask(&access, 1000).unwrap().administrator);
        assert!(ask(&access, 0).unwrap().administrator);
        assert_eq!(ask(&access, 1001), Err(Code::E_ACCESSDENIED));
    }

    #[test]
    fn a_member_of_the_group_of_administrators_controls_all_and_writes_nothing() {
        for group in [91, 1001] {
            let access = daemon_of(0).with_administrators(Some(group));
            let member = ask(&access, 1001).unwrap();
            assert!(member.administrator, "by primary group and by any other");
            assert_eq!(access.may_write(&member).unwrap_err().code, Code::E_ACCESSDENIED);
            assert!(!access.may_do_all(&member));
        }
        let access = daemon_of(0).with_administrators(Some(92));
        assert_eq!(ask(&access, 1001), Err(Code::E_ACCESSDENIED));
        let root = ask(&access, 0).unwrap();
        assert!(access.may_write(&root).is_ok() && access.may_do_all(&root));
    }

    #[test]
    fn whoever_the_system_does_not_know_is_nobody() {
        let unknown = Caller { user: User::Unknown, groups: vec![90], pid: None };
        assert!(daemon_of(0).with_administrators(Some(90)).caller(Some(&unknown)).is_err());
        assert!(daemon_of(0).caller(None).is_err());
    }
}
