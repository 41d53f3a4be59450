//! A program for `drayd` to run when a job has ended: it writes down how it was called, and succeeds when it shall.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// One program, with what it was told.
pub struct NotifyProgram {
    program: PathBuf,
}

impl NotifyProgram {
    /// A program that fails until [`NotifyProgram::succeed`].
    pub fn new(folder: &Path, name: &str) -> Result<NotifyProgram> {
        let program = folder.join(name);
        let text = "#!/bin/sh\necho \"$* $DRAY_JOB_ID $DRAY_JOB_STATE\" >>\"$0.out\"\ntest -e \"$0.good\"\n";
        fs::write(&program, text)?;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
        Ok(NotifyProgram { program })
    }

    /// From now on its exit code is 0.
    pub fn succeed(&self) -> Result<()> {
        Ok(fs::write(self.beside("good"), "")?)
    }

    /// Where it is.
    pub fn path(&self) -> Result<&str> {
        self.program.to_str().context("a path that is text")
    }

    /// Each of its runs: its arguments, then the job's id and state of its environment.
    pub fn runs(&self) -> Result<Vec<String>> {
        let told = match fs::read_to_string(self.beside("out")) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            told => told?,
        };
        // A line that is still being written is no run yet.
        Ok(told.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect())
    }

    fn beside(&self, extension: &str) -> PathBuf {
        self.program.with_extension(extension)
    }
}
