//! Answering the requests of other ends.
//!
//! A request is read, judged against what was offered, and waits for a slot. Then the volume is read on blocking threads, one stretch
//! ahead of what is being sent; when the other end does not take the bytes, reading waits and the slot goes to others. After each stretch
//! other peers that wait get their turn.

mod bucket;
mod pool;
mod slots;
mod stretches;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dray_ranges::ByteRange;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use crate::Incident;
use crate::config::Limits;
use crate::connection::frames::{FrameError, FrameReader};
use crate::connection::{Connection, SessionState};
use crate::link::{CloseCode, LinkError, RecvHalf, SendHalf};
use crate::wire::{Ask, Denial, Reply};
use bucket::Bucket;
use pool::Pool;
use slots::{Place, Slots};

/// Longest request, in bytes.
const MAX_ASK: usize = 64;
/// Bytes handed to the transport at once: what must be taken by the other end within one deadline.
const SLICE: usize = 64 << 10;
/// As long as uploads are limited, so that at a low rate none waits long for its next bytes.
const LIMITED_SLICE: usize = 16 << 10;

/// A receiver that takes nothing for this long is busy with something else, and others can have the slot.
const REST_AFTER: Duration = Duration::from_millis(50);

/// What all uploads share.
pub(crate) struct Uploads {
    slots: Slots,
    bucket: Bucket,
    pool: Pool,
}

impl Uploads {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            slots: Slots::new(limits.upload_slots, limits.upload_queue),
            bucket: Bucket::new(limits.upload_bytes_per_s),
            pool: Pool::default(),
        }
    }

    pub(crate) fn set_limit(&self, bytes_per_s: Option<u64>) {
        self.bucket.set(bytes_per_s);
    }
}

/// Why an answer was not given to its end.
enum Cut {
    /// It is said instead of the bytes.
    Denied(Denial),
    /// The other end has broken a rule by asking.
    Refused(Denial, Incident),
    /// The other end does not take the bytes.
    NotReading,
    /// Nobody waits for it any more, or nothing can be said any more.
    Gone,
}

impl From<LinkError> for Cut {
    fn from(_: LinkError) -> Self {
        Self::Gone
    }
}

/// One request, from its first byte to its last.
pub(crate) async fn answer(connection: Arc<Connection>, mut send: SendHalf, recv: RecvHalf) {
    // Beyond the limit the stream is dropped, which the other end sees as a refusal to answer.
    let Some(_counted) = connection.answering() else { return };
    let over = connection.over.clone();
    let work = async {
        let Some(ask) = read_ask(&connection, recv).await else { return };
        let cut = match ask {
            Ask::Range { session, range } => give_range(&connection, &mut send, session, range).await,
            Ask::Table { session } => give_table(&connection, &mut send, session).await,
        };
        let denial = match cut {
            Ok(()) => return connection.hub.counters.answered.add(1),
            Err(Cut::Gone) => return,
            Err(Cut::NotReading) => return connection.incident(Incident::NotReading),
            Err(Cut::Denied(denial)) => denial,
            Err(Cut::Refused(denial, incident)) => {
                connection.refuse(incident);
                denial
            }
        };
        let denied = Reply::Denied(denial).to_frame().into();
        if let Ok(Ok(())) = timeout(connection.hub.timing.message, send.write(denied)).await {
            send.finish();
            let _ = timeout(connection.hub.timing.message, send.settled()).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = over.cancelled() => {}
    }
}

async fn read_ask(connection: &Arc<Connection>, recv: RecvHalf) -> Option<Ask> {
    let deadline = connection.hub.timing.message;
    let mut reader = FrameReader::with_max(recv, MAX_ASK);
    let frame = timeout(deadline, reader.next(deadline)).await.unwrap_or(Err(FrameError::Stalled));
    let incident = match frame {
        Ok((kind, body)) => match Ask::from_frame(kind, &body) {
            Ok(ask) => return Some(ask),
            Err(_) => Incident::Malformed("a request is malformed"),
        },
        Err(FrameError::Wire(_)) => Incident::Malformed("a request has a length that is not allowed"),
        Err(FrameError::Stalled) => {
            connection.refuse(Incident::Stalled("a request"));
            return None;
        }
        // It was given up before it was made.
        Err(FrameError::Link(_) | FrameError::Ended) => return None,
    };
    connection.incident(incident);
    connection.end(CloseCode::Violation);
    None
}

async fn find_session(connection: &Connection, id: u32) -> Result<Arc<SessionState>, Cut> {
    let found = timeout(connection.hub.timing.join, connection.session(id)).await;
    found.ok().flatten().ok_or(Cut::Denied(Denial::NoSession))
}

async fn give_range(
    connection: &Arc<Connection>,
    send: &mut SendHalf,
    session: u32,
    range: ByteRange,
) -> Result<(), Cut> {
    let session = find_session(connection, session).await?;
    let ours = session.volume.ours().borrow().clone();
    let size = ours.size.unwrap_or(0);
    if !ours.have.covers(range, size) {
        return Err(if session.was_offered(range, size) {
            Cut::Denied(Denial::Gone)
        } else {
            Cut::Refused(Denial::NotOffered, Incident::NotOffered)
        });
    }
    let over = session.over.clone();
    tokio::select! {
        outcome = send_range(connection, send, &session, range) => outcome,
        () = over.cancelled() => Err(Cut::Gone),
    }
}

async fn send_range(
    connection: &Arc<Connection>,
    send: &mut SendHalf,
    session: &Arc<SessionState>,
    range: ByteRange,
) -> Result<(), Cut> {
    let mut place = wait_for_place(connection, send).await?;
    let mut stretches = stretches::stretches(range);
    let mut coming = stretches.next().map(|stretch| read(session, stretch));
    let mut is_first = true;
    while let Some(reading) = coming.take() {
        let bytes = match reading.await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => {
                tracing::warn!(%error, peer = %connection.peer, "a content could not be read for a peer");
                return Err(if is_first { Cut::Denied(Denial::CannotRead) } else { Cut::Gone });
            }
            Err(_) => return Err(Cut::Gone),
        };
        if is_first {
            send_slice(connection, send, &mut place, Reply::Data(range.len()).to_frame().into()).await?;
            is_first = false;
        } else {
            place.take_turns().await;
        }
        coming = stretches.next().map(|stretch| read(session, stretch));
        send_bytes(connection, send, &mut place, bytes).await?;
    }
    settle(connection, send, &mut place).await
}

async fn give_table(connection: &Arc<Connection>, send: &mut SendHalf, session: u32) -> Result<(), Cut> {
    let session = find_session(connection, session).await?;
    let table = session.volume.table().ok_or(Cut::Denied(Denial::NotOffered))?;
    let mut place = wait_for_place(connection, send).await?;
    let bytes = Bytes::from(table.to_bytes());
    send_slice(connection, send, &mut place, Reply::Data(bytes.len() as u64).to_frame().into()).await?;
    send_bytes(connection, send, &mut place, bytes).await?;
    settle(connection, send, &mut place).await
}

async fn wait_for_place(connection: &Connection, send: &mut SendHalf) -> Result<Place, Cut> {
    let slots = &connection.hub.uploads.slots;
    let turn = timeout(connection.hub.timing.first_byte, slots.take(connection.peer));
    tokio::select! {
        place = turn => match place {
            Ok(Ok(place)) => Ok(place),
            _ => Err(Cut::Denied(Denial::Busy)),
        },
        _ = send.settled() => Err(Cut::Gone),
    }
}

/// One stretch, read on a blocking thread.
fn read(session: &Arc<SessionState>, stretch: ByteRange) -> JoinHandle<std::io::Result<Bytes>> {
    let volume = Arc::clone(&session.volume);
    let pool = session.connection.hub.uploads.pool.clone();
    spawn_blocking(move || {
        let mut buffer = pool.take();
        volume.read(stretch, &mut buffer)?;
        let bytes = pool.lend(buffer);
        if bytes.len() as u64 == stretch.len() {
            Ok(bytes)
        } else {
            Err(std::io::Error::other("a volume gave another number of bytes than it was asked for"))
        }
    })
}

async fn send_bytes(
    connection: &Connection,
    send: &mut SendHalf,
    place: &mut Place,
    mut bytes: Bytes,
) -> Result<(), Cut> {
    let bucket = &connection.hub.uploads.bucket;
    while !bytes.is_empty() {
        let most = if bucket.is_limited() { LIMITED_SLICE } else { SLICE };
        let slice = bytes.split_to(bytes.len().min(most));
        let len = slice.len();
        bucket.take(len).await;
        send_slice(connection, send, place, slice).await?;
        connection.count_sent(len);
    }
    Ok(())
}

async fn send_slice(
    connection: &Connection,
    send: &mut SendHalf,
    place: &mut Place,
    slice: Bytes,
) -> Result<(), Cut> {
    resting(connection, place, send.write(slice)).await?;
    place.resume().await;
    Ok(())
}

/// The place is held until the last byte has left: what lies in our memory counts.
async fn settle(connection: &Connection, send: &mut SendHalf, place: &mut Place) -> Result<(), Cut> {
    send.finish();
    resting(connection, place, send.settled()).await
}

/// Waits for the other end to take something; when that is long, the slot is given up.
async fn resting(
    connection: &Connection,
    place: &mut Place,
    taken: impl Future<Output = Result<(), LinkError>>,
) -> Result<(), Cut> {
    let mut taken = std::pin::pin!(taken);
    if let Ok(taken) = timeout(REST_AFTER, &mut taken).await {
        return Ok(taken?);
    }
    place.rest();
    Ok(timeout(connection.hub.timing.stall, taken).await.map_err(|_| Cut::NotReading)??)
}
