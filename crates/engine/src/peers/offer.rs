//! What a running download offers to others: pieces that are proven, or that came from the origin, and that are written.
//!
//! The writer adds pieces, the transfer says what it fetches, the exchange reads. When the file is whole the same volume goes on giving
//! it to those who are connected, from the cache, each piece proven as it is read.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use dray_content::{ContentId, PieceIndex, PieceTable};
use dray_exchange::{Holding, PieceSet, Volume};
use dray_platform::positioned;
use dray_ranges::{ByteRange, RangeSet};
use tokio::sync::watch;

use crate::peers::stored::Stored;

/// A running download, as others see it.
pub(crate) struct Offer {
    state: Mutex<State>,
    ours: watch::Sender<Arc<Holding>>,
}

#[derive(Default)]
struct State {
    holding: Holding,
    table: Option<Arc<PieceTable>>,
    source: Source,
}

/// Where the bytes are read from.
#[derive(Default)]
enum Source {
    /// There are none yet, or none any more.
    #[default]
    Nothing,
    /// The sink, which is ours alone: the pieces that `holding` names are right.
    Sink(Arc<File>),
    /// The cache.
    Cache(Arc<Stored>),
}

impl Offer {
    /// Nothing yet, and wanting all.
    pub(crate) fn new() -> Arc<Self> {
        let holding = Holding::wanting(None);
        let (ours, _) = watch::channel(Arc::new(holding.clone()));
        Arc::new(Self { state: Mutex::new(State { holding, ..State::default() }), ours })
    }

    /// The size is known, and this is the sink. Both are said once.
    pub(crate) fn begin(&self, size: u64, sink: Arc<File>) {
        let mut state = self.lock();
        if state.holding.size.is_none_or(|known| known == size) {
            state.holding.size = Some(size);
            state.source = Source::Sink(sink);
            self.announce(&state);
        }
    }

    /// A piece may be given to others.
    pub(crate) fn add(&self, piece: u32) {
        let mut state = self.lock();
        if state.holding.size.is_some() && !state.holding.have.contains(PieceIndex(piece)) {
            state.holding.have.insert(PieceIndex(piece));
            self.announce(&state);
        }
    }

    /// A piece is not what it seemed to be: nobody is given it any more.
    pub(crate) fn withdraw(&self, piece: u32) {
        let mut state = self.lock();
        if state.holding.have.contains(PieceIndex(piece)) {
            state.holding.have = state.holding.have.difference(&std::iter::once(PieceIndex(piece)).collect());
            self.announce(&state);
        }
    }

    /// These bytes are being fetched from the origin now, and `had` have arrived, though they may not be written yet. What arrived stays
    /// announced until it is offered, or others would begin to fetch it in between.
    pub(crate) fn fetching(&self, bytes: &RangeSet, had: &RangeSet) {
        let mut state = self.lock();
        let Some(size) = state.holding.size else { return };
        let arrived = PieceSet::within(had, size).intersection(&state.holding.fetching);
        let pieces = PieceSet::touching(bytes, size).union(&arrived).difference(&state.holding.have);
        if state.holding.fetching != pieces {
            state.holding.fetching = pieces;
            self.announce(&state);
        }
    }

    /// The table is proven: others may have it too.
    pub(crate) fn prove(&self, table: Arc<PieceTable>) {
        let mut state = self.lock();
        state.holding.root = Some(table.root());
        state.table = Some(table);
        self.announce(&state);
    }

    /// The file is whole and in the cache: from now on it is read there.
    pub(crate) fn complete(&self, stored: Arc<Stored>) {
        let mut state = self.lock();
        let table = stored.piece_table();
        if state.holding.size != Some(table.size()) {
            return;
        }
        let root: ContentId = table.root();
        state.holding = Holding::complete(table.size(), Some(root));
        state.table = Some(table);
        state.source = Source::Cache(stored);
        self.announce(&state);
    }

    /// Nothing can be had any more.
    pub(crate) fn end(&self) {
        let mut state = self.lock();
        state.source = Source::Nothing;
        state.holding.have = PieceSet::new();
        state.holding.fetching = PieceSet::new();
        state.holding.wants = false;
        self.announce(&state);
    }

    /// Tells others; the exchange gathers what comes in quick succession.
    fn announce(&self, state: &State) {
        self.ours.send_replace(Arc::new(state.holding.clone()));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Volume for Offer {
    fn ours(&self) -> watch::Receiver<Arc<Holding>> {
        self.ours.subscribe()
    }

    fn table(&self) -> Option<Arc<PieceTable>> {
        self.lock().table.clone()
    }

    fn read(&self, range: ByteRange, into: &mut Vec<u8>) -> io::Result<()> {
        let sink = {
            let state = self.lock();
            let size = state.holding.size.unwrap_or_default();
            match &state.source {
                Source::Sink(sink) if state.holding.have.covers(range, size) => Arc::clone(sink),
                Source::Cache(stored) => {
                    let stored = Arc::clone(stored);
                    drop(state);
                    return stored.read(range, into);
                }
                Source::Sink(_) | Source::Nothing => return Err(io::ErrorKind::NotFound.into()),
            }
        };
        let len = usize::try_from(range.len()).map_err(io::Error::other)?;
        into.clear();
        into.resize(len, 0);
        positioned::read_exact_at(&sink, into, range.start())
    }

    fn is_downloading(&self) -> bool {
        self.lock().holding.wants
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    const PIECE: u64 = 256 << 10;

    fn range(start: u64, end: u64) -> ByteRange {
        ByteRange::new(start, end).unwrap()
    }

    #[test]
    fn only_what_was_added_can_be_read() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = (0..3 * PIECE).map(|at| (at % 251) as u8).collect();
        file.write_all(&bytes).unwrap();
        let offer = Offer::new();
        offer.add(0);
        offer.begin(3 * PIECE, Arc::new(file));
        offer.add(1);
        let told = offer.ours().borrow().clone();
        assert_eq!(told.have, [PieceIndex(1)].into_iter().collect());
        let mut into = vec![9; 3];
        offer.read(range(PIECE + 7, 2 * PIECE), &mut into).unwrap();
        assert_eq!(into, bytes[PIECE as usize + 7..2 * PIECE as usize]);
        assert!(offer.read(range(PIECE - 1, PIECE + 1), &mut into).is_err());
        assert!(offer.read(range(2 * PIECE, 2 * PIECE + 1), &mut into).is_err());
    }

    #[test]
    fn what_is_fetched_stays_announced_until_it_is_offered_or_given_up() {
        let offer = Offer::new();
        offer.begin(3 * PIECE, Arc::new(tempfile::tempfile().unwrap()));
        let fetching = || offer.ours().borrow().fetching.clone();
        let pieces = |list: &[u32]| list.iter().copied().map(PieceIndex).collect::<PieceSet>();
        offer.fetching(&range(5, PIECE + 6).into(), &RangeSet::new());
        assert_eq!(fetching(), pieces(&[0, 1]));
        offer.fetching(&RangeSet::new(), &range(0, PIECE).into());
        assert_eq!(fetching(), pieces(&[0]));
        offer.add(0);
        offer.fetching(&RangeSet::new(), &range(0, PIECE).into());
        assert_eq!(fetching(), pieces(&[]));
    }

    #[test]
    fn after_its_end_nothing_is_had_or_wanted() {
        let offer = Offer::new();
        offer.begin(PIECE, Arc::new(tempfile::tempfile().unwrap()));
        offer.add(0);
        offer.end();
        let told = offer.ours().borrow().clone();
        assert!(told.have.is_empty() && !told.wants && !offer.is_downloading());
        assert!(offer.read(range(0, 1), &mut Vec::new()).is_err());
    }
}
