//! The one place that prints: data on stdout, everything else on stderr, readable without colour.

use std::io::{IsTerminal as _, Write as _};

use crate::exit::Exit;

/// Where output goes and how much of it there is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    /// Results as JSON instead of text.
    pub(crate) json: bool,
    quiet: bool,
}

impl Printer {
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// A result: one line on stdout. A reader that went away is no failure of ours.
    pub(crate) fn data(&self, line: &str) {
        let _ = writeln!(std::io::stdout(), "{line}");
    }

    /// A result that is bytes, as they are. The caller stops at an error: whoever reads them has gone.
    pub(crate) fn raw(&self, bytes: &[u8]) -> std::io::Result<()> {
        let mut stdout = std::io::stdout().lock();
        stdout.write_all(bytes)?;
        stdout.flush()
    }

    /// A result as one JSON object on one line.
    pub(crate) fn json(&self, value: &serde_json::Value) {
        self.data(&value.to_string());
    }

    /// Something that a person likes to know; not with `--quiet`.
    pub(crate) fn note(&self, line: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr(), "{line}");
        }
    }

    /// Why the command fails: one sentence, printed once.
    pub(crate) fn failure(&self, exit: Exit, sentence: &str) -> Exit {
        let _ = writeln!(std::io::stderr(), "dray: {sentence}");
        exit
    }

    /// Whether a progress bar has somewhere to be drawn.
    pub(crate) fn shows_progress(&self) -> bool {
        !self.json && !self.quiet && std::io::stderr().is_terminal()
    }

    pub(crate) fn version(&self) {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            self.json(&serde_json::json!({ "version": version }));
        } else {
            self.data(&format!("dray {version}"));
        }
    }
}

/// Bytes for people: `17 B`, `1.5 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}
