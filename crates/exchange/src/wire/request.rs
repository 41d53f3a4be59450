//! What is said on a request's own stream, before the bytes.

use dray_ranges::ByteRange;

use super::codec::Reader;
use super::message::numbers;
use super::{FIRST_OPTIONAL_TYPE, WireError};

const GET_RANGE: u8 = 32;
const GET_TABLE: u8 = 33;
const DATA: u8 = 34;
const DENIED: u8 = 35;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    Range { session: u32, range: ByteRange },
    Table { session: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    /// So many bytes follow.
    Data(u64),
    Denied(Denial),
}

/// Why a request gets no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denial {
    NotOffered,
    Gone,
    Busy,
    NoSession,
    CannotRead,
    /// A reason of a later version.
    NotNow,
}

impl Denial {
    fn number(self) -> u64 {
        match self {
            Self::NotOffered => 1,
            Self::Gone => 2,
            Self::Busy => 3,
            Self::NoSession => 4,
            Self::CannotRead => 5,
            Self::NotNow => 6,
        }
    }

    fn from_number(number: u64) -> Self {
        match number {
            1 => Self::NotOffered,
            2 => Self::Gone,
            3 => Self::Busy,
            4 => Self::NoSession,
            5 => Self::CannotRead,
            _ => Self::NotNow,
        }
    }
}

impl Ask {
    pub(crate) fn to_frame(self) -> Vec<u8> {
        match self {
            Self::Range { session, range } => {
                numbers(GET_RANGE, &[u64::from(session), range.start(), range.len()])
            }
            Self::Table { session } => numbers(GET_TABLE, &[u64::from(session)]),
        }
    }

    pub(crate) fn from_frame(kind: u8, body: &[u8]) -> Result<Self, WireError> {
        let mut body = Reader::new(body);
        match kind {
            GET_RANGE => {
                let session = body.small()?;
                let range = ByteRange::with_len(body.number()?, body.number()?);
                Ok(Self::Range { session, range: range.ok_or(WireError::Malformed)? })
            }
            GET_TABLE => Ok(Self::Table { session: body.small()? }),
            // A request cannot be skipped: someone waits for its answer.
            FIRST_OPTIONAL_TYPE.. => Err(WireError::UnknownType),
            _ => Err(WireError::OutOfPlace),
        }
    }
}

impl Reply {
    pub(crate) fn to_frame(self) -> Vec<u8> {
        match self {
            Self::Data(len) => numbers(DATA, &[len]),
            Self::Denied(why) => numbers(DENIED, &[why.number()]),
        }
    }

    pub(crate) fn from_frame(kind: u8, body: &[u8]) -> Result<Self, WireError> {
        let mut body = Reader::new(body);
        match kind {
            DATA => Ok(Self::Data(body.number()?)),
            DENIED => Ok(Self::Denied(Denial::from_number(body.number()?))),
            _ => Err(WireError::OutOfPlace),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::FRAME_HEAD;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn requests_and_replies_read_back_as_they_were_written(session in any::<u32>(), start in 0..u64::MAX / 2, len in 1..u64::MAX / 2, why in 1u64..7) {
            for ask in [Ask::Table { session }, Ask::Range { session, range: ByteRange::with_len(start, len).unwrap() }] {
                let frame = ask.to_frame();
                prop_assert_eq!(Ask::from_frame(frame[4], &frame[FRAME_HEAD..]), Ok(ask));
            }
            for reply in [Reply::Data(len), Reply::Denied(Denial::from_number(why))] {
                let frame = reply.to_frame();
                prop_assert_eq!(Reply::from_frame(frame[4], &frame[FRAME_HEAD..]), Ok(reply));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(kind in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = Ask::from_frame(kind, &body);
            let _ = Reply::from_frame(kind, &body);
        }
    }

    #[test]
    fn an_empty_range_and_one_beyond_all_numbers_are_malformed() {
        assert_eq!(Ask::from_frame(32, &[0, 5, 0]), Err(WireError::Malformed));
        let huge = [0xFF; 9].iter().copied().chain([1]).collect::<Vec<u8>>();
        let body = [&[0][..], &huge, &huge].concat();
        assert_eq!(Ask::from_frame(32, &body), Err(WireError::Malformed));
    }
}
