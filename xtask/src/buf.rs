//! buf, which lints the protos: taken from npm into `target/`, since it is in no distribution.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{command, say};

/// The package, whose binary comes with it.
const PACKAGE: &str = "@bufbuild/buf@1.75.0";
/// Where npm keeps the programs of packages that were installed.
const PROGRAM: &str = "node_modules/.bin/buf";

/// Lints and checks the format of `proto/`. Without npm, or where it cannot fetch, this says that it was skipped.
pub(crate) fn lint(root: &Path) -> Result<()> {
    let Some(buf) = program(root)? else { return Ok(()) };
    let protos = root.join("proto");
    command::run(Command::new(&buf).arg("lint").arg(&protos))?;
    command::run(Command::new(&buf).args(["format", "--diff", "--exit-code"]).arg(&protos))
}

/// buf, installed if it is not there.
fn program(root: &Path) -> Result<Option<PathBuf>> {
    let folder = root.join("target/buf");
    let buf = folder.join(PROGRAM);
    if works(&buf) {
        return Ok(Some(buf));
    }
    let Some(npm) = command::find("npm") else {
        say::step("buf lint: SKIPPED, there is no npm to get buf with");
        return Ok(None);
    };
    std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let mut install = Command::new(npm);
    // Nothing of the package is run at its installation.
    install.args(["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", "--prefix"]);
    install.arg(&folder).arg(PACKAGE).stdin(Stdio::null());
    let output = install.output().context("could not start npm")?;
    if !output.status.success() {
        let told = String::from_utf8_lossy(&output.stderr);
        // It warns of this and that first.
        let reason = told.lines().find(|line| line.contains("error")).unwrap_or("no reason given");
        say::step(&format!("buf lint: SKIPPED, npm cannot install {PACKAGE}: {reason}"));
        return Ok(None);
    }
    if !works(&buf) {
        bail!("npm installed {PACKAGE}, and {} does not run", buf.display());
    }
    Ok(Some(buf))
}

fn works(buf: &Path) -> bool {
    let version = Command::new(buf).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    version.is_ok_and(|status| status.success())
}
