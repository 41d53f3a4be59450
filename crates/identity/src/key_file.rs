//! The file that a key lives in: libp2p's protobuf form of a private key, private to its owner, durable before it is used.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use dray_platform::{FileError, durable, open};
use libp2p_identity::{KeyType, Keypair};
use zeroize::Zeroizing;

use crate::IdentityError;

/// A key takes 68 bytes; no more than this is read of whatever is there.
const MAX_FILE_BYTES: u64 = 4096;
/// How often a file that comes and goes while we look is looked for.
const TRIES: u32 = 8;

pub(crate) fn load_or_create(path: &Path) -> Result<Keypair, IdentityError> {
    let mut last = None;
    for _ in 0..TRIES {
        match open::open_nofollow(path) {
            Ok(file) => match read(file, path)? {
                Some(keypair) => return Ok(keypair),
                None => set_aside(path)?,
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.into()),
        }
        let keypair = Keypair::generate_ed25519();
        match create(path, &keypair) {
            Ok(()) => return Ok(keypair),
            // Another process was quicker: one machine has one name, so its key is ours.
            Err(IdentityError::File(error)) if error.kind() == io::ErrorKind::AlreadyExists => {
                last = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    let gone = || FileError::new("create", path, io::ErrorKind::AlreadyExists.into());
    Err(last.unwrap_or_else(gone).into())
}

/// `None` when the file is not a key of ours.
fn read(file: File, path: &Path) -> Result<Option<Keypair>, FileError> {
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(|error| FileError::new("read", path, error))?;
    Ok(Keypair::from_protobuf_encoding(&bytes).ok().filter(|key| key.key_type() == KeyType::Ed25519))
}

fn set_aside(path: &Path) -> Result<(), FileError> {
    let mut name = OsString::from(path);
    name.push(".damaged");
    let aside = PathBuf::from(name);
    durable::replace(path, &aside)?;
    tracing::warn!(
        path = %path.display(), aside = %aside.display(),
        "the file of the node's key is damaged; it was set aside, and this machine gets a new identity"
    );
    Ok(())
}

/// Never replaces a file that is there.
fn create(path: &Path, keypair: &Keypair) -> Result<(), IdentityError> {
    let bytes = keypair.to_protobuf_encoding().map_err(|error| IdentityError::Encode(error.to_string()))?;
    let bytes = Zeroizing::new(bytes);
    let (mut file, temp) = open::create_temp_beside(path)?;
    let placed = file
        .write_all(&bytes)
        .and_then(|()| file.sync_all())
        .map_err(|error| FileError::new("write", &temp, error))
        .and_then(|()| {
            drop(file);
            durable::rename_noreplace(&temp, path)
        });
    if placed.is_err() {
        let _ = std::fs::remove_file(&temp);
    }
    placed?;
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    durable::sync_dir(parent.unwrap_or(Path::new(".")))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NodeKey;

    #[test]
    fn a_key_is_the_same_the_next_time_and_private_to_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let first = NodeKey::load_or_create(&path).unwrap();
        assert_eq!(NodeKey::load_or_create(&path).unwrap().peer_id(), first.peer_id());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn a_damaged_key_is_set_aside_and_a_new_one_takes_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let first = NodeKey::load_or_create(&path).unwrap().peer_id();
        let mut bytes = std::fs::read(&path).unwrap();
        // The public half is in the file too, so that a flipped bit anywhere is noticed.
        bytes[40] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let second = NodeKey::load_or_create(&path).unwrap().peer_id();
        assert_ne!(second, first);
        assert_eq!(std::fs::read(dir.path().join("node.key.damaged")).unwrap(), bytes);
        for garbage in [&b""[..], b"not a key", &[0; 10_000]] {
            std::fs::write(&path, garbage).unwrap();
            let fresh = NodeKey::load_or_create(&path).unwrap().peer_id();
            assert_eq!(NodeKey::load_or_create(&path).unwrap().peer_id(), fresh);
        }
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.key");
        let names: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| NodeKey::load_or_create(&path).unwrap().peer_id())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(names.iter().all(|name| *name == names[0]));
    }

    #[test]
    fn a_key_that_cannot_be_written_is_an_error_that_names_the_file() {
        let error = NodeKey::load_or_create(Path::new("/nonexistent/dir/node.key")).unwrap_err();
        assert!(error.to_string().contains("/nonexistent/dir"), "{error}");
    }
}
