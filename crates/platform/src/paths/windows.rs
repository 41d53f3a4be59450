//! %LOCALAPPDATA% for a user, %ProgramData% for a service. The socket is a named pipe and lies in neither; the runtime
//! directory holds what else ends with the run.

use std::path::PathBuf;

use super::{Dirs, NoHome};

pub(super) const NO_HOME: &str =
    "no local application data: set LOCALAPPDATA, or name the directories in the configuration";

pub(super) fn user(absolute: &dyn Fn(&str) -> Option<PathBuf>) -> Result<Dirs, NoHome> {
    let local = absolute("LOCALAPPDATA")
        .or_else(|| std::env::home_dir().map(|home| home.join("AppData").join("Local")))
        .ok_or(NoHome)?;
    Ok(below(local.join("dray")))
}

pub(super) fn system(absolute: &dyn Fn(&str) -> Option<PathBuf>) -> Dirs {
    let all = absolute("ProgramData").unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"));
    below(all.join("dray"))
}

fn below(base: PathBuf) -> Dirs {
    Dirs {
        cache: base.join("cache"),
        state: base.join("state"),
        config: base.join("config"),
        runtime: base.join("run"),
    }
}
