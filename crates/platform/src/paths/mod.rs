//! Where dray keeps what: the directories that the system's conventions give to a user's program and to a service.

#[cfg_attr(unix, path = "unix.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod system;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// For whom the program runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One user, with directories below that user's home.
    User,
    /// The whole machine, as a service.
    System,
}

/// The four directories. None of them need exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dirs {
    /// What can be lost without harm: the content store.
    pub cache: PathBuf,
    /// What must not be lost: job records, keys.
    pub state: PathBuf,
    /// What a person writes.
    pub config: PathBuf,
    /// What ends with the session or the boot: the socket.
    pub runtime: PathBuf,
}

/// There is neither a home directory nor a variable that stands in for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoHome;

impl fmt::Display for NoHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(system::NO_HOME)
    }
}

impl std::error::Error for NoHome {}

impl Dirs {
    /// The directories for this scope, from the process's environment.
    pub fn of(scope: Scope) -> Result<Dirs, NoHome> {
        Dirs::from_environment(scope, &|name| std::env::var_os(name))
    }

    /// The same, from any source of variables. Variables that are empty or hold a relative path count as not set.
    pub fn from_environment(
        scope: Scope,
        variable: &dyn Fn(&str) -> Option<OsString>,
    ) -> Result<Dirs, NoHome> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        match scope {
            Scope::User => system::user(&absolute),
            Scope::System => Ok(system::system(&absolute)),
        }
    }
}

impl Scope {
    /// The scope of a daemon: the machine when it runs as root or the system account, or when a service manager gave it
    /// directories of its own; else its user.
    pub fn of_daemon() -> Scope {
        let superuser = crate::peer::this_process().is_ok_and(|caller| caller.user.is_superuser());
        let managed = std::env::var_os("STATE_DIRECTORY").is_some();
        if superuser || managed { Scope::System } else { Scope::User }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::Path;

    fn with<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Fn(&str) -> Option<OsString> + 'a {
        |name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
    }

    #[test]
    fn a_user_has_the_directories_of_the_xdg_specification() {
        let env =
            with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "/big"), ("XDG_RUNTIME_DIR", "/run/user/7")]);
        let dirs = Dirs::from_environment(Scope::User, &env).unwrap();
        assert_eq!(dirs.cache, Path::new("/big/dray"));
        assert_eq!(dirs.state, Path::new("/home/a/.local/state/dray"));
        assert_eq!(dirs.config, Path::new("/home/a/.config/dray"));
        assert_eq!(dirs.runtime, Path::new("/run/user/7/dray"));
    }

    #[test]
    fn a_relative_path_in_a_variable_is_ignored_as_the_specification_says() {
        let env = with(&[("HOME", "/home/a"), ("XDG_CACHE_HOME", "big"), ("XDG_STATE_HOME", "")]);
        let dirs = Dirs::from_environment(Scope::User, &env).unwrap();
        assert_eq!(dirs.cache, Path::new("/home/a/.cache/dray"));
        assert_eq!(dirs.runtime, Path::new("/home/a/.local/state/dray/run"));
    }

    #[test]
    fn a_service_has_the_directories_that_systemd_gave_it() {
        let env = with(&[("STATE_DIRECTORY", "/var/lib/private/dray:/other")]);
        let dirs = Dirs::from_environment(Scope::System, &env).unwrap();
        assert_eq!(dirs.state, Path::new("/var/lib/private/dray"));
        assert_eq!(dirs.cache, Path::new("/var/cache/dray"));
        assert_eq!(dirs.config, Path::new("/etc/dray"));
        assert_eq!(dirs.runtime, Path::new("/run/dray"));
    }
}
