//! An error of the file system that still knows which file it is about.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// What was being done, to which path, and what the system said.
#[derive(Debug)]
pub struct FileError {
    doing: &'static str,
    path: PathBuf,
    source: io::Error,
}

impl FileError {
    /// `doing` completes the sentence "cannot ...", as in "create", "rename".
    pub fn new(doing: &'static str, path: impl AsRef<Path>, source: io::Error) -> FileError {
        FileError { doing, path: path.as_ref().to_owned(), source }
    }

    /// The kind of the system's error.
    pub fn kind(&self) -> io::ErrorKind {
        self.source.kind()
    }

    /// The file or directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The system's own error.
    pub fn io(&self) -> &io::Error {
        &self.source
    }

    /// Whether the disk or the user's share of it is full.
    pub fn is_no_space(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge
        )
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}: {}", self.doing, self.path.display(), self.source)
    }
}

impl std::error::Error for FileError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

impl From<FileError> for io::Error {
    fn from(error: FileError) -> io::Error {
        io::Error::new(error.source.kind(), error)
    }
}

/// Adds the path to an `io::Result`.
pub(crate) trait Context<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, FileError>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, doing: &'static str, path: &Path) -> Result<T, FileError> {
        self.map_err(|source| FileError::new(doing, path, source))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sentence_names_the_deed_the_path_and_the_reason() {
        let error = FileError::new("open", "/a/b", io::ErrorKind::NotFound.into());
        assert_eq!(error.to_string(), "cannot open /a/b: entity not found");
        assert_eq!(io::Error::from(error).kind(), io::ErrorKind::NotFound);
    }
}
