//! The protocol, version 1: what two machines say to each other once they share a secure connection. Everything needed to write another
//! client is on this page; the code beside it is the codec alone, with no connection, no clock and no memory of what was said.
//!
//! # The connection
//! QUIC or TCP, both with TLS 1.3 and ALPN `dray-exchange/1`. Both ends show a libp2p certificate (libp2p TLS specification); the names in
//! them are the ends' names. QUIC gives bidirectional streams; over TCP they are made by the frames described in `link/mux`. The end that
//! opened the connection is the *dialer*.
//!
//! The dialer's first stream is the **control stream**. It carries frames both ways, for as long as the connection lives. Every other stream is
//! one **request**, by either end: the asker sends one frame and closes its half; the answer is one frame, for `Data` followed by exactly so
//! many raw bytes, then the end of the stream. An asker that no longer wants the answer stops the stream.
//!
//! # Frames
//! `length: u32 big endian` (of what follows, 1 to [`MAX_FRAME`]), `type: u8`, body. Numbers in bodies are *varints*: seven bits a byte, lowest
//! first, the high bit set on all but the last, at most ten bytes. A reader ignores bytes behind those it knows, so a message can grow.
//! A type of 128 or more that a reader does not know is skipped; an unknown type below 128 ends the connection.
//!
//! | type | name | body |
//! |---|---|---|
//! | 1 | Hello | features (bit set), flag byte (1: a proof follows), 32 bytes of proof, agent text (length, at most 64 bytes of UTF-8) |
//! | 2 | Join | session, count of digests (1 to 8), each algorithm byte (1 SHA-256, 2 SHA-512, 3 BLAKE3) and its bytes, holding |
//! | 3 | Welcome | session, holding |
//! | 4 | Refuse | session, reason (1 not offered, 2 too many sessions, 3 crossed, 4 another size; others mean "not now") |
//! | 5 | Update | session, change |
//! | 6 | Leave | session |
//! | 7 | Ping | a number |
//! | 8 | Pong | the same number |
//! | 32 | GetRange | session, first byte, length |
//! | 33 | GetTable | session |
//! | 34 | Data | number of bytes that follow |
//! | 35 | Denied | reason (1 not offered, 2 no longer there, 3 busy, 4 no such session, 5 cannot read; others mean "not now") |
//!
//! *Holding*: flags (1 wants pieces, 2 size follows, 4 root follows), size, 32 bytes of root, set of pieces it has, set of pieces it is
//! fetching from the origin. *Change*: flags (1 wants, 2 size, 4 root, 8 has more, 16 has fewer, 32 fetching more, 64 fetching
//! fewer), then what the flags announce, in that order. *Set*: form byte: 0, then count of runs, each run as pieces skipped since the last
//! run and pieces in it less one; or 1, then length and a bitmap, first piece in the lowest bit of the first byte. Piece lengths
//! follow from the size (`dray_content::piece_len`).
//!
//! What follows `Data` for `GetTable` is the size (u64, big endian) and the 32 bytes of each piece (`dray_content::PieceTable`).
//!
//! A connection is closed with a number: 0 no more use for it, 1 a rule was broken, 2 not a member, 3 not admitted, 4 there is another
//! connection between the two, 5 too many, 6 nothing was heard for too long. When both ends call each other at once, the connection that
//! the lesser of the two names (compared as bytes) has dialled stays; a later one takes the place of an earlier one.
//!
//! # Order
//! Both ends send Hello first and nothing else before the other's has come and been judged. In a group, its proof is a BLAKE3 keyed hash over
//! 32 bytes exported from the TLS connection (label [`EXPORTER_LABEL`], no context), the prover's role and both names, as
//! `dray_identity::Group::prove` says; without a group there is none, and an end that expects otherwise closes the connection.
//!
//! A Join opens a session about one content; its number is the joiner's choice: rising, even from the dialer, odd from the other end. The answer
//! is Welcome or Refuse. When both ends join the same content at once, the dialer's Join stands and the other is refused as *crossed*.
//! A size or root, once said, stays. In a session each end asks only for bytes in pieces that the other has.

mod codec;
mod message;
mod request;

pub(crate) use message::{Message, Refusal};
pub(crate) use request::{Ask, Denial, Reply};

/// The protocol's name in TLS.
pub const ALPN: &[u8] = b"dray-exchange/1";

/// The label under which both ends export the bytes that a proof of membership is about.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-dray-membership";

/// Longest frame, in bytes, without its length: four bitmaps of the longest content, and room.
pub const MAX_FRAME: usize = 160 << 10;

/// Bytes before a frame's body: its length and its type.
pub(crate) const FRAME_HEAD: usize = 5;

/// Most names by which a content is asked for.
pub const MAX_DIGESTS: usize = 8;

/// Longest text by which an end introduces its software, in bytes.
pub(crate) const MAX_AGENT: usize = 64;

/// Types from here on may be skipped by those who do not know them.
const FIRST_OPTIONAL_TYPE: u8 = 128;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WireError {
    #[error("a message is cut off or malformed")]
    Malformed,
    #[error("a message has a length that is not allowed")]
    Length,
    #[error("a message has a type that is not known")]
    UnknownType,
    #[error("a message is not allowed at this place")]
    OutOfPlace,
}
