//! Complete, on the disk: files that have arrived get their final names.
//!
//! The engine left each temporary file as the final one shall be, rights and time included, and what it is known by was
//! recorded with its arrival. Only that very file gets the name. A crash at any moment leaves either the temporary file
//! or the final one, and the next Complete knows which: a temporary file that is missing while the destination carries
//! the recorded stamp was renamed before the crash.
//!
//! Whatever else is found there is BG_E_VALIDATION_FAILED, and the queue has the file fetched anew.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use dray_jobs::{Code, Failure, FileIndex};
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};

use super::local_error::failure;
use super::proven::Proven;

/// A file that is to get its final name.
#[derive(Debug, Clone)]
pub(crate) struct ToPlace {
    pub(crate) index: FileIndex,
    pub(crate) temp: PathBuf,
    pub(crate) destination: PathBuf,
    /// What was proven.
    pub(crate) proven: Option<Proven>,
}

/// Gives every file its name and waits until the names are on the disk; says of each what became of it.
pub(crate) fn place(files: &[ToPlace]) -> Vec<(FileIndex, Result<(), Failure>)> {
    let outcomes: Vec<_> = files.iter().map(place_one).collect();
    let mut directories: BTreeMap<&Path, Result<(), Failure>> = BTreeMap::new();
    for file in files {
        directories.entry(directory_of(&file.destination)).or_insert(Ok(()));
    }
    for (directory, synced) in &mut directories {
        *synced = durable::sync_dir(directory).map_err(|error| failure(&error));
    }
    let synced = |file: &ToPlace| directories.get(directory_of(&file.destination)).cloned().unwrap_or(Ok(()));
    let outcomes = files.iter().zip(outcomes);
    outcomes.map(|(file, outcome)| (file.index, outcome.and_then(|()| synced(file)))).collect()
}

fn place_one(file: &ToPlace) -> Result<(), Failure> {
    let temp = match open::open_nofollow(&file.temp) {
        Ok(temp) => temp,
        Err(error) if error.kind() == ErrorKind::NotFound => return was_placed(file, &error),
        // A link, a directory, a pipe.
        Err(error) if error.kind() == ErrorKind::InvalidInput => return Err(replaced(&file.temp)),
        Err(error) => return Err(failure(&error)),
    };
    let stamp =
        FileStamp::of(&temp).map_err(|error| failure(&FileError::new("look at", &file.temp, error)))?;
    if !file.proven.is_some_and(|proven| proven.is(&stamp)) {
        return Err(replaced(&file.temp));
    }
    // Some systems would replace an empty directory that is in the way.
    if file.destination.is_dir() {
        let sentence = format!(
            "{} is a directory; move it away and complete the job again.",
            file.destination.display()
        );
        return Err(Failure::new(Code::ERROR_DIRECTORY, sentence));
    }
    durable::replace(&file.temp, &file.destination).map_err(|error| failure(&error))?;
    // Names can be exchanged between two calls; the open file cannot.
    match FileStamp::of_path(&file.destination) {
        Ok(placed) if placed.same_file(&stamp) => Ok(()),
        _ => Err(replaced(&file.destination)),
    }
}

fn was_placed(file: &ToPlace, missing: &FileError) -> Result<(), Failure> {
    let placed = FileStamp::of_path(&file.destination).ok().zip(file.proven);
    if placed.is_some_and(|(stamp, proven)| proven.is(&stamp)) {
        return Ok(());
    }
    // Without its directory, as on a drive that is not mounted, the file may well come back.
    if !directory_of(&file.temp).is_dir() {
        return Err(failure(missing));
    }
    let sentence = format!("{} is gone.", file.temp.display());
    Err(Failure::new(Code::BG_E_VALIDATION_FAILED, sentence))
}

fn replaced(path: &Path) -> Failure {
    let sentence =
        format!("{} is not the file that was proven; something replaced or changed it.", path.display());
    Failure::new(Code::BG_E_VALIDATION_FAILED, sentence)
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
                proven: None,
            }
        }

        fn with_temp(&self, number: u32) -> ToPlace {
            let file = self.file(number);
            drop(open::create_new_private(&file.temp).unwrap());
            std::fs::write(&file.temp, format!("file {number}")).unwrap();
            ToPlace { proven: FileStamp::of_path(&file.temp).ok().map(Proven::of), ..file }
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
        assert_eq!(place(&[file]), [(FileIndex(1), Ok(()))]);
        assert!(!temp.exists());
        assert_eq!(std::fs::read(&destination).unwrap(), b"file 1");
    }

    #[test]
    fn a_rename_that_was_not_acknowledged_is_recognised_by_what_was_proven() {
        let folder = folder();
        let file = folder.with_temp(1);
        assert_eq!(place_one(&file), Ok(()));
        assert_eq!(place_one(&file), Ok(()), "again, after a crash");
        let unknown = ToPlace { proven: None, ..file.clone() };
        assert_eq!(place_one(&unknown).unwrap_err().code, Code::BG_E_VALIDATION_FAILED);

        let aside = folder.0.path().join("aside");
        std::fs::write(&aside, b"file 2").unwrap();
        std::fs::rename(&aside, &file.destination).unwrap();
        let lost = place_one(&file).unwrap_err();
        assert_eq!(lost.code, Code::BG_E_VALIDATION_FAILED, "another file of that size");
        assert!(lost.sentence.contains("1.tmp is gone"), "{lost}");
    }

    #[test]
    fn a_file_whose_directory_is_not_there_may_come_back() {
        let folder = folder();
        let file = folder.with_temp(1);
        let away = ToPlace { temp: folder.0.path().join("drive/1.tmp"), ..file };
        assert_eq!(place_one(&away).unwrap_err().code, Code::ERROR_FILE_NOT_FOUND);
    }

    #[test]
    fn nothing_but_what_was_proven_gets_the_name() {
        let folder = folder();
        let aside = folder.0.path().join("aside");
        let cut = |file: &ToPlace| std::fs::write(&file.temp, b"f").unwrap();
        let other = |file: &ToPlace| {
            std::fs::write(&aside, b"file 1").unwrap();
            std::fs::rename(&aside, &file.temp).unwrap();
        };
        let edited = |file: &ToPlace| {
            let temp = open::open_nofollow_writable(&file.temp).unwrap();
            dray_platform::positioned::write_all_at(&temp, b"F", 0).unwrap();
            dray_platform::times::set_modified(&temp, std::time::SystemTime::UNIX_EPOCH).unwrap();
        };
        let directory = |file: &ToPlace| {
            std::fs::remove_file(&file.temp).unwrap();
            std::fs::create_dir(&file.temp).unwrap();
        };
        let spoil: [&dyn Fn(&ToPlace); 4] = [&cut, &other, &edited, &directory];
        for (number, spoil) in (1..).zip(spoil) {
            let file = folder.with_temp(number);
            spoil(&file);
            let refused = place_one(&file).unwrap_err();
            assert_eq!(refused.code, Code::BG_E_VALIDATION_FAILED, "{number}");
            assert!(refused.sentence.contains("is not the file that was proven"), "{refused}");
            assert!(!file.destination.exists());
        }
    }

    #[test]
    fn a_directory_in_the_way_keeps_its_place_and_the_others_are_done() {
        let folder = folder();
        let files: Vec<_> = (1..=3).map(|number| folder.with_temp(number)).collect();
        std::fs::create_dir(&files[1].destination).unwrap();
        let outcomes = place(&files);
        assert_eq!((&outcomes[0].1, &outcomes[2].1), (&Ok(()), &Ok(())));
        let refused = outcomes[1].1.clone().unwrap_err();
        assert_eq!(refused.code, Code::ERROR_DIRECTORY);
        assert!(refused.sentence.contains("2.iso is a directory"), "{refused}");
        assert!(!files[0].temp.exists() && files[1].temp.exists() && !files[2].temp.exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_the_place_of_the_temporary_file_is_refused() {
        let folder = folder();
        let file = folder.with_temp(1);
        let target = folder.0.path().join("target");
        std::fs::rename(&file.temp, &target).unwrap();
        std::os::unix::fs::symlink(&target, &file.temp).unwrap();
        assert_eq!(place_one(&file).unwrap_err().code, Code::BG_E_VALIDATION_FAILED);
    }
}
