//! The stories on disk: one line of JSON each, appended; the file is written anew when most of it is of the past.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Result, Seek as _, SeekFrom, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use dray_platform::{durable, open};

use super::stories::MAX_STORIES;
use super::story::Story;

/// Lines in the file before it is written anew.
const MAX_LINES: usize = 2 * MAX_STORIES;
/// Most that is read of the file: more than all lines at their longest usual.
const MAX_FILE_BYTES: u64 = 64 << 20;

/// The file.
#[derive(Clone)]
pub(super) struct Journal {
    path: PathBuf,
    lines: usize,
}

impl Journal {
    /// Reads what is there. A line that does not read, as the last one after a crash, is passed over.
    pub(super) fn open(path: PathBuf, mut tell: impl FnMut(Story)) -> Journal {
        let mut lines = 0;
        if let Ok(file) = open::open_nofollow(&path) {
            for line in BufReader::new(file.take(MAX_FILE_BYTES)).split(b'\n').map_while(Result::ok) {
                lines += 1;
                if let Ok(story) = serde_json::from_slice(&line) {
                    tell(story);
                }
            }
        }
        Journal { path, lines }
    }

    /// Whether the file is to be written anew rather than to get `more` lines.
    pub(super) fn is_due(&self, more: usize) -> bool {
        self.lines + more > MAX_LINES
    }

    /// What will be in the file.
    pub(super) fn note(&mut self, more: usize, all: Option<usize>) {
        self.lines = all.unwrap_or(self.lines + more);
    }

    /// Adds lines. Nothing waits for the disk.
    pub(super) fn append(&self, stories: &[Arc<Story>]) -> Result<()> {
        if stories.is_empty() {
            return Ok(());
        }
        let mut file = open::open_or_create_private(&self.path).map_err(std::io::Error::other)?;
        let mut text = Vec::new();
        if !ends_in_newline(&mut file)? {
            text.push(b'\n');
        }
        write_lines(&mut text, stories);
        file.seek(SeekFrom::End(0))?;
        file.write_all(&text)
    }

    /// Puts these lines in the place of all.
    pub(super) fn replace(&self, stories: &[Arc<Story>]) -> Result<()> {
        let mut text = Vec::new();
        write_lines(&mut text, stories);
        durable::write_atomic_relaxed(&self.path, &text).map_err(std::io::Error::other)
    }
}

/// Half a line that a crash left would spoil the next one.
fn ends_in_newline(file: &mut File) -> Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn write_lines(text: &mut Vec<u8>, stories: &[Arc<Story>]) {
    for story in stories {
        serde_json::to_writer(&mut *text, &**story).expect("a story is plain strings and numbers");
        text.push(b'\n');
    }
}
