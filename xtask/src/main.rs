//! The repository's own commands: `cargo xtask setup | test | lint | tidy | bench | lab`.
//!
//! Everything that a machine needs before it can build and test dray, and every rule that the repository holds itself to, is a
//! program here and not a page of instructions. It must never know what dray does: it starts other programs, reads manifests
//! and source text, and says what it found. Start reading at [`main`], then `setup`, `verify` (test and lint) and `tidy`.

mod bench;
mod buf;
mod command;
mod packages;
mod python;
mod say;
mod setup;
mod tidy;
mod verify;

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, bail};

const USAGE: &str = "\
usage: cargo xtask COMMAND

  setup             install (as root) or name the Debian packages that the tests need; and gRPC for Python
  test [FILTER...]  setup, build, then every test (or those whose names contain FILTER)
  lint [proto]      format, clippy, cargo deny, buf, tidy; or only what buf says of the protos
  tidy              the repository's own rules
  bench [--smoke]   measure against curl; --smoke only proves that the benches run
  lab [--smoke]     several machines in network namespaces that want one file: dray beside other tools; needs root.
                    More: --machines 8,20 --tools dray,squid --runs 3 --part race|pair --size MIB --uplink MBIT";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say::line(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<()> {
    let root = repository_root()?;
    let (command, rest) = match arguments.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", arguments),
    };
    match (command, rest) {
        ("setup", []) => setup::run(&root),
        ("test", filters) => verify::test(&root, filters),
        ("lint", []) => verify::lint(&root),
        ("lint", [part]) if part == "proto" => buf::lint(&root),
        ("tidy", []) => tidy::run(&root),
        ("bench", []) => bench::run(&root, bench::Size::Full),
        ("bench", [flag]) if flag == "--smoke" => bench::run(&root, bench::Size::Smoke),
        ("lab", arguments) => bench::lab(&root, arguments),
        ("help" | "--help" | "-h", _) => {
            say::line(USAGE);
            Ok(())
        }
        _ => bail!("no such command: {}\n\n{USAGE}", arguments.join(" ")),
    }
}

/// The folder of the workspace manifest: cargo tells where xtask's own manifest is, and the root is one above.
fn repository_root() -> Result<PathBuf> {
    let manifest = env::var("CARGO_MANIFEST_DIR").context("start this through `cargo xtask`")?;
    let root = Path::new(&manifest).parent().context("xtask lies in the workspace's root")?;
    Ok(root.to_path_buf())
}
