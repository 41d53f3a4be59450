//! `bench` and `lab`: builds the programs and starts the benches (their own page is `benches/README.md`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use anyhow::{Context, Result};

use crate::{command, setup};

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    /// Release programs, real sizes, judged against the targets.
    Full,
    /// Development programs, small sizes, no judgement: proves that the benches still run.
    Smoke,
}

pub(crate) fn run(root: &Path, size: Size) -> Result<()> {
    start(root, size, &[])
}

/// The lab: several machines. What follows `lab` on the command line is for it, and `--smoke` for us too.
pub(crate) fn lab(root: &Path, arguments: &[String]) -> Result<()> {
    let size = if arguments.iter().any(|argument| argument == "--smoke") { Size::Smoke } else { Size::Full };
    if size == Size::Full {
        setup::compared()?;
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).filter(|it| *it != "--smoke").collect();
    start(root, size, &[&["lab"], &arguments[..]].concat())
}

fn start(root: &Path, size: Size, arguments: &[&str]) -> Result<()> {
    setup::debian()?;
    let mut build = command::cargo(root);
    // The whole workspace: with the same set of packages, cargo reuses what `test` has built.
    build.args(["build", "--workspace", "--bins"]);
    if size == Size::Full {
        build.arg("--release");
    }
    command::run(&mut build)?;
    let mut benches = Command::new(programs(size)?.join("dray-benches"));
    benches.args(arguments);
    if size == Size::Smoke {
        benches.arg("--smoke");
    }
    // In the target folder: a /tmp in memory would make every disk look fast, and no byte look written.
    let scratch = programs(size)?.join("bench-scratch");
    fs::create_dir_all(&scratch).with_context(|| scratch.display().to_string())?;
    command::run(benches.current_dir(root).env("TMPDIR", scratch))
}

/// The folder that cargo built into: xtask itself lies in the development profile's, the release profile's is beside it.
fn programs(size: Size) -> Result<PathBuf> {
    let xtask = env::current_exe().context("where is xtask?")?;
    let development = xtask.parent().context("xtask lies in a folder")?;
    match size {
        Size::Smoke => Ok(development.to_path_buf()),
        Size::Full => Ok(development.with_file_name("release")),
    }
}
