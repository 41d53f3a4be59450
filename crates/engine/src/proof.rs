//! What must hold before a file counts as whole: every piece hashed, and every digest that someone gave is the digest of the bytes.

use std::fs::File;
use std::io;

use dray_content::{Digest, PieceTable, Published, TableBuilder, WholeHasher};
use dray_platform::positioned;
use dray_ranges::{ByteRange, RangeSet};

use crate::{FetchError, Mismatch};

/// How much is read back at once.
const READ_LEN: usize = 256 << 10;

/// How much is read back at once between other work, for what came out of order.
const CATCH_UP_LEN: u64 = 1 << 20;

/// The hashes of a file while its bytes arrive.
pub(crate) struct Hashes {
    pub(crate) table: TableBuilder,
    pub(crate) whole: WholeHasher,
}

/// What the bytes of the sink turned out to be.
#[derive(Debug, Default)]
pub(crate) struct Proof {
    /// The piece table; `None` for packed layouts.
    pub(crate) table: Option<PieceTable>,
    /// Digests computed over the whole file, the BLAKE3 root first.
    pub(crate) digests: Vec<Digest>,
    /// CRC-32C of the whole file, when it was asked for.
    pub(crate) crc32c: Option<u32>,
    /// Size of the remote file in bytes.
    pub(crate) remote_size: u64,
}

impl Hashes {
    /// Takes bytes at `offset` of the file.
    pub(crate) fn feed(&mut self, offset: u64, bytes: &[u8]) {
        self.table.feed(offset, bytes);
        if !self.whole.is_idle() {
            self.whole.feed(offset, bytes);
        }
    }

    /// Reads back a little of `filled` that continues the digests of the whole. False when there is nothing of it.
    pub(crate) fn catch_up(&mut self, file: &File, filled: &RangeSet) -> io::Result<bool> {
        let at = self.whole.position();
        let Some(there) = filled.range_at(at).filter(|_| !self.whole.is_idle()) else { return Ok(false) };
        let Some(next) = ByteRange::new(at, there.end().min(at + CATCH_UP_LEN)) else { return Ok(false) };
        read_back(file, next, |offset, bytes| self.whole.feed(offset, bytes))?;
        Ok(true)
    }

    /// Forgets the bytes of `range`, which are of no use any more.
    pub(crate) fn forget(&mut self, range: ByteRange) {
        self.table.forget(range);
        if self.whole.position() > range.start() {
            self.whole.restart();
        }
    }

    /// Whether bytes of the sink must be read back for the proof.
    pub(crate) fn must_read(&self, size: u64) -> bool {
        !self.table.unhashed(size).is_empty() || (!self.whole.is_idle() && self.whole.position() < size)
    }

    /// Reads back what is not hashed yet and closes the hashes of a file of `size` bytes.
    pub(crate) fn prove(mut self, file: &File, size: u64) -> io::Result<Proof> {
        let mut buffer = if self.must_read(size) { vec![0; READ_LEN] } else { Vec::new() };
        for gap in self.table.unhashed(size).iter() {
            read(file, gap, &mut buffer, |offset, bytes| self.table.feed(offset, bytes))?;
        }
        if !self.whole.is_idle()
            && let Some(rest) = ByteRange::new(self.whole.position(), size)
        {
            read(file, rest, &mut buffer, |offset, bytes| self.whole.feed(offset, bytes))?;
        }
        let table = self.table.finish(size).ok_or_else(|| io::Error::other("a piece has no hash"))?;
        let (sha2, crc32c) = self.whole.finish();
        let digests = std::iter::once(table.root().digest()).chain(sha2).collect();
        Ok(Proof { table: Some(table), digests, crc32c, remote_size: size })
    }
}

/// Reads bytes of the sink in order.
pub(crate) fn read_back(file: &File, range: ByteRange, take: impl FnMut(u64, &[u8])) -> io::Result<()> {
    let len = usize::try_from(range.len()).map_or(READ_LEN, |len| len.min(READ_LEN));
    read(file, range, &mut vec![0; len], take)
}

fn read(
    file: &File,
    range: ByteRange,
    buffer: &mut [u8],
    mut take: impl FnMut(u64, &[u8]),
) -> io::Result<()> {
    let mut at = range.start();
    while at < range.end() {
        let len = usize::try_from(range.end() - at).map_or(buffer.len(), |left| left.min(buffer.len()));
        positioned::read_exact_at(file, &mut buffer[..len], at)?;
        take(at, &buffer[..len]);
        at += len as u64;
    }
    Ok(())
}

/// Whether a file of `size` bytes has that SHA-2 digest; BLAKE3 is what contents are named by, and never asked here.
pub(crate) fn has_digest(file: &File, digest: &Digest, size: u64) -> io::Result<bool> {
    let mut whole = WholeHasher::new(&[digest.algorithm()], false);
    if let Some(all) = ByteRange::new(0, size) {
        read(file, all, &mut vec![0; READ_LEN], |offset, bytes| whole.feed(offset, bytes))?;
    }
    Ok(whole.finish().0.contains(digest))
}

/// Holds the bytes against what the job asked for and what the origin published.
///
/// # Errors
/// [`FetchError::Integrity`] that names the digest, its author, and what the bytes gave instead.
pub(crate) fn check(
    proof: &Proof,
    asked: Option<&Digest>,
    published: &Published,
    origin: &str,
) -> Result<(), FetchError> {
    let by_origin = published.digests.iter().map(|digest| (digest, format!("published by {origin}")));
    for (expected, author) in
        asked.map(|digest| (digest, "asked for".to_owned())).into_iter().chain(by_origin)
    {
        let got = proof.digests.iter().find(|digest| digest.algorithm() == expected.algorithm());
        if let Some(got) = got.filter(|got| *got != expected) {
            let mismatch = Mismatch {
                expected: expected.to_string(),
                got: got.to_string(),
                author,
                source: origin.to_owned(),
            };
            return Err(FetchError::Integrity(mismatch));
        }
    }
    if let (Some(expected), Some(got)) = (published.crc32c, proof.crc32c)
        && expected != got
    {
        return Err(FetchError::Integrity(Mismatch {
            expected: format!("crc32c:{expected:08x}"),
            got: format!("crc32c:{got:08x}"),
            author: format!("published by {origin}"),
            source: origin.to_owned(),
        }));
    }
    Ok(())
}
