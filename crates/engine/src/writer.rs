//! The blocking thread behind a sink: writes, hashes, and makes checkpoints.

use std::fs::File;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use dray_content::{Digest, PieceTable, TableBuilder, WholeHasher};
use dray_origin::Validators;
use dray_platform::{durable, positioned};
use dray_ranges::{ByteRange, RangeSet};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TryRecvError;

use crate::peers::{Books, Dropped, Giver, Judged, Liars, MateId, Offer, Pieces, Report};
use crate::placement::Placement;
use crate::proof::{Hashes, Proof};
use crate::sink::{Filled, Order, Target, Version};
use crate::{Checkpoint, Event, FetchError, Watch};

/// Half of the second of progress that a crash may cost: the rest is for the sync itself.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
/// Dirty bytes after which the kernel is asked to begin writing, so that the sync at the end finds little left.
const WRITEBACK_EVERY: u64 = 16 << 20;

/// The thread and what it holds.
pub(crate) struct Writer {
    target: Target,
    file: Arc<File>,
    /// Its number on its volume, for the checkpoints.
    number: u64,
    version: Version,
    placement: Placement,
    filled: RangeSet,
    /// What of it came from peers of an earlier attempt and was not proven.
    earlier: RangeSet,
    /// The pieces that are judged and offered to others, when there are others.
    pieces: Option<Pieces>,
    hashes: Option<Hashes>,
    /// Written since the kernel was last asked to begin writing: the local stretch, and how much of it.
    dirty: (u64, u64),
    checkpointed: Instant,
    checkpointing: Arc<AtomicBool>,
    /// Why a checkpoint's sync failed. The system tells that once, and takes the lost bytes for written from then on.
    lost: Arc<OnceLock<io::Error>>,
    runtime: Handle,
}

impl Writer {
    /// A writer over an open file with that number, which already holds the bytes of `filled`. Shows readers what is there.
    pub(crate) fn new(
        target: Target,
        (file, number): (File, u64),
        version: Version,
        placement: Placement,
        filled: Filled,
    ) -> Self {
        let writer = Self {
            hashes: hashes(&placement, &version),
            target,
            number,
            file: Arc::new(file),
            version,
            placement,
            filled: filled.all,
            earlier: filled.unproven,
            pieces: None,
            dirty: (0, 0),
            checkpointed: Instant::now(),
            checkpointing: Arc::default(),
            lost: Arc::default(),
            runtime: Handle::current(),
        };
        writer.show();
        writer
    }

    /// Obeys until the sink is closed, or something fails.
    pub(crate) fn run(mut self, inbox: mpsc::Receiver<Order>) -> Result<(), FetchError> {
        let result = self.obey(inbox);
        match result {
            Ok(()) => self.checkpoint_now(),
            // Whoever hears of the failure may remove the checkpoint: none must come after that.
            Err(_) => self.await_checkpoint(),
        }
        result
    }

    fn obey(&mut self, mut inbox: mpsc::Receiver<Order>) -> Result<(), FetchError> {
        loop {
            let order = match inbox.try_recv() {
                Ok(order) => order,
                Err(TryRecvError::Empty) if self.catch_up()? => continue,
                Err(_) => match inbox.blocking_recv() {
                    Some(order) => order,
                    None => return Ok(()),
                },
            };
            // Whoever asked may have been cancelled meanwhile; the bytes stay for the next attempt.
            match order {
                Order::Write { offset, bytes, giver } => self.write(offset, &bytes, giver)?,
                Order::Restart { version, placement } => self.restart(version, placement)?,
                Order::Share { offer, reports } => self.share(offer, reports),
                Order::Table { table, is_proven, author } => self.use_table(table, is_proven, author)?,
                Order::Flush { answer } => drop(answer.send(())),
                Order::Distrust { answer } => drop(answer.send(self.distrust())),
                Order::Liars { right, answer } => drop(answer.send(self.liars(&right)?)),
                Order::Prove { size, answer } => drop(answer.send(self.prove(size)?)),
            }
        }
    }

    /// With nothing else to do: hashes a little of what came out of order. False when there is nothing of that kind.
    fn catch_up(&mut self) -> Result<bool, FetchError> {
        let Some(hashes) = &mut self.hashes else { return Ok(false) };
        let caught_up = hashes.catch_up(&self.file, &self.filled);
        caught_up.map_err(|error| self.failed("read", error))
    }

    fn write(&mut self, offset: u64, bytes: &[u8], giver: Giver) -> Result<(), FetchError> {
        let Some(range) = ByteRange::with_len(offset, bytes.len() as u64) else { return Ok(()) };
        if let Some(hashes) = &mut self.hashes {
            hashes.feed(offset, bytes);
        }
        let mut rest = Some(range);
        while let Some(part) = rest {
            // The planner asks for wanted bytes only; anything else has no place in the local file.
            let Some((placed, local)) = self.placement.place(part) else { break };
            let from = usize::try_from(placed.start() - offset).unwrap_or(usize::MAX);
            let to = usize::try_from(placed.end() - offset).unwrap_or(usize::MAX);
            positioned::write_all_at(&self.file, &bytes[from..to], local)
                .map_err(|error| self.failed("write", error))?;
            // What a peer gave is shown once it is proven.
            if let Some(written) = ByteRange::with_len(local, placed.len()).filter(|_| giver == Giver::Origin)
                && let Some(live) = &self.target.live
            {
                live.wrote(written);
            }
            self.writeback(local, placed.len());
            rest = ByteRange::new(placed.end(), part.end());
        }
        self.filled.insert(range);
        self.judge(|pieces, books| pieces.wrote(range, giver, books))?;
        if self.checkpointed.elapsed() >= CHECKPOINT_EVERY {
            self.check_lost()?;
            self.checkpoint_soon();
        }
        Ok(())
    }

    /// From now on pieces are judged as they become complete, and what is right is offered to others.
    fn share(&mut self, offer: Arc<Offer>, reports: mpsc::UnboundedSender<Report>) {
        let Some(size) = self.version.validators.size.filter(|_| self.hashes.is_some()) else { return };
        offer.begin(size, Arc::clone(&self.file));
        let pieces = self.pieces.get_or_insert_with(|| Pieces::new(size, &self.earlier));
        pieces.share(offer, reports, &self.filled);
    }

    fn use_table(
        &mut self,
        table: Arc<PieceTable>,
        is_proven: bool,
        author: Option<MateId>,
    ) -> Result<(), FetchError> {
        self.judge(|pieces, books| pieces.use_table(table, is_proven, author, books))
    }

    /// Lets pieces be judged; shows what was proven by that, and takes back what was dropped.
    fn judge(
        &mut self,
        act: impl FnOnce(&mut Pieces, &mut Books<'_>) -> io::Result<Judged>,
    ) -> Result<(), FetchError> {
        let (Some(pieces), Some(hashes)) = (&mut self.pieces, &mut self.hashes) else { return Ok(()) };
        let mut books = Books { file: &self.file, filled: &mut self.filled, hashes };
        let judged = act(pieces, &mut books).map_err(|error| self.failed("read", error))?;
        if let Some(live) = &self.target.live {
            judged.proven.iter().for_each(|range| live.wrote(range));
        }
        if judged.has_dropped {
            self.took_back();
        }
        Ok(())
    }

    /// Bytes that were there count no longer: readers and the checkpoint hear of it before they are written anew.
    fn took_back(&mut self) {
        if let Some(live) = &self.target.live {
            let kept = self.placement.local(&self.filled.difference(&self.unproven()));
            // What nobody was shown is nobody's loss.
            let is_loss = !kept.covers(&live.standing().borrow().written);
            if is_loss {
                live.clear();
            }
        }
        self.show();
        self.checkpoint_now();
        self.checkpointed = Instant::now();
    }

    fn distrust(&mut self) -> Dropped {
        let pieces = match &mut self.pieces {
            Some(pieces) => pieces,
            None if self.earlier.is_empty() => return Dropped::default(),
            // Without the size nothing of an earlier attempt would have been kept.
            None => match self.version.validators.size {
                Some(size) => self.pieces.insert(Pieces::new(size, &self.earlier)),
                None => return Dropped::default(),
            },
        };
        let dropped = pieces.distrust(&mut self.filled);
        if !dropped.bytes.is_empty() {
            self.earlier = RangeSet::new();
            self.hashes = hashes(&self.placement, &self.version);
            self.took_back();
        }
        dropped
    }

    fn liars(&mut self, right: &PieceTable) -> Result<Liars, FetchError> {
        let Some(pieces) = &mut self.pieces else { return Ok(Liars::default()) };
        pieces.liars(right, &self.file).map_err(|error| self.failed("read", error))
    }

    /// What of the sink came from peers and is not proven.
    fn unproven(&self) -> RangeSet {
        self.pieces.as_ref().map_or_else(|| self.earlier.clone(), Pieces::unproven)
    }

    fn writeback(&mut self, local: u64, len: u64) {
        if self.dirty.1 == 0 {
            self.dirty.0 = local;
        }
        self.dirty.1 += len;
        if self.dirty.1 >= WRITEBACK_EVERY {
            // Only a hint: a system that cannot take it writes later.
            let _ = durable::start_writeback(&self.file, self.dirty.0, self.dirty.1);
            self.dirty = (0, 0);
        }
    }

    fn restart(&mut self, version: Version, placement: Placement) -> Result<(), FetchError> {
        self.await_checkpoint();
        if let Some(live) = &self.target.live {
            live.clear();
        }
        self.target.watch.forget().map_err(|error| self.failed("forget the progress of", error))?;
        self.file.set_len(0).map_err(|error| self.failed("truncate", error))?;
        self.filled = RangeSet::new();
        self.earlier = RangeSet::new();
        self.pieces = None;
        self.hashes = hashes(&placement, &version);
        self.placement = placement;
        self.version = version;
        self.show();
        self.checkpoint_soon();
        Ok(())
    }

    /// Shows readers what is there.
    fn show(&self) {
        if let Some(live) = &self.target.live {
            let size = self.target.layout.local_len(self.version.validators.size);
            let shown = self.filled.difference(&self.unproven());
            live.stand(self.number, size, self.placement.local(&shown), false);
        }
    }

    fn prove(&mut self, size: u64) -> Result<Proof, FetchError> {
        let local_len = self.target.layout.local_len(Some(size)).unwrap_or(size);
        let _ = durable::start_writeback(&self.file, 0, local_len);
        let proof = match self.hashes.take() {
            Some(hashes) => {
                if hashes.must_read(size) {
                    self.target.watch.event(Event::Verifying);
                }
                hashes.prove(&self.file, size).map_err(|error| self.failed("read", error))?
            }
            None => Proof::default(),
        };
        self.file.set_len(local_len).map_err(|error| self.failed("truncate", error))?;
        self.await_checkpoint();
        self.check_lost()?;
        self.file.sync_data().map_err(|error| self.failed("sync", error))?;
        self.filled = self.target.layout.wanted(size).unwrap_or_default();
        self.version.validators.size = Some(size);
        self.show();
        Ok(proof)
    }

    fn checkpoint(&self) -> Checkpoint {
        let Validators { size, etag, last_modified } = self.version.validators.clone();
        let published = self.version.published.digests.iter().map(Digest::to_string).collect();
        let ranges = self.target.layout.specs().unwrap_or_default().to_vec();
        let (source, crc32c) = (self.target.source.clone(), self.version.published.crc32c);
        Checkpoint {
            source,
            ranges,
            sink: self.number,
            size,
            etag,
            last_modified,
            published,
            crc32c,
            filled: self.filled.clone(),
            unproven: self.unproven(),
            for_everyone: self.version.for_everyone,
        }
    }

    /// Makes a checkpoint beside the writing, unless the last one is still under way.
    fn checkpoint_soon(&mut self) {
        self.checkpointed = Instant::now();
        if self.checkpointing.swap(true, Ordering::AcqRel) {
            return;
        }
        let (checkpoint, file, watch) =
            (self.checkpoint(), Arc::clone(&self.file), Arc::clone(&self.target.watch));
        let (busy, lost) = (Arc::clone(&self.checkpointing), Arc::clone(&self.lost));
        self.runtime.spawn_blocking(move || {
            keep(&checkpoint, &file, &*watch, &lost);
            busy.store(false, Ordering::Release);
        });
    }

    /// Waits until no checkpoint is under way.
    fn await_checkpoint(&self) {
        while self.checkpointing.load(Ordering::Acquire) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// The last checkpoint of this attempt, in this thread; waits for one that is under way, which holds less.
    fn checkpoint_now(&self) {
        self.await_checkpoint();
        if self.check_lost().is_ok() {
            keep(&self.checkpoint(), &self.file, &*self.target.watch, &self.lost);
        }
    }

    /// Fails when bytes of this file did not get to the disk.
    fn check_lost(&self) -> Result<(), FetchError> {
        match self.lost.get() {
            Some(error) => Err(self.failed("sync", io::Error::new(error.kind(), error.to_string()))),
            None => Ok(()),
        }
    }

    fn failed(&self, act: &'static str, error: io::Error) -> FetchError {
        FetchError::local(act, &self.target.temp, error)
    }
}

/// Syncs the data, then keeps the checkpoint that claims it.
fn keep(checkpoint: &Checkpoint, file: &File, watch: &dyn Watch, lost: &OnceLock<io::Error>) {
    if let Err(error) = file.sync_data() {
        // The first reason is the one that counts.
        let _ = lost.set(error);
    } else if let Err(error) = watch.checkpoint(checkpoint) {
        tracing::warn!(%error, "progress could not be recorded; a crash now would cost it");
    }
}

/// The hashes of a whole file; a packed local file is no content of its own.
fn hashes(placement: &Placement, version: &Version) -> Option<Hashes> {
    matches!(placement, Placement::Whole).then(|| Hashes {
        table: TableBuilder::new(version.validators.size),
        whole: WholeHasher::new(&version.algorithms, version.published.crc32c.is_some()),
    })
}
