//! Complete, on the disk: files that have arrived get their final names.
//!
//! The engine left each temporary file as the final one shall be, rights and time included. What remains happens in
//! three steps, so that a crash at any moment leaves either the temporary file or the final one, and the next
//! Complete knows which: [`prepare`] takes the stamp of each temporary file; the caller records the stamps durably;
//! [`rename`] gives the names. A temporary file that is missing while the destination carries the recorded stamp was
//! renamed before the crash.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dray_jobs::{Code, Failure, FileIndex};
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};
use serde::{Deserialize, Serialize};

use super::local_error::failure;

/// A file that is to get its final name.
#[derive(Debug, Clone)]
pub(crate) struct ToPlace {
    pub(crate) index: FileIndex,
    pub(crate) temp: PathBuf,
    pub(crate) destination: PathBuf,
    /// What an earlier Complete meant to rename.
    pub(crate) intended: Option<Intent>,
}

/// What is about to be renamed, as recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Intent {
    volume: u64,
    file: u64,
    size: u64,
    modified_ns: i64,
}

impl Intent {
    fn of(stamp: FileStamp) -> Intent {
        Intent { volume: stamp.volume, file: stamp.file, size: stamp.size, modified_ns: stamp.modified_ns }
    }

    fn is(&self, stamp: &FileStamp) -> bool {
        let then = FileStamp {
            volume: self.volume,
            file: self.file,
            size: self.size,
            modified_ns: self.modified_ns,
            changed_ns: 0,
            links: 1,
        };
        stamp.unchanged_since(&then)
    }
}

/// A file after [`prepare`].
#[derive(Debug)]
pub(crate) enum Prepared {
    /// To be renamed.
    Ready { file: ToPlace, intent: Intent },
    /// Renamed by an earlier Complete that did not live to say so.
    Placed { index: FileIndex, directory: PathBuf },
}

/// Looks whether the temporary file is there, and takes its stamp.
pub(crate) fn prepare(file: ToPlace) -> Result<Prepared, Failure> {
    let temp = match open::open_nofollow(&file.temp) {
        Ok(temp) => temp,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return was_placed(file, &error),
        Err(error) => return Err(failure(&error)),
    };
    let stamp =
        FileStamp::of(&temp).map_err(|error| failure(&FileError::new("look at", &file.temp, error)))?;
    Ok(Prepared::Ready { intent: Intent::of(stamp), file })
}

fn was_placed(file: ToPlace, missing: &FileError) -> Result<Prepared, Failure> {
    let intended = file.intended.ok_or_else(|| failure(missing))?;
    match FileStamp::of_path(&file.destination) {
        Ok(stamp) if intended.is(&stamp) => {
            Ok(Prepared::Placed { index: file.index, directory: directory_of(&file.destination).to_owned() })
        }
        _ => Err(failure(missing)),
    }
}

/// Gives every file its name and waits until the names are on the disk; says of each what became of it.
pub(crate) fn rename(files: Vec<Prepared>) -> Vec<(FileIndex, Result<(), Failure>)> {
    let mut outcomes = Vec::new();
    let mut directories: BTreeMap<PathBuf, Result<(), Failure>> = BTreeMap::new();
    for file in files {
        let (index, outcome, directory) = match file {
            Prepared::Placed { index, directory } => (index, Ok(()), directory),
            Prepared::Ready { file, .. } => {
                (file.index, rename_one(&file), directory_of(&file.destination).to_owned())
            }
        };
        directories.entry(directory.clone()).or_insert(Ok(()));
        outcomes.push((index, outcome, directory));
    }
    for (directory, synced) in &mut directories {
        *synced = durable::sync_dir(directory).map_err(|error| failure(&error));
    }
    let synced = |directory: &Path| directories.get(directory).cloned().unwrap_or(Ok(()));
    outcomes
        .into_iter()
        .map(|(index, outcome, directory)| (index, outcome.and_then(|()| synced(&directory))))
        .collect()
}

fn rename_one(file: &ToPlace) -> Result<(), Failure> {
    // Some systems would replace an empty directory that is in the way.
    if file.destination.is_dir() {
        let sentence = format!(
            "{} is a directory; move it away and complete the job again.",
            file.destination.display()
        );
        return Err(Failure::new(Code::ERROR_DIRECTORY, sentence));
    }
    durable::replace(&file.temp, &file.destination).map_err(|error| failure(&error))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(tempfile::TempDir);

    impl Folder {
        fn file(&self, number: u32) -> ToPlace {
            ToPlace {
                index: FileIndex(number),
                temp: self.0.path().join(format!("{number}.tmp")),
                destination: self.0.path().join(format!("{number}.iso")),
                intended: None,
            }
        }

        fn with_temp(&self, number: u32) -> ToPlace {
            let file = self.file(number);
            drop(open::create_new_private(&file.temp).unwrap());
            std::fs::write(&file.temp, format!("file {number}")).unwrap();
            file
        }
    }

    fn folder() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    #[test]
    fn a_file_takes_its_name_and_replaces_what_was_there() {
        let folder = folder();
        let file = folder.with_temp(1);
        std::fs::write(&file.destination, b"old").unwrap();
        let (temp, destination) = (file.temp.clone(), file.destination.clone());
        assert_eq!(rename(vec![prepare(file).unwrap()]), [(FileIndex(1), Ok(()))]);
        assert!(!temp.exists());
        assert_eq!(std::fs::read(&destination).unwrap(), b"file 1");
    }

    #[test]
    fn a_rename_that_was_not_acknowledged_is_recognised_by_its_intent() {
        let folder = folder();
        let mut file = folder.with_temp(1);
        let Prepared::Ready { file: ready, intent } = prepare(file.clone()).unwrap() else { panic!("ready") };
        rename_one(&ready).unwrap();
        assert_eq!(prepare(file.clone()).unwrap_err().code, Code::ERROR_FILE_NOT_FOUND, "without the intent");
        file.intended = Some(intent);
        let again = prepare(file.clone()).unwrap();
        assert!(matches!(again, Prepared::Placed { index: FileIndex(1), .. }));
        assert_eq!(rename(vec![again]), [(FileIndex(1), Ok(()))]);

        std::fs::remove_file(&file.destination).unwrap();
        std::fs::write(&file.destination, b"file 2").unwrap();
        assert_eq!(prepare(file).unwrap_err().code, Code::ERROR_FILE_NOT_FOUND, "another file of that size");
    }

    #[test]
    fn a_directory_in_the_way_keeps_its_place_and_the_others_are_done() {
        let folder = folder();
        let files: Vec<_> = (1..=3).map(|number| folder.with_temp(number)).collect();
        std::fs::create_dir(&files[1].destination).unwrap();
        let temps: Vec<_> = files.iter().map(|file| file.temp.clone()).collect();
        let outcomes = rename(files.into_iter().map(|file| prepare(file).unwrap()).collect());
        assert_eq!((&outcomes[0].1, &outcomes[2].1), (&Ok(()), &Ok(())));
        let refused = outcomes[1].1.clone().unwrap_err();
        assert_eq!(refused.code, Code::ERROR_DIRECTORY);
        assert!(refused.sentence.contains("2.iso is a directory"), "{refused}");
        assert!(!temps[0].exists() && temps[1].exists() && !temps[2].exists());
    }

    #[test]
    fn a_link_in_the_place_of_the_temporary_file_is_refused() {
        let folder = folder();
        let file = folder.file(1);
        std::fs::write(folder.0.path().join("target"), b"x").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.0.path().join("target"), &file.temp).unwrap();
        assert!(prepare(file).is_err());
    }
}
