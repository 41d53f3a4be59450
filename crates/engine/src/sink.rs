//! Where the bytes of one file land: a temporary file, written, hashed and checkpointed by one blocking thread.
//!
//! The transfer's task sends chunks through a bounded channel, so a slow disk holds the network back instead of filling memory. A
//! checkpoint is made twice a second, beside the writing: the filled set is taken first, then the data is
//! synced, then the checkpoint is kept, so it never claims a byte that a power cut could take away.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use dray_content::{Algorithm, PieceTable, Published};
use dray_origin::Validators;
use dray_platform::identity_of::FileStamp;
use dray_ranges::{Layout, RangeSet};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::peers::{Dropped, Giver, Liars, MateId, Offer, Report};
use crate::placement::Placement;
use crate::proof::Proof;
use crate::writer::Writer;
use crate::{FetchError, Live, Watch};

/// Chunks on their way from the network to the disk. They are 16 to 512 KiB each.
const MAX_QUEUED_CHUNKS: usize = 24;

/// What is known of the remote file before its bytes come; fixed until [`Sink::restart`].
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) validators: Validators,
    pub(crate) published: Published,
    /// Digests that someone gave, and that must be computed.
    pub(crate) algorithms: Vec<Algorithm>,
    /// Whether its origin gives it to everyone.
    pub(crate) for_everyone: bool,
}

/// What a sink holds already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filled {
    pub(crate) all: RangeSet,
    /// What of it came from peers and was not proven.
    pub(crate) unproven: RangeSet,
}

/// What the writer is told to do.
pub(crate) enum Order {
    Write { offset: u64, bytes: Bytes, giver: Giver },
    Restart { version: Version, placement: Placement },
    Share { offer: Arc<Offer>, reports: mpsc::UnboundedSender<Report> },
    Table { table: Arc<PieceTable>, is_proven: bool, author: Option<MateId> },
    Flush { answer: oneshot::Sender<()> },
    Distrust { answer: oneshot::Sender<Dropped> },
    Liars { right: PieceTable, answer: oneshot::Sender<Liars> },
    Prove { size: u64, answer: oneshot::Sender<Proof> },
}

/// The transfer's end of the channel to the writer.
pub(crate) struct Sink {
    layout: Layout,
    orders: mpsc::Sender<Order>,
    /// `None` once it has said how it ended.
    writer: Option<JoinHandle<Result<(), FetchError>>>,
}

/// What the writer needs to know of the task.
pub(crate) struct Target {
    pub(crate) source: String,
    pub(crate) temp: PathBuf,
    pub(crate) layout: Layout,
    pub(crate) watch: Arc<dyn Watch>,
    pub(crate) live: Option<Live>,
}

impl Sink {
    /// Starts the writer over an open temporary file that already holds the bytes of `filled`.
    pub(crate) fn start(
        target: Target,
        file: File,
        version: Version,
        filled: Filled,
    ) -> Result<Self, FetchError> {
        let (orders, inbox) = mpsc::channel(MAX_QUEUED_CHUNKS);
        let layout = target.layout.clone();
        let placement = Placement::of(&layout, version.validators.size)?;
        let stamp =
            FileStamp::of(&file).map_err(|error| FetchError::local("look at", &target.temp, error))?;
        let writer = Writer::new(target, (file, stamp.file), version, placement, filled);
        Ok(Self { orders, writer: Some(tokio::task::spawn_blocking(move || writer.run(inbox))), layout })
    }

    /// Gives bytes of the remote file to the writer; waits while the disk is behind.
    pub(crate) async fn write(&mut self, offset: u64, bytes: Bytes, giver: Giver) -> Result<(), FetchError> {
        self.send(Order::Write { offset, bytes, giver }).await
    }

    /// Offers right pieces to others, and tells what becomes of those that others give.
    pub(crate) async fn share(
        &mut self,
        offer: Arc<Offer>,
        reports: mpsc::UnboundedSender<Report>,
    ) -> Result<(), FetchError> {
        self.send(Order::Share { offer, reports }).await
    }

    /// Judges pieces by this table; `author` claimed it, unless it is proven.
    pub(crate) async fn use_table(
        &mut self,
        table: Arc<PieceTable>,
        is_proven: bool,
        author: Option<MateId>,
    ) -> Result<(), FetchError> {
        self.send(Order::Table { table, is_proven, author }).await
    }

    /// Waits until all that was given is written and judged.
    pub(crate) async fn flush(&mut self) -> Result<(), FetchError> {
        self.ask(|answer| Order::Flush { answer }).await
    }

    /// The whole is not what it should be: drops what peers gave and nothing has proven. Returns those bytes.
    pub(crate) async fn distrust(&mut self) -> Result<Dropped, FetchError> {
        self.ask(|answer| Order::Distrust { answer }).await
    }

    /// The whole is proven, and this is its table: who gave something else.
    pub(crate) async fn liars(&mut self, right: PieceTable) -> Result<Liars, FetchError> {
        self.ask(|answer| Order::Liars { right, answer }).await
    }

    /// Drops everything written so far: the remote file is another one now.
    pub(crate) async fn restart(&mut self, version: Version) -> Result<(), FetchError> {
        let placement = Placement::of(&self.layout, version.validators.size)?;
        self.send(Order::Restart { version, placement }).await
    }

    /// Hashes what is not hashed yet and syncs everything; the remote file has `size` bytes.
    pub(crate) async fn prove(&mut self, size: u64) -> Result<Proof, FetchError> {
        self.ask(|answer| Order::Prove { size, answer }).await
    }

    /// Lets the writer finish what it has, with a last checkpoint.
    pub(crate) async fn close(self) -> Result<(), FetchError> {
        drop(self.orders);
        end_of(self.writer).await
    }

    async fn ask<T>(&mut self, order: impl FnOnce(oneshot::Sender<T>) -> Order) -> Result<T, FetchError> {
        let (answer, said) = oneshot::channel();
        self.send(order(answer)).await?;
        match said.await {
            Ok(said) => Ok(said),
            Err(_) => Err(self.failure().await),
        }
    }

    async fn send(&mut self, order: Order) -> Result<(), FetchError> {
        if self.orders.send(order).await.is_ok() { Ok(()) } else { Err(self.failure().await) }
    }

    /// Why the writer has gone.
    async fn failure(&mut self) -> FetchError {
        end_of(self.writer.take()).await.err().unwrap_or(FetchError::Interrupted)
    }
}

/// How a writer ended; nothing new when it has been heard already.
async fn end_of(writer: Option<JoinHandle<Result<(), FetchError>>>) -> Result<(), FetchError> {
    match writer {
        Some(writer) => writer.await.unwrap_or_else(|_| Err(FetchError::broken())),
        None => Ok(()),
    }
}
