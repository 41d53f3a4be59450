//! `test` and `lint`: what must hold before a change lands.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{buf, command, say, setup, tidy};

/// What cargo-deny writes when the advisory database is neither here nor can be fetched.
const NO_DATABASE: [&str; 2] = ["failed to fetch advisory database", "failed to load advisory database"];

/// Setup, build, then the tests; `filters` are substrings of test names.
pub(crate) fn test(root: &Path, filters: &[String]) -> Result<()> {
    setup::run(root)?;
    // The end-to-end tests start `dray`, `drayd` and the examples as processes, which a test build alone does not make.
    command::run(command::cargo(root).args(["build", "--workspace", "--bins", "--examples"]))?;
    if has_subcommand(root, "nextest") {
        if filters.is_empty() {
            // nextest runs no examples of the documentation.
            command::run(command::cargo(root).args(["test", "--workspace", "--doc", "--quiet"]))?;
        }
        command::run(command::cargo(root).args(["nextest", "run", "--workspace"]).args(filters))
    } else if filters.is_empty() {
        command::run(command::cargo(root).args(["test", "--workspace"]))
    } else {
        command::run(command::cargo(root).args(["test", "--workspace", "--all-targets", "--"]).args(filters))
    }
}

/// Every check that runs no test.
pub(crate) fn lint(root: &Path) -> Result<()> {
    command::run(command::cargo(root).args(["fmt", "--all", "--check"]))?;
    tidy::run(root)?;
    buf::lint(root)?;
    command::run(command::cargo(root).args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))?;
    deny(root)
}

fn deny(root: &Path) -> Result<()> {
    if !has_subcommand(root, "deny") {
        bail!("cargo-deny is missing; install it with `cargo install --locked cargo-deny`");
    }
    command::run(command::cargo(root).args([
        "deny",
        "--log-level",
        "error",
        "check",
        "bans",
        "licenses",
        "sources",
    ]))?;
    advisories(root)
}

/// Advisories come from a database that is fetched from the network. A machine that cannot reach it is not a reason to fail.
fn advisories(root: &Path) -> Result<()> {
    let mut check = command::cargo(root);
    // The database comes by git, which must not ask anyone for a password.
    check.env("GIT_TERMINAL_PROMPT", "0").stdin(Stdio::null());
    check.args(["deny", "--log-level", "error", "check", "advisories"]);
    let output = check.output().context("could not start `cargo deny check advisories`")?;
    if output.status.success() {
        say::step("advisories: none");
        return Ok(());
    }
    let told = String::from_utf8_lossy(&output.stderr);
    if NO_DATABASE.iter().any(|text| told.contains(text)) {
        say::step("advisories: SKIPPED, the advisory database cannot be reached from here");
        return Ok(());
    }
    bail!("`cargo deny check advisories` found:\n{told}")
}

fn has_subcommand(root: &Path, name: &str) -> bool {
    let mut version: Command = command::cargo(root);
    version.args([name, "--version"]);
    command::output(&mut version).is_ok()
}
