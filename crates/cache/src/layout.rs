//! Where what lies below the store's directory.
//!
//! ```text
//! objects/ab/<root>        the bytes of a content
//! objects/ab/<root>.meta   its side file
//! names/cd/<hash>          link from a URL or digest to a root
//! incoming/<root>          marker: look at this content again; temporary files of copies
//! quarantine/              damaged files, a few, for a look
//! index/                   sled; index.corrupt-<time> are failed ones
//! lock                     held by the process that owns the index
//! ```

use std::path::{Path, PathBuf};

use dray_content::ContentId;
use dray_platform::{FileError, open};

use crate::name::Name;

/// Ending of side files.
const SIDE_ENDING: &str = ".meta";

#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// What a file below `objects/` is, by its name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FileKind {
    Object(ContentId),
    SideFile(ContentId),
    Temporary,
    Foreign,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Layout {
        Layout { root: root.to_owned() }
    }

    /// Makes the directories that are missing.
    pub(crate) fn create(&self) -> Result<(), FileError> {
        if !self.incoming().is_dir() {
            open::create_private_dir(&self.root)?;
            for name in ["objects", "names", "quarantine", "incoming"] {
                open::create_private_dir(&self.root.join(name))?;
            }
        }
        Ok(())
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn objects(&self) -> PathBuf {
        self.root.join("objects")
    }

    pub(crate) fn object(&self, id: &ContentId) -> PathBuf {
        let hex = id.to_string();
        self.objects().join(&hex[..2]).join(hex)
    }

    pub(crate) fn side_file(&self, id: &ContentId) -> PathBuf {
        let hex = id.to_string();
        self.objects().join(&hex[..2]).join(hex + SIDE_ENDING)
    }

    pub(crate) fn name(&self, name: &Name) -> PathBuf {
        let hex = name.to_string();
        self.root.join("names").join(&hex[..2]).join(hex)
    }

    pub(crate) fn incoming(&self) -> PathBuf {
        self.root.join("incoming")
    }

    pub(crate) fn marker(&self, id: &ContentId) -> PathBuf {
        self.incoming().join(id.to_string())
    }

    pub(crate) fn quarantine(&self) -> PathBuf {
        self.root.join("quarantine")
    }

    pub(crate) fn index(&self) -> PathBuf {
        self.root.join("index")
    }

    pub(crate) fn index_set_aside(&self, suffix: &str) -> PathBuf {
        self.root.join(format!("index.corrupt-{suffix}"))
    }

    /// Counts the openings of the index that are under way or did not end.
    pub(crate) fn index_opening(&self) -> PathBuf {
        self.root.join("index.opening")
    }

    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join("lock")
    }

    pub(crate) fn kind_of(file_name: &str) -> FileKind {
        if file_name.starts_with(".dray-") {
            return FileKind::Temporary;
        }
        let (stem, is_side) = match file_name.strip_suffix(SIDE_ENDING) {
            Some(stem) => (stem, true),
            None => (file_name, false),
        };
        match stem.parse() {
            Ok(id) if is_side => FileKind::SideFile(id),
            Ok(id) => FileKind::Object(id),
            Err(_) => FileKind::Foreign,
        }
    }
}

/// Does something that puts a file into a directory; when the directory is missing, makes it and tries once more.
pub(crate) fn in_new_dir<T>(path: &Path, attempt: impl Fn() -> Result<T, FileError>) -> Result<T, FileError> {
    match attempt() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if let Some(parent) = path.parent() {
                open::create_private_dir(parent)?;
            }
            attempt()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_told_by_its_name() {
        let id = ContentId([0xab; 32]);
        let layout = Layout::new(Path::new("/store"));
        let name_of = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(layout.object(&id).starts_with("/store/objects/ab"));
        assert_eq!(Layout::kind_of(&name_of(layout.object(&id))), FileKind::Object(id));
        assert_eq!(Layout::kind_of(&name_of(layout.side_file(&id))), FileKind::SideFile(id));
        assert_eq!(Layout::kind_of(open::temp_name().to_str().unwrap()), FileKind::Temporary);
        assert_eq!(Layout::kind_of("notes.txt"), FileKind::Foreign);
    }

    #[test]
    fn directories_are_made_once_and_again_where_missing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(&dir.path().join("a/store"));
        layout.create().unwrap();
        layout.create().unwrap();
        let object = layout.object(&ContentId([1; 32]));
        in_new_dir(&object, || open::create_new_private(&object)).unwrap();
        assert!(object.is_file());
    }
}
