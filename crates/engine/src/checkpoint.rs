//! Where a transfer stood: enough to go on with it after a stop or a crash, and to notice when it must start over.

use dray_content::{Algorithm, Digest, WholeHasher};
use dray_origin::Validators;
use dray_ranges::{RangeSet, RangeSpec};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::placement::Placement;
use crate::sink::Filled;
use crate::{FileTask, temp};

/// What the first line of a checkpoint says, with the version of what follows.
const MAGIC: &str = "dray-checkpoint-2";
/// No honest checkpoint is longer, in bytes; whoever reads one from a file stops there.
pub const MAX_CHECKPOINT_LEN: usize = 16 << 20;

/// How far a file is. Everything it claims was on disk before it was made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// SHA-256 of the remote name, which may hold secrets; a checkpoint of another one is of no use.
    pub source: String,
    /// The ranges that are packed in the sink, in their order; empty for a whole file.
    pub ranges: Vec<RangeSpec>,
    /// Which file the sink is (its number on its volume): claims are about that one and no other of its name.
    pub sink: u64,
    /// Size of the remote file in bytes, once known.
    pub size: Option<u64>,
    /// Strong or weak entity tag.
    pub etag: Option<String>,
    /// `Last-Modified`, as the origin wrote it.
    pub last_modified: Option<String>,
    /// Digests that the origin published with this version, as text.
    #[serde(default)]
    pub published: Vec<String>,
    /// The CRC-32C that it published.
    #[serde(default)]
    pub crc32c: Option<u32>,
    /// The bytes of the remote file that are in the sink.
    pub filled: RangeSet,
    /// What of them came from other machines and was not proven yet: it must not be given to others, and is the first to go when the
    /// whole does not fit its digest.
    #[serde(default)]
    pub unproven: RangeSet,
    /// Whether the origin gave them as it gives them to everyone; nobody else is given them otherwise.
    #[serde(default)]
    pub for_everyone: bool,
}

/// What a checkpoint knows a remote name by.
#[must_use]
pub fn source_of(url: &Url) -> String {
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    hasher.feed(0, url.as_str().as_bytes());
    hasher.finish().0.iter().map(Digest::to_string).collect()
}

/// Why bytes are not a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// Not written by this program, or cut off, or changed.
    #[error("the record of the transfer's progress is cut off or damaged")]
    Damaged,
    /// Written by a version that this one does not know.
    #[error("the record of the transfer's progress was written by another version")]
    OtherVersion,
}

impl Checkpoint {
    /// What the origin said to recognise the version that the filled bytes are of.
    #[must_use]
    pub fn validators(&self) -> Validators {
        Validators { size: self.size, etag: self.etag.clone(), last_modified: self.last_modified.clone() }
    }

    /// What of the sink it claims.
    pub(crate) fn filled(&self) -> Filled {
        Filled { all: self.filled.clone(), unproven: self.unproven.intersection(&self.filled) }
    }

    /// The published digests.
    pub(crate) fn published(&self) -> impl Iterator<Item = Digest> + '_ {
        self.published.iter().filter_map(|text| text.parse().ok())
    }

    /// Whether a transfer of that task may go on from here: the same remote name (unless the task allows another) and ranges, bytes that are still in the very file
    /// that they were written to, and something that will tell if the remote file has changed meanwhile.
    pub(crate) fn is_usable_for(&self, task: &FileTask) -> bool {
        let is_guarded = self.validators().if_range().is_some() || task.digest.is_some();
        let is_same = (task.resume_elsewhere || self.source == source_of(&task.url))
            && self.ranges == task.layout.specs().unwrap_or_default();
        let placement = Placement::of(&task.layout, self.size).ok();
        let local_end = placement.and_then(|placement| placement.local_end(&self.filled));
        let in_sink =
            temp::reopen(&task.temp, self.sink).ok().flatten().and_then(|file| file.metadata().ok());
        is_guarded && is_same && local_end.zip(in_sink).is_some_and(|(end, sink)| end <= sink.len())
    }

    /// Whether it was made at another URL than the task's.
    pub(crate) fn is_elsewhere(&self, task: &FileTask) -> bool {
        self.source != source_of(&task.url)
    }

    /// Whether an origin under another name has the same file: the same size, and the same time stamp or strong entity tag.
    pub(crate) fn is_of(&self, found: &Validators) -> bool {
        let known = self.validators();
        let same_date = known.last_modified.is_some() && known.last_modified == found.last_modified;
        let same_tag = known.strong_etag().is_some() && known.strong_etag() == found.strong_etag();
        known.size.is_some() && known.size == found.size && (same_date || same_tag)
    }

    /// Text: a magic line with the CRC-32 of the rest, then JSON.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let json = serde_json::to_string(self).expect("a struct of strings and numbers has a JSON form");
        format!("{MAGIC} {:08x}\n{json}\n", crc32fast::hash(json.as_bytes())).into_bytes()
    }

    /// Reads [`Self::to_bytes`] back.
    ///
    /// # Errors
    /// [`CheckpointError`] for anything that `to_bytes` did not write, whole and unchanged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CheckpointError> {
        use CheckpointError::{Damaged, OtherVersion};
        let text =
            std::str::from_utf8(bytes).ok().filter(|text| text.len() <= MAX_CHECKPOINT_LEN).ok_or(Damaged)?;
        let (head, json) = text.split_once('\n').ok_or(Damaged)?;
        let (magic, sum) = head.split_once(' ').ok_or(Damaged)?;
        if magic != MAGIC {
            return Err(if magic.starts_with("dray-checkpoint-") { OtherVersion } else { Damaged });
        }
        let json = json.strip_suffix('\n').ok_or(Damaged)?;
        if u32::from_str_radix(sum, 16) != Ok(crc32fast::hash(json.as_bytes())) {
            return Err(Damaged);
        }
        serde_json::from_str(json).map_err(|_| Damaged)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dray_ranges::ByteRange;

    fn sample() -> Checkpoint {
        Checkpoint {
            source: source_of(&"http://origin.example/file".parse().unwrap()),
            ranges: vec![],
            sink: 7,
            size: Some(1 << 40),
            etag: Some("\"abc\"".into()),
            last_modified: None,
            published: vec![],
            crc32c: Some(7),
            filled: [ByteRange::new(0, 10), ByteRange::new(90, 1 << 39)].into_iter().flatten().collect(),
            unproven: [ByteRange::new(3, 9)].into_iter().flatten().collect(),
            for_everyone: true,
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_it_is_written() {
        assert_eq!(Checkpoint::from_bytes(&sample().to_bytes()), Ok(sample()));
    }

    #[test]
    fn a_checkpoint_with_any_byte_changed_or_cut_off_is_damaged() {
        let bytes = sample().to_bytes();
        for at in 0..bytes.len() {
            assert!(Checkpoint::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Checkpoint::from_bytes(&changed) != Ok(sample()), "changed at {at}");
        }
        let newer = String::from_utf8(bytes).unwrap().replace("checkpoint-2", "checkpoint-3");
        assert_eq!(Checkpoint::from_bytes(newer.as_bytes()), Err(CheckpointError::OtherVersion));
    }
}
