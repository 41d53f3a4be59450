//! `setup`: makes a fresh Debian machine able to run the tests, or says exactly what it lacks.
//!
//! The servers are wanted as programs that tests start on ports of their own. Debian would start each as a system service on
//! port 80 and again at every boot, so a policy file forbids starting while apt-get runs, and what was newly installed is disabled.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::packages::{self, Package};
use crate::{command, python, say};

/// invoke-rc.d and deb-systemd-invoke ask this program before they start a service; 101 means "not allowed".
const POLICY_FILE: &str = "/usr/sbin/policy-rc.d";
const POLICY: &str = "#!/bin/sh\n# Made by `cargo xtask setup`, removed when it ends.\nexit 101\n";

pub(crate) fn run(root: &Path) -> Result<()> {
    debian()?;
    python::environment(root)
}

/// The packages alone.
pub(crate) fn debian() -> Result<()> {
    let missing = packages::missing(packages::NEEDED);
    if missing.is_empty() {
        return Ok(());
    }
    if command::find("apt-get").is_none() {
        bail!("not a Debian machine; please install by hand:\n{}", listed(&missing));
    }
    if !is_root()? {
        bail!(
            "{} Debian packages are missing:\n{}\nInstall them with\n  {}",
            missing.len(),
            listed(&missing),
            advice(&missing)
        );
    }
    install(&missing)?;
    let still_missing = packages::missing(packages::NEEDED);
    if !still_missing.is_empty() {
        bail!("installed, and yet not found:\n{}", listed(&still_missing));
    }
    Ok(())
}

/// What the lab compares with, where it can be had: a program that is not there is left out of a table.
pub(crate) fn compared() -> Result<()> {
    let missing = packages::missing(packages::COMPARED);
    if missing.is_empty() {
        return Ok(());
    }
    let can_install = command::find("apt-get").is_some() && is_root()?;
    if can_install && install(&missing).is_ok() {
        return Ok(());
    }
    say::line(&format!("lab: these are not compared, being absent:\n{}", listed(&missing)));
    Ok(())
}

fn install(missing: &[Package]) -> Result<()> {
    let _policy = Policy::forbid_services()?;
    command::run(apt_get().args(["update", "-qq"]))?;
    let names = missing.iter().map(|package| package.name);
    command::run(apt_get().args(["install", "-y", "-qq", "--no-install-recommends"]).args(names))?;
    for service in missing.iter().filter_map(|package| package.service) {
        disable(service);
    }
    Ok(())
}

/// Keeps the service from coming up at the next boot. A machine without systemd has nothing to disable.
fn disable(service: &str) {
    for action in ["stop", "disable"] {
        let _ = Command::new("systemctl")
            .args([action, service])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

fn is_root() -> Result<bool> {
    Ok(command::output(Command::new("id").arg("-u"))?.trim() == "0")
}

fn listed(packages: &[Package]) -> String {
    packages
        .iter()
        .map(|package| format!("  {:<12} {}", package.name, package.reason))
        .collect::<Vec<_>>()
        .join("\n")
}

fn advice(packages: &[Package]) -> String {
    let names: Vec<_> = packages.iter().map(|package| package.name).collect();
    format!("sudo apt-get update && sudo apt-get install --no-install-recommends {}", names.join(" "))
}

/// The policy file, if we made it: gone again when this is dropped. One that was there before is the machine's own, and stays.
struct Policy {
    ours: bool,
}

impl Policy {
    fn forbid_services() -> Result<Policy> {
        let path = Path::new(POLICY_FILE);
        match fs::File::create_new(path) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                say::line(&format!("setup: {POLICY_FILE} exists and decides whether services start"));
                return Ok(Policy { ours: false });
            }
            Err(error) => return Err(error).context(POLICY_FILE),
        }
        let policy = Policy { ours: true };
        fs::write(path, POLICY).context(POLICY_FILE)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).context(POLICY_FILE)?;
        Ok(policy)
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours {
            let _ = fs::remove_file(POLICY_FILE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_is_one_command_that_names_every_missing_package() {
        let line = advice(packages::NEEDED);
        assert_eq!(line.lines().count(), 1);
        for package in packages::NEEDED {
            assert!(line.contains(package.name), "{} is not in: {line}", package.name);
        }
    }
}
