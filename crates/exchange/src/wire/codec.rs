//! Numbers, texts, sets and holdings as bytes.

use dray_content::{Algorithm, ContentId, Digest};

use super::{FRAME_HEAD, MAX_DIGESTS, WireError};
use crate::holding::{Change, Holding};
use crate::{MAX_PIECES, PieceSet};

const WANTS: u64 = 1;
const SIZE: u64 = 2;
const ROOT: u64 = 4;
const HAVE_MORE: u64 = 8;
const HAVE_LESS: u64 = 16;
const FETCHING_MORE: u64 = 32;
const FETCHING_LESS: u64 = 64;

const RUNS: u8 = 0;
const BITMAP: u8 = 1;

/// Builds one frame.
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn frame(kind: u8) -> Self {
        Self { bytes: vec![0, 0, 0, 0, kind] }
    }

    /// The frame with its length filled in.
    pub(super) fn finish(mut self) -> Vec<u8> {
        let len = u32::try_from(self.bytes.len() + 1 - FRAME_HEAD).unwrap_or(u32::MAX);
        self.bytes[..4].copy_from_slice(&len.to_be_bytes());
        self.bytes
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(super) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn number(&mut self, mut number: u64) {
        loop {
            let low = number.to_le_bytes()[0] & 0x7F;
            number >>= 7;
            self.byte(if number == 0 { low } else { low | 0x80 });
            if number == 0 {
                break;
            }
        }
    }

    pub(super) fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.raw(text.as_bytes());
    }

    pub(super) fn digest(&mut self, digest: &Digest) {
        self.byte(match digest.algorithm() {
            Algorithm::Sha256 => 1,
            Algorithm::Sha512 => 2,
            Algorithm::Blake3 => 3,
        });
        self.raw(digest.bytes());
    }

    /// In the shorter of its two forms.
    pub(super) fn set(&mut self, set: &PieceSet) {
        let bitmap_len = set.end().div_ceil(8) as usize;
        let mut runs = Self { bytes: Vec::new() };
        let (mut count, mut behind) = (0u64, 0);
        for run in set.runs() {
            runs.number(u64::from(run.start - behind));
            runs.number(u64::from(run.end - run.start - 1));
            behind = run.end;
            count += 1;
            if runs.bytes.len() > bitmap_len {
                self.byte(BITMAP);
                self.number(bitmap_len as u64);
                self.raw(&set.to_bitmap());
                return;
            }
        }
        self.byte(RUNS);
        self.number(count);
        self.raw(&runs.bytes);
    }

    pub(super) fn holding(&mut self, holding: &Holding) {
        let flags = flag(WANTS, holding.wants)
            | flag(SIZE, holding.size.is_some())
            | flag(ROOT, holding.root.is_some());
        self.number(flags);
        self.size_and_root(holding.size, holding.root);
        self.set(&holding.have);
        self.set(&holding.fetching);
    }

    pub(super) fn change(&mut self, change: &Change) {
        let sets = [
            (HAVE_MORE, &change.have_more),
            (HAVE_LESS, &change.have_less),
            (FETCHING_MORE, &change.fetching_more),
            (FETCHING_LESS, &change.fetching_less),
        ];
        let flags = sets.iter().map(|(bit, set)| flag(*bit, !set.is_empty())).sum::<u64>()
            | flag(WANTS, change.wants)
            | flag(SIZE, change.size.is_some())
            | flag(ROOT, change.root.is_some());
        self.number(flags);
        self.size_and_root(change.size, change.root);
        sets.iter().filter(|(_, set)| !set.is_empty()).for_each(|(_, set)| self.set(set));
    }

    fn size_and_root(&mut self, size: Option<u64>, root: Option<ContentId>) {
        if let Some(size) = size {
            self.number(size);
        }
        if let Some(root) = root {
            self.raw(&root.0);
        }
    }
}

fn flag(bit: u64, set: bool) -> u64 {
    if set { bit } else { 0 }
}

/// Takes a body apart. Allocates no more than the body's own length and a bitmap.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    pub(super) fn raw(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let (head, rest) = self.bytes.split_at_checked(len).ok_or(WireError::Malformed)?;
        self.bytes = rest;
        Ok(head)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        self.raw(N)?.try_into().map_err(|_| WireError::Malformed)
    }

    pub(super) fn byte(&mut self) -> Result<u8, WireError> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, WireError> {
        let mut number = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7F);
            if shift == 63 && bits > 1 {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(WireError::Malformed)
    }

    pub(super) fn small(&mut self) -> Result<u32, WireError> {
        u32::try_from(self.number()?).map_err(|_| WireError::Malformed)
    }

    /// A text of at most `max` bytes.
    pub(super) fn text(&mut self, max: usize) -> Result<&'a str, WireError> {
        let len = usize::try_from(self.number()?).ok().filter(|len| *len <= max);
        let bytes = self.raw(len.ok_or(WireError::Malformed)?)?;
        std::str::from_utf8(bytes).map_err(|_| WireError::Malformed)
    }

    pub(super) fn digests(&mut self) -> Result<Vec<Digest>, WireError> {
        let count = usize::try_from(self.number()?).ok().filter(|count| (1..=MAX_DIGESTS).contains(count));
        (0..count.ok_or(WireError::Malformed)?).map(|_| self.digest()).collect()
    }

    fn digest(&mut self) -> Result<Digest, WireError> {
        let algorithm = match self.byte()? {
            1 => Algorithm::Sha256,
            2 => Algorithm::Sha512,
            3 => Algorithm::Blake3,
            _ => return Err(WireError::Malformed),
        };
        Digest::from_bytes(algorithm, self.raw(algorithm.digest_len())?).map_err(|_| WireError::Malformed)
    }

    pub(super) fn set(&mut self) -> Result<PieceSet, WireError> {
        match self.byte()? {
            RUNS => self.runs(),
            BITMAP => {
                let len = usize::try_from(self.number()?).map_err(|_| WireError::Malformed)?;
                PieceSet::from_bitmap(self.raw(len)?).ok_or(WireError::Malformed)
            }
            _ => Err(WireError::Malformed),
        }
    }

    fn runs(&mut self) -> Result<PieceSet, WireError> {
        let mut set = PieceSet::new();
        let mut behind = 0u32;
        for _ in 0..self.number()? {
            let start = behind.checked_add(self.small()?).ok_or(WireError::Malformed)?;
            let end = start.checked_add(self.small()?).and_then(|last| last.checked_add(1));
            behind = end.filter(|end| *end <= MAX_PIECES).ok_or(WireError::Malformed)?;
            set.insert_run(start..behind);
        }
        Ok(set)
    }

    pub(super) fn holding(&mut self) -> Result<Holding, WireError> {
        let flags = self.number()?;
        let (size, root) = self.size_and_root(flags)?;
        let holding =
            Holding { size, root, wants: flags & WANTS != 0, have: self.set()?, fetching: self.set()? };
        if holding.is_sound() { Ok(holding) } else { Err(WireError::Malformed) }
    }

    pub(super) fn change(&mut self) -> Result<Change, WireError> {
        let flags = self.number()?;
        let (size, root) = self.size_and_root(flags)?;
        let mut set_if = |bit| if flags & bit != 0 { self.set() } else { Ok(PieceSet::new()) };
        Ok(Change {
            size,
            root,
            wants: flags & WANTS != 0,
            have_more: set_if(HAVE_MORE)?,
            have_less: set_if(HAVE_LESS)?,
            fetching_more: set_if(FETCHING_MORE)?,
            fetching_less: set_if(FETCHING_LESS)?,
        })
    }

    fn size_and_root(&mut self, flags: u64) -> Result<(Option<u64>, Option<ContentId>), WireError> {
        let size = if flags & SIZE != 0 { Some(self.number()?) } else { None };
        let root = if flags & ROOT != 0 { Some(ContentId(self.array()?)) } else { None };
        Ok((size, root))
    }
}
