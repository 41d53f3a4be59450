//! The two transports behind one small face: a connection that is secure, knows the other end's name, and has streams.
//!
//! [`Link`] is what a connection can do, [`SendHalf`] and [`RecvHalf`] what a stream can do. QUIC has streams of its own; over TLS they are
//! made in `mux`. Nothing above this module knows which of the two it talks over, but for showing it.

pub(crate) mod dial;
mod mux;
pub(crate) mod quic;
pub(crate) mod tls;

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use dray_identity::PeerId;

use crate::Carrier;
use crate::config::Timing;

pub(crate) use mux::MuxLink;
pub(crate) use quic::QuicLink;

/// Streams at once beyond the requests that a peer may have open: the control stream, and requests whose end is on its way.
const SPARE_STREAMS: usize = 8;

/// What both transports are configured with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Streams at once that the other end may open.
    pub(crate) streams: u32,
    /// Silence before a transport gives up by itself; the connection above notices earlier.
    pub(crate) idle: Duration,
}

impl Shape {
    pub(crate) fn new(requests_per_peer: usize, timing: &Timing) -> Self {
        let streams = u32::try_from(requests_per_peer + SPARE_STREAMS).unwrap_or(u32::MAX);
        Self { streams, idle: timing.idle }
    }
}

/// Why a connection was ended, in the one byte that the other end gets to see. The numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CloseCode {
    Done,
    Violation,
    NotMember,
    NotAdmitted,
    Duplicate,
    TooMany,
    Silent,
    Unknown,
}

impl CloseCode {
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Done => 0,
            Self::Violation => 1,
            Self::NotMember => 2,
            Self::NotAdmitted => 3,
            Self::Duplicate => 4,
            Self::TooMany => 5,
            Self::Silent => 6,
            Self::Unknown => 7,
        }
    }

    pub(crate) fn from_number(number: u64) -> Self {
        match number {
            0 => Self::Done,
            1 => Self::Violation,
            2 => Self::NotMember,
            3 => Self::NotAdmitted,
            4 => Self::Duplicate,
            5 => Self::TooMany,
            6 => Self::Silent,
            _ => Self::Unknown,
        }
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Done => "it has no more use for it",
            Self::Violation => "a rule of the protocol was broken",
            Self::NotMember => "not a member of the group",
            Self::NotAdmitted => "not admitted",
            Self::Duplicate => "there is another connection between the two",
            Self::TooMany => "too many connections",
            Self::Silent => "nothing was heard for too long",
            Self::Unknown => "for a reason that is not known here",
        })
    }
}

/// What happened to a connection or to one of its streams.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LinkError {
    /// The other end said so.
    #[error("the other end closed the connection: {0}")]
    ClosedByPeer(CloseCode),
    /// This end said so.
    #[error("the connection was closed here: {0}")]
    ClosedHere(CloseCode),
    /// It broke.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The other end broke the transport's own rules.
    #[error("the other end broke the transport's rules: {0}")]
    Violation(&'static str),
    /// The other end gave the stream up while sending.
    #[error("the other end gave up sending")]
    Reset,
    /// The other end does not want the rest of the stream.
    #[error("the other end does not want the rest")]
    Stopped,
}

/// A connection. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Link {
    Quic(QuicLink),
    Tcp(MuxLink),
}

impl Link {
    pub(crate) fn carrier(&self) -> Carrier {
        match self {
            Self::Quic(_) => Carrier::Quic,
            Self::Tcp(_) => Carrier::Tcp,
        }
    }

    /// The name that the other end has proven.
    pub(crate) fn peer(&self) -> PeerId {
        match self {
            Self::Quic(link) => link.peer(),
            Self::Tcp(link) => link.peer(),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Quic(link) => link.address(),
            Self::Tcp(link) => link.address(),
        }
    }

    /// Secret bytes that only the two ends of this very connection know.
    pub(crate) fn exporter(&self) -> [u8; 32] {
        match self {
            Self::Quic(link) => link.exporter(),
            Self::Tcp(link) => link.exporter(),
        }
    }

    /// Opens a stream. Waits while the other end allows no more.
    pub(crate) async fn open(&self) -> Result<(SendHalf, RecvHalf), LinkError> {
        match self {
            Self::Quic(link) => link.open().await.map(|(send, recv)| (send.into(), recv.into())),
            Self::Tcp(link) => link.open().await.map(|(send, recv)| (send.into(), recv.into())),
        }
    }

    /// The next stream that the other end opens.
    pub(crate) async fn accept(&self) -> Result<(SendHalf, RecvHalf), LinkError> {
        match self {
            Self::Quic(link) => link.accept().await.map(|(send, recv)| (send.into(), recv.into())),
            Self::Tcp(link) => link.accept().await.map(|(send, recv)| (send.into(), recv.into())),
        }
    }

    pub(crate) fn close(&self, code: CloseCode) {
        match self {
            Self::Quic(link) => link.close(code),
            Self::Tcp(link) => link.close(code),
        }
    }

    /// When and why it ended.
    pub(crate) async fn closed(&self) -> LinkError {
        match self {
            Self::Quic(link) => link.closed().await,
            Self::Tcp(link) => link.closed().await,
        }
    }

    pub(crate) fn rtt(&self) -> Option<Duration> {
        match self {
            Self::Quic(link) => Some(link.rtt()),
            Self::Tcp(_) => None,
        }
    }

    /// A number that grows whenever anything at all comes from the other end.
    pub(crate) fn heard(&self) -> u64 {
        match self {
            Self::Quic(link) => link.heard(),
            Self::Tcp(link) => link.heard(),
        }
    }

    /// How many answers of the other end are awaited. What it may send is bounded by that, so that without a request there is little, and
    /// messages get through however slowly answers are read.
    pub(crate) fn expect_answers(&self, requests: u32) {
        match self {
            Self::Quic(link) => link.expect_answers(requests),
            // Over TCP each stream has a window of its own, and there is none above.
            Self::Tcp(_) => {}
        }
    }
}

/// The half of a stream that sends. Dropped before [`Self::finish`], the other end learns that something is missing.
pub(crate) enum SendHalf {
    Quic(quic::QuicSend),
    Tcp(mux::MuxSend),
}

impl SendHalf {
    /// Hands bytes over for sending; waits while too many are on their way.
    pub(crate) async fn write(&mut self, bytes: Bytes) -> Result<(), LinkError> {
        match self {
            Self::Quic(half) => half.write(bytes).await,
            Self::Tcp(half) => half.write(bytes).await,
        }
    }

    /// Says that nothing follows.
    pub(crate) fn finish(&mut self) {
        match self {
            Self::Quic(half) => half.finish(),
            Self::Tcp(half) => half.finish(),
        }
    }

    /// After [`Self::finish`]: when all has left this machine's memory. At any time: an error once the other end wants no more.
    pub(crate) async fn settled(&mut self) -> Result<(), LinkError> {
        match self {
            Self::Quic(half) => half.settled().await,
            Self::Tcp(half) => half.settled().await,
        }
    }

    /// Lets this stream's bytes go before those of others.
    pub(crate) fn make_urgent(&mut self) {
        match self {
            Self::Quic(half) => half.make_urgent(),
            // The control stream is known by its number there.
            Self::Tcp(_) => {}
        }
    }
}

impl From<quic::QuicSend> for SendHalf {
    fn from(half: quic::QuicSend) -> Self {
        Self::Quic(half)
    }
}

impl From<mux::MuxSend> for SendHalf {
    fn from(half: mux::MuxSend) -> Self {
        Self::Tcp(half)
    }
}

/// The half of a stream that receives. Dropped before the end, the other end learns that the rest is not wanted.
pub(crate) enum RecvHalf {
    Quic(quic::QuicRecv),
    Tcp(mux::MuxRecv),
}

impl RecvHalf {
    /// The next bytes, in order, as many as are there; `None` at the end. Nothing is lost when the future is dropped.
    pub(crate) async fn read(&mut self) -> Result<Option<Bytes>, LinkError> {
        match self {
            Self::Quic(half) => half.read().await,
            Self::Tcp(half) => half.read().await,
        }
    }
}

impl From<quic::QuicRecv> for RecvHalf {
    fn from(half: quic::QuicRecv) -> Self {
        Self::Quic(half)
    }
}

impl From<mux::MuxRecv> for RecvHalf {
    fn from(half: mux::MuxRecv) -> Self {
        Self::Tcp(half)
    }
}
