//! What is stored: tables, keys, and the shape of a value.
//!
//! A value is a version byte, the CRC-32 of what follows, and JSON. The checksum is for the disk: redb checks its
//! pages only after a crash, and a flipped digit in JSON would pass for another number.

use redb::TableDefinition;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A job's id, as its sixteen bytes.
pub(crate) type JobKey = [u8; 16];

/// A file's place: its job, and its number in the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileKey {
    pub(crate) job: JobKey,
    pub(crate) index: u32,
}

/// Big-endian, so that the files of a job stand together and in order.
const FILE_KEY_BYTES: usize = 20;

impl FileKey {
    pub(super) fn to_bytes(self) -> [u8; FILE_KEY_BYTES] {
        let mut bytes = [0; FILE_KEY_BYTES];
        bytes[..16].copy_from_slice(&self.job);
        bytes[16..].copy_from_slice(&self.index.to_be_bytes());
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Option<FileKey> {
        let (job, index) = bytes.split_first_chunk::<16>()?;
        Some(FileKey { job: *job, index: u32::from_be_bytes(index.try_into().ok()?) })
    }
}

/// A job and what belongs to it, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawJob {
    pub(crate) key: JobKey,
    pub(crate) job: Vec<u8>,
    /// In the order of their numbers, which may have holes where the disk lost a row.
    pub(crate) files: Vec<RawFile>,
}

/// A file of a job, as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawFile {
    pub(crate) index: u32,
    pub(crate) file: Vec<u8>,
    pub(crate) checkpoint: Option<Vec<u8>>,
    /// What the finished temporary file is known by.
    pub(crate) proven: Option<Vec<u8>>,
}

pub(super) type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const ABOUT: Table = TableDefinition::new("about");
pub(super) const JOBS: Table = TableDefinition::new("jobs");
pub(super) const FILES: Table = TableDefinition::new("files");
pub(super) const CHECKPOINTS: Table = TableDefinition::new("checkpoints");
pub(super) const PROVEN: Table = TableDefinition::new("proven");
/// Rows that did not read, under the key they had, for a person to look at.
pub(super) const SET_ASIDE: Table = TableDefinition::new("set_aside");

/// The layout of the tables, stored under [`FORMAT_KEY`].
pub(super) const FORMAT: &[u8] = b"1";
pub(super) const FORMAT_KEY: &[u8] = b"format";

const VALUE_VERSION: u8 = 1;

/// Largest value that is read back: a file with 500 ranges and the longest names is far below.
const MAX_VALUE_BYTES: usize = 1 << 20;

/// Why a stored value means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadValue {
    #[error("the record is longer than any that drayd writes")]
    TooLong,
    #[error("the record was written by another version of drayd ({0})")]
    Version(u8),
    #[error("the record is damaged: its checksum does not match")]
    Checksum,
    #[error("the record does not read: {0}")]
    Json(String),
}

/// The bytes that stand for `value`.
pub(crate) fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = vec![VALUE_VERSION, 0, 0, 0, 0];
    serde_json::to_writer(&mut bytes, value).expect("records are plain structs of strings and numbers");
    let sum = crc32fast::hash(&bytes[5..]);
    bytes[1..5].copy_from_slice(&sum.to_le_bytes());
    bytes
}

/// The value that `bytes` stand for.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, BadValue> {
    if bytes.len() > MAX_VALUE_BYTES {
        return Err(BadValue::TooLong);
    }
    match bytes.split_first() {
        Some((&VALUE_VERSION, rest)) => {
            let (sum, json) = rest.split_first_chunk::<4>().ok_or(BadValue::Checksum)?;
            if crc32fast::hash(json) != u32::from_le_bytes(*sum) {
                return Err(BadValue::Checksum);
            }
            serde_json::from_slice(json).map_err(|e| BadValue::Json(e.to_string()))
        }
        Some((&other, _)) => Err(BadValue::Version(other)),
        None => Err(BadValue::Checksum),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_reads_back_and_no_single_byte_of_it_can_change_unnoticed() {
        let value = vec!["a".to_owned(), "b".to_owned()];
        let bytes = encode(&value);
        assert_eq!(decode::<Vec<String>>(&bytes), Ok(value));
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 0x20;
            assert!(decode::<Vec<String>>(&bad).is_err(), "byte {at}");
            assert!(decode::<Vec<String>>(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn another_version_is_called_so() {
        assert_eq!(decode::<u32>(&[9, 0, 0, 0, 0]), Err(BadValue::Version(9)));
    }

    #[test]
    fn file_keys_sort_as_their_numbers_do() {
        let key = |index| FileKey { job: [7; 16], index };
        assert!(key(2).to_bytes() < key(10).to_bytes());
        assert!(key(255).to_bytes() < key(256).to_bytes());
        assert_eq!(FileKey::from_bytes(&key(77).to_bytes()), Some(key(77)));
        assert_eq!(FileKey::from_bytes(&[0; 19]), None);
    }
}
