//! Who gave which bytes of one file, and what became of them: the bookkeeping by which a liar is found, and nobody else.
//!
//! Bytes of the origin are taken for right until the whole says otherwise. Bytes of a peer are *unproven* until their piece fits a
//! table that is proven, or the whole fits its digest. What is dropped is remembered by its hash, and held against the right bytes once
//! those are there: a peer is a liar when what it gave differs from what is right, and for no other reason. No I/O happens here; the
//! hashes of bytes in the sink come from the caller.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use dray_content::{ContentId, PieceIndex, PieceTable, piece_len};
use dray_ranges::{ByteRange, RangeSet};

/// How many dropped stretches are remembered. Whoever lies beyond that in one transfer was found before.
const MAX_SUSPECTS: usize = 4096;
/// How many tables of one transfer are remembered by who claimed them.
const MAX_CLAIMS: usize = 64;

/// Names a peer within one download; never used twice in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MateId(pub(crate) u32);

/// Who gave bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Giver {
    /// The origin.
    Origin,
    /// A peer of this download.
    Peer(MateId),
    /// A peer of an earlier attempt; nobody is left to blame.
    Earlier,
}

/// What bytes are known by after they are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// Of a whole piece: its value in a table.
    Piece([u8; 32]),
    /// Of a part of one: a plain hash of the bytes.
    Part([u8; 32]),
}

/// A stretch within one piece that one peer gave.
#[derive(Clone, Debug)]
struct Segment {
    range: ByteRange,
    giver: Option<MateId>,
    mark: Option<Mark>,
}

/// A table by which pieces are judged.
struct Claimed {
    table: Arc<PieceTable>,
    /// It makes the root that is asked for; else it is what a peer says.
    is_proven: bool,
    author: Option<MateId>,
}

/// What a complete piece is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Proven, or of the origin: it may be offered to others.
    Trusted(Conduct),
    /// Kept, and not offered.
    Unproven,
    /// It does not fit and is to be dropped. Who gave it alone, against a proven table, is a liar; who may have is a suspect.
    Wrong { dropped: Dropped, liars: Vec<MateId>, suspects: Vec<MateId> },
    /// The origin's piece does not fit the table that this peer claimed; the table is not used any more. The piece may be offered.
    TableDoubted { author: Option<MateId> },
}

/// What the right bytes of a piece say of those who gave it before and were doubted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Conduct {
    /// These gave other bytes.
    pub(crate) liars: Vec<MateId>,
    /// These gave the right ones.
    pub(crate) cleared: Vec<MateId>,
    /// The piece is proven. Otherwise the origin's word stands against theirs until the whole is.
    pub(crate) is_proven: bool,
}

/// Bytes that count no longer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    pub(crate) bytes: RangeSet,
    /// How many of them each peer of this transfer gave.
    pub(crate) given: Vec<(MateId, u64)>,
    /// How many peers of an earlier attempt gave.
    pub(crate) earlier: u64,
}

impl Dropped {
    fn add(&mut self, piece: Option<ByteRange>, segments: &[Segment]) {
        piece.into_iter().for_each(|piece| self.bytes.insert(piece));
        let earlier = segments.iter().filter(|segment| segment.giver.is_none());
        self.earlier += earlier.map(|segment| segment.range.len()).sum::<u64>();
        self.given.extend(segments.iter().filter_map(|segment| Some((segment.giver?, segment.range.len()))));
    }
}

/// The books of one version of a file.
pub(crate) struct Ledger {
    size: u64,
    piece_len: u64,
    /// Stretches of peers that are in the sink and not proven, by piece.
    unproven: BTreeMap<u32, Vec<Segment>>,
    /// Stretches that were dropped, by piece, until the right bytes are there.
    suspects: BTreeMap<u32, Vec<Segment>>,
    suspect_count: usize,
    table: Option<Claimed>,
    /// Roots that peers claimed.
    claims: Vec<(MateId, ContentId)>,
}

impl Ledger {
    /// Empty books for a file of `size` bytes, of which `earlier` came from peers of an earlier attempt.
    pub(crate) fn new(size: u64, earlier: &RangeSet) -> Self {
        let mut ledger = Self {
            size,
            piece_len: piece_len(size),
            unproven: BTreeMap::new(),
            suspects: BTreeMap::new(),
            suspect_count: 0,
            table: None,
            claims: Vec::new(),
        };
        for range in earlier.iter() {
            ledger.wrote(range, Giver::Earlier);
        }
        ledger
    }

    /// The bytes of a piece.
    pub(crate) fn range(&self, index: u32) -> Option<ByteRange> {
        let start = u64::from(index).checked_mul(self.piece_len)?;
        ByteRange::new(start, start.saturating_add(self.piece_len).min(self.size))
    }

    /// The pieces that share a byte with `range`.
    pub(crate) fn touched(&self, range: ByteRange) -> impl Iterator<Item = u32> + use<> {
        let index = |offset: u64| u32::try_from(offset / self.piece_len).unwrap_or(u32::MAX);
        index(range.start())..=index(range.last().min(self.size.saturating_sub(1)))
    }

    /// Bytes were written.
    pub(crate) fn wrote(&mut self, range: ByteRange, giver: Giver) {
        let giver = match giver {
            Giver::Origin => return,
            Giver::Peer(mate) => Some(mate),
            Giver::Earlier => None,
        };
        for index in self.touched(range) {
            let Some(part) = self.range(index).and_then(|piece| piece.intersection(&range)) else { continue };
            let segments = self.unproven.entry(index).or_default();
            match segments.last_mut() {
                Some(last) if last.giver == giver && last.range.end() == part.start() => {
                    last.range = ByteRange::new(last.range.start(), part.end()).unwrap_or(part);
                    last.mark = None;
                }
                _ => segments.push(Segment { range: part, giver, mark: None }),
            }
        }
    }

    /// Judges a piece whose bytes are all there and have that value; `hash` reads back and hashes a part of it.
    pub(crate) fn judge(
        &mut self,
        index: u32,
        value: [u8; 32],
        hash: &mut dyn FnMut(ByteRange) -> io::Result<[u8; 32]>,
    ) -> io::Result<Verdict> {
        let Some(range) = self.range(index) else { return Ok(Verdict::Unproven) };
        let fits = self.table.as_ref().map(|claimed| claimed.fits(index, &value));
        let is_proven = self.table.as_ref().is_some_and(|claimed| claimed.is_proven);
        let of_origin = !self.unproven.contains_key(&index);
        match (fits, of_origin) {
            (Some(true), _) if is_proven => {
                self.unproven.remove(&index);
                let conduct = self.compare(index, value, hash)?;
                self.forget_suspects(index);
                Ok(Verdict::Trusted(Conduct { is_proven: true, ..conduct }))
            }
            // What the origin gives is right until the whole says otherwise; but nobody else should hear of it.
            (Some(false), true) if is_proven => Ok(Verdict::Unproven),
            (Some(false), true) => {
                let author = self.table.take().and_then(|claimed| claimed.author);
                Ok(Verdict::TableDoubted { author })
            }
            (Some(false), false) => {
                self.mark(index, range, value, hash)?;
                let segments = self.unproven.remove(&index).unwrap_or_default();
                let mut givers: Vec<MateId> = segments.iter().filter_map(|segment| segment.giver).collect();
                givers.sort_unstable();
                givers.dedup();
                let alone = segments.len() == 1 && segments[0].range == range;
                let mut dropped = Dropped::default();
                dropped.add(Some(range), &segments);
                if is_proven && alone {
                    return Ok(Verdict::Wrong { dropped, liars: givers, suspects: Vec::new() });
                }
                self.suspect(index, segments);
                Ok(Verdict::Wrong { dropped, liars: Vec::new(), suspects: givers })
            }
            (_, true) => Ok(Verdict::Trusted(self.compare(index, value, hash)?)),
            (_, false) => {
                self.mark(index, range, value, hash)?;
                Ok(Verdict::Unproven)
            }
        }
    }

    /// Judges pieces by this table from now on. The caller judges anew what is complete.
    pub(crate) fn use_table(&mut self, table: Arc<PieceTable>, is_proven: bool, author: Option<MateId>) {
        if let Some(author) = author.filter(|_| self.claims.len() < MAX_CLAIMS) {
            self.claims.push((author, table.root()));
        }
        self.table = Some(Claimed { table, is_proven, author });
    }

    /// Whether bytes of a piece came from peers and are not proven.
    pub(crate) fn is_unproven(&self, index: u32) -> bool {
        self.unproven.contains_key(&index)
    }

    /// Whether pieces are judged one by one.
    pub(crate) fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// The whole does not fit its digest: everything that is unproven is to be dropped. Returns the bytes of those pieces.
    pub(crate) fn distrust(&mut self) -> Dropped {
        self.table = None;
        let mut dropped = Dropped::default();
        for (index, segments) in std::mem::take(&mut self.unproven) {
            dropped.add(self.range(index), &segments);
            self.suspect(index, segments);
        }
        dropped
    }

    /// The whole is proven, and this is its table: who gave other bytes, or claimed another table.
    pub(crate) fn liars(
        &mut self,
        right: &PieceTable,
        hash: &mut dyn FnMut(ByteRange) -> io::Result<[u8; 32]>,
    ) -> io::Result<Liars> {
        let mut bytes = Vec::new();
        for index in self.suspects.keys().copied().collect::<Vec<_>>() {
            let value = right.values().get(index as usize).copied().unwrap_or_default();
            bytes.extend(self.compare(index, value, hash)?.liars);
            self.forget_suspects(index);
        }
        bytes.sort_unstable();
        bytes.dedup();
        let root = right.root();
        let tables = self.claims.iter().filter(|(_, claimed)| *claimed != root).map(|(author, _)| *author);
        Ok(Liars { bytes, tables: tables.collect() })
    }

    /// Bytes in the sink that are unproven: a checkpoint must not make others of them.
    pub(crate) fn unproven(&self) -> RangeSet {
        self.unproven.values().flatten().map(|segment| segment.range).collect()
    }

    /// Gives the stretches of a complete piece what they can be recognised by.
    fn mark(
        &mut self,
        index: u32,
        piece: ByteRange,
        value: [u8; 32],
        hash: &mut dyn FnMut(ByteRange) -> io::Result<[u8; 32]>,
    ) -> io::Result<()> {
        for segment in self.unproven.get_mut(&index).into_iter().flatten() {
            let mark = match segment.mark {
                Some(mark) => mark,
                None if segment.range == piece => Mark::Piece(value),
                None => Mark::Part(hash(segment.range)?),
            };
            segment.mark = Some(mark);
        }
        Ok(())
    }

    fn suspect(&mut self, index: u32, segments: Vec<Segment>) {
        let known = segments.into_iter().filter(|segment| segment.giver.is_some() && segment.mark.is_some());
        for segment in known {
            if self.suspect_count < MAX_SUSPECTS {
                self.suspect_count += 1;
                self.suspects.entry(index).or_default().push(segment);
            }
        }
    }

    /// Holds what was dropped of a piece against its right bytes, which are in the sink now.
    fn compare(
        &self,
        index: u32,
        right: [u8; 32],
        hash: &mut dyn FnMut(ByteRange) -> io::Result<[u8; 32]>,
    ) -> io::Result<Conduct> {
        let mut conduct = Conduct::default();
        for segment in self.suspects.get(&index).into_iter().flatten() {
            let is_right = match segment.mark {
                Some(Mark::Piece(value)) => value == right,
                Some(Mark::Part(value)) => hash(segment.range)? == value,
                None => true,
            };
            let list = if is_right { &mut conduct.cleared } else { &mut conduct.liars };
            list.extend(segment.giver.filter(|giver| !list.contains(giver)));
        }
        let liars = &conduct.liars;
        conduct.cleared.retain(|mate| !liars.contains(mate));
        Ok(conduct)
    }

    fn forget_suspects(&mut self, index: u32) {
        let gone = self.suspects.remove(&index).map_or(0, |segments| segments.len());
        self.suspect_count = self.suspect_count.saturating_sub(gone);
    }
}

/// Who lied, once that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Liars {
    /// Gave wrong bytes.
    pub(crate) bytes: Vec<MateId>,
    /// Claimed a table that is not that of the file.
    pub(crate) tables: Vec<MateId>,
}

impl Claimed {
    fn fits(&self, index: u32, value: &[u8; 32]) -> bool {
        self.table.values().get(PieceIndex(index).0 as usize) == Some(value)
    }
}

#[cfg(test)]
mod tests;
