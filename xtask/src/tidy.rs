//! `tidy`: the repository's rules as a program. Each rule is a pure function from text to findings, with its reason beside it.

mod house;
mod text;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::{command, say};

/// One tracked file that is text.
pub(crate) struct Source {
    /// Relative to the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One breach: where, and what is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    path: String,
    line: Option<usize>,
    what: String,
}

impl Finding {
    pub(crate) fn in_file(path: &str, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line: None, what: what.into() }
    }

    pub(crate) fn at(path: &str, line: usize, what: impl Into<String>) -> Finding {
        Finding { path: path.to_owned(), line: Some(line), what: what.into() }
    }

    fn shown(&self) -> String {
        match self.line {
            Some(line) => format!("{}:{line}: {}", self.path, self.what),
            None => format!("{}: {}", self.path, self.what),
        }
    }
}

pub(crate) fn run(root: &Path) -> Result<()> {
    say::step("tidy");
    let sources = tracked(root)?;
    let mut findings = text::check(&sources);
    findings.extend(house::check(&sources));
    for finding in &findings {
        say::line(&finding.shown());
    }
    match findings.len() {
        0 => Ok(()),
        count => bail!("tidy found {count} breaches of the repository's rules"),
    }
}

/// What git tracks or would track; build output and other people's files are not our business.
fn tracked(root: &Path) -> Result<Vec<Source>> {
    let mut git = Command::new("git");
    git.current_dir(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let listing = command::output(&mut git).context("tidy asks git for the list of files")?;
    let mut sources = Vec::new();
    for path in listing.split('\0').filter(|path| !path.is_empty()) {
        let file = root.join(path);
        if !file.is_file() {
            continue; // deleted, and not committed yet
        }
        let bytes = fs::read(&file).with_context(|| file.display().to_string())?;
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path: path.to_owned(), text });
        }
    }
    Ok(sources)
}
