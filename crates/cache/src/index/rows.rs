//! Keys and values of the index.
//!
//! | key | value |
//! |---|---|
//! | `c` + root (32 bytes) | version, size, adopted, last used, flags: one content |
//! | `n` + hash of a name (32 bytes) | root that the name leads to |
//! | `b` | the run of the machine in which the index was last compared with the files |
//!
//! Numbers are big endian; values begin with a version byte, and may grow at the end: pins and expiry will.

use dray_content::ContentId;

use super::store::IndexError;
use crate::name::Name;

pub(super) const CONTENTS: &[u8] = b"c";
pub(super) const COMPARED: &[u8] = b"b";
const NAMES: &[u8] = b"n";
const VERSION: u8 = 1;

/// What the index knows of a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ContentRow {
    /// Bytes.
    pub(crate) size: u64,
    /// Milliseconds since 1970.
    pub(crate) adopted_ms: u64,
    /// Milliseconds since 1970, when the row was written. The side file's modification time is the clock; this stands in for it.
    pub(crate) last_used_ms: u64,
}

impl ContentRow {
    pub(super) fn encode(&self) -> Vec<u8> {
        let numbers = [self.size, self.adopted_ms, self.last_used_ms].map(u64::to_be_bytes);
        [&[VERSION][..], numbers.as_flattened()].concat()
    }

    pub(super) fn decode(value: &[u8]) -> Result<ContentRow, IndexError> {
        let Some((&VERSION, rest)) = value.split_first() else { return Err(IndexError::BadRow) };
        let (numbers, _) = rest.as_chunks::<8>();
        match numbers {
            [size, adopted, used, ..] => Ok(ContentRow {
                size: u64::from_be_bytes(*size),
                adopted_ms: u64::from_be_bytes(*adopted),
                last_used_ms: u64::from_be_bytes(*used),
            }),
            _ => Err(IndexError::BadRow),
        }
    }
}

pub(super) fn content_key(id: &ContentId) -> Vec<u8> {
    [CONTENTS, &id.0].concat()
}

pub(super) fn name_key(name: &Name) -> Vec<u8> {
    [NAMES, &name.0].concat()
}

/// The root in a content's key.
pub(super) fn id_of_key(key: &[u8]) -> Result<ContentId, IndexError> {
    let root = key.strip_prefix(CONTENTS).ok_or(IndexError::BadRow)?;
    Ok(ContentId(root.try_into().map_err(|_| IndexError::BadRow)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_reads_back_and_may_grow() {
        let row = ContentRow { size: 1, adopted_ms: 2, last_used_ms: u64::MAX };
        let mut value = row.encode();
        assert_eq!(ContentRow::decode(&value).unwrap(), row);
        value.extend_from_slice(b"more");
        assert_eq!(ContentRow::decode(&value).unwrap(), row);
        assert!(ContentRow::decode(&value[..20]).is_err());
        assert!(ContentRow::decode(&[]).is_err());
        value[0] = 9;
        assert!(ContentRow::decode(&value).is_err());
    }

    #[test]
    fn a_key_names_its_content() {
        let id = ContentId([7; 32]);
        assert_eq!(id_of_key(&content_key(&id)).unwrap(), id);
        assert!(id_of_key(b"c123").is_err());
    }
}
