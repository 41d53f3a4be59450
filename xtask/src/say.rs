//! The one place that prints. All of it is for a person, so all of it goes to stderr.

use std::io::{self, Write};

/// Prints one line. A closed stderr is no reason to stop the work.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Announces a step, so that a long log can be searched for where it stood.
pub(crate) fn step(text: &str) {
    line(&format!("==> {text}"));
}
