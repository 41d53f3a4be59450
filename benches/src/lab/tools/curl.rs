//! curl from the origin, with or without others who do the same.

use anyhow::Result;
use dray_tests::{Running, system_program};

use super::super::course::{Course, NAME};
use super::{Entrant, Team, shown};

pub(super) struct Alone;

impl Team for Alone {
    fn start(&mut self, course: &Course, machine: usize) -> Result<Entrant> {
        fetch(course, machine, &[])
    }
}

/// One curl on one machine.
pub(super) fn fetch(course: &Course, machine: usize, options: &[&str]) -> Result<Entrant> {
    from(course, machine, &course.url(), options)
}

/// From the origin's nginx over TLS, with the cipher that both prefer.
pub(in super::super) fn over_tls(course: &Course) -> Result<Entrant> {
    let root = shown(&course.origin.root_certificate());
    from(course, 1, &course.origin.tls_url(NAME), &["--cacert", &root])
}

fn from(course: &Course, machine: usize, url: &str, options: &[&str]) -> Result<Entrant> {
    let folder = course.folder(machine, "curl")?;
    let file = folder.join(NAME);
    let mut curl = course.machines[machine].command(&system_program("curl")?)?;
    curl.args(["-q", "-sS", "--fail"]).args(options).arg("-o").arg(&file).arg(url);
    Ok(Entrant { running: Running::start(curl, &folder)?, file, mark: None })
}
