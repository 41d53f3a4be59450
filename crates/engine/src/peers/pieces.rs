//! The pieces of a file that is being fetched, judged as they become complete: what fits is offered to others, what does not is dropped.
//!
//! Lives with the sink's writer, in its thread, because there the bytes are at hand.

use std::fs::File;
use std::io;
use std::sync::Arc;

use dray_content::{Algorithm, Digest, PieceTable, WholeHasher};
use dray_ranges::{ByteRange, RangeSet};
use tokio::sync::mpsc;

use crate::peers::Offer;
use crate::peers::ledger::{Conduct, Dropped, Giver, Ledger, Liars, MateId, Verdict};
use crate::proof::{self, Hashes};

/// What the transfer must hear of.
#[derive(Debug)]
pub(crate) enum Report {
    /// Bytes were dropped, because they are of a piece that does not fit its table.
    Dropped { piece: u32, dropped: Dropped, liars: Vec<MateId>, suspects: Vec<MateId> },
    /// The right bytes of a piece are there, and tell who of those that were doubted lied.
    Conduct { piece: u32, conduct: Conduct },
    /// The table that this peer claimed does not fit what the origin gives, and is not used any more.
    TableDoubted { author: Option<MateId> },
}

/// The writer's own books, lent for as long as a piece is judged.
pub(crate) struct Books<'a> {
    pub(crate) file: &'a File,
    pub(crate) filled: &'a mut RangeSet,
    pub(crate) hashes: &'a mut Hashes,
}

/// What judging came to.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    /// Bytes that are proven now, and that a reader may have.
    pub(crate) proven: RangeSet,
    /// Whether bytes were dropped.
    pub(crate) has_dropped: bool,
}

/// The pieces of one version of a file.
pub(crate) struct Pieces {
    ledger: Ledger,
    shared: Option<Shared>,
}

struct Shared {
    offer: Arc<Offer>,
    /// At most one report for each time that a piece was asked for.
    reports: mpsc::UnboundedSender<Report>,
}

impl Pieces {
    /// Of a file of `size` bytes, of which `unproven` came from peers of an earlier attempt.
    pub(crate) fn new(size: u64, unproven: &RangeSet) -> Self {
        Self { ledger: Ledger::new(size, unproven), shared: None }
    }

    /// Offers what is right from now on, and what there is of `filled` as far as it came from the origin.
    pub(crate) fn share(
        &mut self,
        offer: Arc<Offer>,
        reports: mpsc::UnboundedSender<Report>,
        filled: &RangeSet,
    ) {
        for range in filled.iter() {
            for index in self.ledger.touched(range).filter(|index| !self.ledger.is_unproven(*index)) {
                if self.ledger.range(index).is_some_and(|piece| filled.contains_range(&piece)) {
                    offer.add(index);
                }
            }
        }
        self.shared = Some(Shared { offer, reports });
    }

    /// Bytes that are in the sink and unproven.
    pub(crate) fn unproven(&self) -> RangeSet {
        self.ledger.unproven()
    }

    /// Bytes were written.
    pub(crate) fn wrote(
        &mut self,
        range: ByteRange,
        giver: Giver,
        books: &mut Books<'_>,
    ) -> io::Result<Judged> {
        self.ledger.wrote(range, giver);
        let mut judged = Judged::default();
        for index in self.ledger.touched(range) {
            self.judge(index, books, &mut judged)?;
        }
        Ok(judged)
    }

    /// Pieces are judged by this table from now on, those that are complete already at once.
    pub(crate) fn use_table(
        &mut self,
        table: Arc<PieceTable>,
        is_proven: bool,
        author: Option<MateId>,
        books: &mut Books<'_>,
    ) -> io::Result<Judged> {
        let all = ByteRange::new(0, table.size());
        self.ledger.use_table(Arc::clone(&table), is_proven, author);
        if let Some(shared) = self.shared.as_ref().filter(|_| is_proven) {
            shared.offer.prove(table);
        }
        let mut judged = Judged::default();
        let Some(all) = all else { return Ok(judged) };
        for index in self.ledger.touched(all) {
            self.judge(index, books, &mut judged)?;
            if !self.ledger.has_table() {
                break;
            }
        }
        Ok(judged)
    }

    /// The whole does not fit: drops what is unproven, and says what that was.
    pub(crate) fn distrust(&mut self, filled: &mut RangeSet) -> Dropped {
        let dropped = self.ledger.distrust();
        dropped.bytes.iter().for_each(|range| filled.remove(range));
        dropped
    }

    /// The whole is proven: who lied.
    pub(crate) fn liars(&mut self, right: &PieceTable, file: &File) -> io::Result<Liars> {
        self.ledger.liars(right, &mut |range| hash(file, range))
    }

    /// Judges a piece if it is complete.
    fn judge(&mut self, index: u32, books: &mut Books<'_>, judged: &mut Judged) -> io::Result<()> {
        let Some(piece) = self.ledger.range(index).filter(|piece| books.filled.contains_range(piece)) else {
            return Ok(());
        };
        let value = match books.hashes.table.value(piece.start()) {
            Some(value) => value,
            None => {
                let table = &mut books.hashes.table;
                proof::read_back(books.file, piece, |offset, bytes| table.feed(offset, bytes))?;
                table.value(piece.start()).ok_or_else(|| io::Error::other("a piece has no hash"))?
            }
        };
        let was_unproven = self.ledger.is_unproven(index);
        match self.ledger.judge(index, value, &mut |range| hash(books.file, range))? {
            Verdict::Trusted(conduct) => {
                self.offer(index);
                if was_unproven {
                    judged.proven.insert(piece);
                }
                if !conduct.liars.is_empty() || !conduct.cleared.is_empty() {
                    self.report(Report::Conduct { piece: index, conduct });
                }
            }
            // What the origin gave may have been offered before there was a table that it does not fit.
            Verdict::Unproven => self.withdraw(index),
            Verdict::TableDoubted { author } => {
                self.offer(index);
                self.report(Report::TableDoubted { author });
            }
            Verdict::Wrong { dropped, liars, suspects } => {
                books.filled.remove(piece);
                books.hashes.forget(piece);
                judged.has_dropped = true;
                self.report(Report::Dropped { piece: index, dropped, liars, suspects });
            }
        }
        Ok(())
    }

    fn offer(&self, index: u32) {
        if let Some(shared) = &self.shared {
            shared.offer.add(index);
        }
    }

    fn withdraw(&self, index: u32) {
        if let Some(shared) = &self.shared {
            shared.offer.withdraw(index);
        }
    }

    fn report(&self, report: Report) {
        if let Some(shared) = &self.shared {
            // A transfer that has ended wants to know nothing any more.
            let _ = shared.reports.send(report);
        }
    }
}

/// A hash of bytes in the sink by which they can be recognised.
fn hash(file: &File, range: ByteRange) -> io::Result<[u8; 32]> {
    let mut hasher = WholeHasher::new(&[Algorithm::Sha256], false);
    proof::read_back(file, range, |offset, bytes| hasher.feed(offset - range.start(), bytes))?;
    match hasher.finish().0.first() {
        Some(Digest::Sha256(hash)) => Ok(*hash),
        _ => Err(io::Error::other("no hash came out")),
    }
}
