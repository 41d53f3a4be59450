//! The XDG base directories, and for a service the file system hierarchy or what systemd says.

use std::path::PathBuf;

use super::{Dirs, NoHome};

pub(super) const NO_HOME: &str = "no home directory: set HOME, or name the directories in the configuration";

pub(super) fn user(absolute: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Dirs, NoHome> {
    // `home_dir` also asks the user database when HOME is not set.
    let home =
        || absolute("HOME").or_else(|| std::env::home_dir().filter(|path| path.is_absolute())).ok_or(NoHome);
    let base = |variable: &str, below_home: &str| match absolute(variable) {
        Some(path) => Ok(path.join("dray")),
        None => Ok(home()?.join(below_home).join("dray")),
    };
    let state = base("XDG_STATE_HOME", ".local/state")?;
    // Without a session there is no runtime directory. A name under /tmp could be taken by somebody else first; the own
    // state directory cannot.
    let runtime = absolute("XDG_RUNTIME_DIR").map_or_else(|| state.join("run"), |path| path.join("dray"));
    Ok(Dirs {
        cache: base("XDG_CACHE_HOME", ".cache")?,
        config: base("XDG_CONFIG_HOME", ".config")?,
        runtime,
        state,
    })
}

pub(super) fn system(absolute: &dyn Fn(&str) -> Option<PathBuf>) -> Dirs {
    // systemd passes a list with colons; the first is the main one.
    let given = |variable: &str, otherwise: &str| match absolute(variable) {
        Some(list) => match list.to_str().and_then(|list| list.split(':').next()) {
            Some(first) => PathBuf::from(first),
            None => list,
        },
        None => PathBuf::from(otherwise),
    };
    Dirs {
        cache: given("CACHE_DIRECTORY", "/var/cache/dray"),
        state: given("STATE_DIRECTORY", "/var/lib/dray"),
        config: given("CONFIGURATION_DIRECTORY", "/etc/dray"),
        runtime: given("RUNTIME_DIRECTORY", "/run/dray"),
    }
}
