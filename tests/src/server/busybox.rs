//! The httpd of busybox: no configuration, and a log that names paths only.

use std::process::Command;

use anyhow::Result;

use super::Setup;
use crate::process;
use crate::programs::system_program;

pub(super) fn command(setup: &Setup) -> Result<Command> {
    // It logs to stderr, which the shell turns into the access log.
    let mut command = process::command(&system_program("sh")?)?;
    command.args(["-c", "exec \"$0\" httpd -f -vv -p \"127.0.0.1:$1\" -h \"$2\" 2> \"$3\""]);
    command
        .arg(system_program("busybox")?)
        .arg(setup.port.to_string())
        .arg(setup.documents())
        .arg(setup.access_log());
    Ok(command)
}
