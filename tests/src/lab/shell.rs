//! The tools that build the lab: `ip`, `tc`, `nft`, `sysctl`; and a command that runs on one of its hosts.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use crate::programs::system_program;

/// Where `ip netns` keeps namespaces.
pub(super) const NAMESPACES: &str = "/run/netns";

/// `ip LINE`. The lab's own names hold no blanks.
pub(super) fn ip(line: &str) -> Result<String> {
    run("ip", line)
}

/// Several of them, in this order.
pub(super) fn ip_lines(lines: &[String]) -> Result<()> {
    lines.iter().try_for_each(|line| ip(line).map(drop))
}

/// `tc LINE`.
pub(super) fn tc(line: &str) -> Result<String> {
    run("tc", line)
}

/// Sets a value of this namespace's network.
pub(super) fn sysctl(namespace: &str, setting: &str) -> Result<()> {
    let mut command = inside(namespace, &system_program("sysctl")?)?;
    text(command.args(["-q", "-w", setting]).output()?, setting).map(drop)
}

/// Gives nftables these rules in this namespace.
pub(super) fn nft(namespace: &str, rules: &str) -> Result<()> {
    let mut command = inside(namespace, &system_program("nft")?)?;
    command.args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    child.stdin.take().context("stdin was asked for")?.write_all(rules.as_bytes())?;
    text(child.wait_with_output()?, rules).map(drop)
}

/// A command that runs `program` with the network of this namespace, and with everything else as it is here.
pub(super) fn inside(namespace: &str, program: &Path) -> Result<Command> {
    let mut command = Command::new(system_program("nsenter")?);
    command.arg(format!("--net={NAMESPACES}/{namespace}"));
    command.arg("--").arg(program);
    Ok(command)
}

fn run(tool: &str, line: &str) -> Result<String> {
    let output =
        Command::new(system_program(tool)?).args(line.split_whitespace()).stdin(Stdio::null()).output()?;
    text(output, &format!("{tool} {line}"))
}

fn text(output: Output, what: &str) -> Result<String> {
    if !output.status.success() {
        bail!("`{what}` ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
