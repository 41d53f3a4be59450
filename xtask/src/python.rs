//! The Python of the tests: a virtual environment below `target/`, with what the examples in `examples/python` need.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use crate::command;

/// What `pip install` is asked for. One version for all three: they are released together.
const PACKAGES: [&str; 3] = ["grpcio==1.85.1", "grpcio-reflection==1.85.1", "grpcio-status==1.85.1"];
/// Proves that they are there.
const PROOF: &str = "import grpc, grpc_reflection, grpc_status";

/// Makes the environment unless it is there. Without a network this fails, and says which command did.
pub(crate) fn environment(root: &Path) -> Result<()> {
    let folder = root.join("target/python");
    let python = folder.join("bin/python3");
    let ready = Command::new(&python).args(["-c", PROOF]).stderr(Stdio::null()).status();
    if ready.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    // python3 of Debian names the package that it lacks, if it does.
    command::run(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    command::run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES))
}
