//! Where the programs under test, and those of the system, lie.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// Where Debian keeps servers; not in every user's search path.
const SYSTEM_FOLDERS: [&str; 2] = ["/usr/sbin", "/sbin"];

/// A program of this workspace: built by cargo into the folder of the running test, or the one above.
pub fn program(name: &str) -> Result<PathBuf> {
    let test = env::current_exe().context("where is the running test?")?;
    let folders = test.ancestors().skip(1).take(2);
    for folder in folders {
        let file = folder.join(name);
        if file.is_file() {
            return Ok(file);
        }
    }
    let folder = test.parent().and_then(Path::parent).unwrap_or(&test);
    bail!("{name} is not in {}; build it first: `cargo xtask test` does", folder.display())
}

/// An example of this workspace; cargo builds them with the tests of the whole workspace.
pub fn example(name: &str) -> Result<PathBuf> {
    program(&format!("examples/{name}"))
}

/// A program of the system, by the name of the program; `cargo xtask setup` installs those that tests need.
pub fn system_program(name: &str) -> Result<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(SYSTEM_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .with_context(|| format!("{name} is not installed; `cargo xtask setup` installs it"))
}
