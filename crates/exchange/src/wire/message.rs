//! What is said on the control stream.

use dray_content::Digest;

use super::codec::{Reader, Writer};
use super::{FIRST_OPTIONAL_TYPE, MAX_AGENT, WireError};
use crate::holding::{Change, Holding};

const HELLO: u8 = 1;
const JOIN: u8 = 2;
const WELCOME: u8 = 3;
const REFUSE: u8 = 4;
const UPDATE: u8 = 5;
const LEAVE: u8 = 6;
const PING: u8 = 7;
const PONG: u8 = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Hello { features: u64, proof: Option<[u8; 32]>, agent: String },
    Join { session: u32, digests: Vec<Digest>, holding: Holding },
    Welcome { session: u32, holding: Holding },
    Refuse { session: u32, why: Refusal },
    Update { session: u32, change: Change },
    Leave { session: u32 },
    Ping(u64),
    Pong(u64),
}

/// Why a session was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    NotOffered,
    TooMany,
    Crossed,
    AnotherSize,
    /// A reason of a later version.
    NotNow,
}

impl Refusal {
    fn number(self) -> u64 {
        match self {
            Self::NotOffered => 1,
            Self::TooMany => 2,
            Self::Crossed => 3,
            Self::AnotherSize => 4,
            Self::NotNow => 5,
        }
    }

    fn from_number(number: u64) -> Self {
        match number {
            1 => Self::NotOffered,
            2 => Self::TooMany,
            3 => Self::Crossed,
            4 => Self::AnotherSize,
            _ => Self::NotNow,
        }
    }
}

impl Message {
    /// The whole frame.
    pub(crate) fn to_frame(&self) -> Vec<u8> {
        match self {
            Self::Hello { features, proof, agent } => {
                let mut frame = Writer::frame(HELLO);
                frame.number(*features);
                frame.byte(u8::from(proof.is_some()));
                proof.iter().for_each(|proof| frame.raw(proof));
                frame.text(agent);
                frame.finish()
            }
            Self::Join { session, digests, holding } => {
                let mut frame = Writer::frame(JOIN);
                frame.number(u64::from(*session));
                frame.number(digests.len() as u64);
                digests.iter().for_each(|digest| frame.digest(digest));
                frame.holding(holding);
                frame.finish()
            }
            Self::Welcome { session, holding } => {
                let mut frame = Writer::frame(WELCOME);
                frame.number(u64::from(*session));
                frame.holding(holding);
                frame.finish()
            }
            Self::Refuse { session, why } => numbers(REFUSE, &[u64::from(*session), why.number()]),
            Self::Update { session, change } => {
                let mut frame = Writer::frame(UPDATE);
                frame.number(u64::from(*session));
                frame.change(change);
                frame.finish()
            }
            Self::Leave { session } => numbers(LEAVE, &[u64::from(*session)]),
            Self::Ping(number) => numbers(PING, &[*number]),
            Self::Pong(number) => numbers(PONG, &[*number]),
        }
    }

    /// The message in a frame of that type; `None` for one that may be skipped.
    pub(crate) fn from_frame(kind: u8, body: &[u8]) -> Result<Option<Self>, WireError> {
        let mut body = Reader::new(body);
        Ok(Some(match kind {
            HELLO => {
                let features = body.number()?;
                let proof = if body.byte()? == 0 { None } else { Some(body.array()?) };
                Self::Hello { features, proof, agent: body.text(MAX_AGENT)?.to_owned() }
            }
            JOIN => Self::Join { session: body.small()?, digests: body.digests()?, holding: body.holding()? },
            WELCOME => Self::Welcome { session: body.small()?, holding: body.holding()? },
            REFUSE => Self::Refuse { session: body.small()?, why: Refusal::from_number(body.number()?) },
            UPDATE => Self::Update { session: body.small()?, change: body.change()? },
            LEAVE => Self::Leave { session: body.small()? },
            PING => Self::Ping(body.number()?),
            PONG => Self::Pong(body.number()?),
            FIRST_OPTIONAL_TYPE.. => return Ok(None),
            _ => return Err(WireError::UnknownType),
        }))
    }
}

pub(super) fn numbers(kind: u8, numbers: &[u64]) -> Vec<u8> {
    let mut frame = Writer::frame(kind);
    numbers.iter().for_each(|number| frame.number(*number));
    frame.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PieceSet;
    use crate::wire::{FRAME_HEAD, MAX_FRAME};
    use dray_content::{ContentId, PieceIndex};
    use proptest::prelude::*;

    fn any_set() -> impl Strategy<Value = PieceSet> {
        prop_oneof![
            (0u32..600).prop_map(PieceSet::full),
            proptest::collection::vec(0u32..600, 0..300)
                .prop_map(|pieces| pieces.into_iter().map(PieceIndex).collect()),
        ]
    }

    fn any_holding() -> impl Strategy<Value = Holding> {
        let root = proptest::option::of(any::<[u8; 32]>().prop_map(ContentId));
        (any::<bool>(), any::<bool>(), root, any_set(), any_set()).prop_map(
            |(wants, sized, root, have, fetching)| match sized {
                true => Holding { size: Some(150 << 20), have, fetching, wants, root },
                false => Holding { wants, root, ..Holding::default() },
            },
        )
    }

    fn any_digest() -> impl Strategy<Value = Digest> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(Digest::Sha256),
            any::<[u8; 32]>().prop_map(Digest::Blake3),
            any::<[u8; 32]>().prop_map(|half| Digest::Sha512([half, half].concat().try_into().unwrap())),
        ]
    }

    fn any_message() -> impl Strategy<Value = Message> {
        let hello = (any::<u64>(), proptest::option::of(any::<[u8; 32]>()), "[a-zé/ .0-9]{0,30}");
        let join = (any::<u32>(), proptest::collection::vec(any_digest(), 1..=8), any_holding());
        let change = (any_holding(), any_holding()).prop_map(|(one, two)| two.change_from(&one));
        prop_oneof![
            hello.prop_map(|(features, proof, agent)| Message::Hello { features, proof, agent }),
            join.prop_map(|(session, digests, holding)| Message::Join { session, digests, holding }),
            (any::<u32>(), any_holding())
                .prop_map(|(session, holding)| Message::Welcome { session, holding }),
            (any::<u32>(), 1u64..6)
                .prop_map(|(session, why)| Message::Refuse { session, why: Refusal::from_number(why) }),
            (any::<u32>(), change).prop_map(|(session, change)| Message::Update { session, change }),
            any::<u32>().prop_map(|session| Message::Leave { session }),
            any::<u64>().prop_map(Message::Ping),
            any::<u64>().prop_map(Message::Pong),
        ]
    }

    proptest! {
        #[test]
        fn a_message_reads_back_as_it_was_written_and_with_more_behind_it(message in any_message(), more in any::<[u8; 3]>()) {
            let mut frame = message.to_frame();
            let len = u32::from_be_bytes(frame[..4].try_into().unwrap()) as usize;
            prop_assert_eq!(len, frame.len() - 4);
            prop_assert!(len <= MAX_FRAME);
            let read = |frame: &[u8]| Message::from_frame(frame[4], &frame[FRAME_HEAD..]);
            prop_assert_eq!(read(&frame), Ok(Some(message.clone())));
            frame.extend(more);
            prop_assert_eq!(read(&frame), Ok(Some(message)));
        }

        #[test]
        fn arbitrary_bytes_are_a_message_or_an_error_and_never_a_panic(kind in any::<u8>(), body in proptest::collection::vec(any::<u8>(), 0..200)) {
            match Message::from_frame(kind, &body) {
                Ok(None) => prop_assert!(kind >= 128),
                Ok(Some(message)) => {
                    let frame = message.to_frame();
                    prop_assert_eq!(Message::from_frame(frame[4], &frame[FRAME_HEAD..]), Ok(Some(message)));
                }
                Err(_) => prop_assert!(kind < 128),
            }
        }

        #[test]
        fn a_message_with_a_flipped_byte_or_cut_short_never_panics(message in any_message(), at in any::<proptest::sample::Index>(), bit in 0u8..8) {
            let mut frame = message.to_frame();
            let cut = at.index(frame.len() - FRAME_HEAD + 1) + FRAME_HEAD;
            let _ = Message::from_frame(frame[4], &frame[FRAME_HEAD..cut]);
            let at = at.index(frame.len());
            frame[at] ^= 1 << bit;
            let _ = Message::from_frame(frame[4], &frame[FRAME_HEAD..]);
        }
    }

    #[test]
    fn the_longest_content_with_the_worst_sets_fits_a_frame() {
        let every_other: PieceSet = (0..crate::MAX_PIECES).step_by(2).map(PieceIndex).collect();
        let holding = Holding {
            size: Some(4 << 40),
            have: every_other.clone(),
            fetching: every_other,
            wants: true,
            root: Some(ContentId([9; 32])),
        };
        let digests = vec![Digest::Sha512([1; 64]); 8];
        let frame = Message::Join { session: u32::MAX, digests, holding: holding.clone() }.to_frame();
        assert!(frame.len() <= MAX_FRAME);
        // A change has both sets twice, but no piece is both more and less.
        let odd = PieceSet::full(crate::MAX_PIECES).difference(&holding.have);
        let other = Holding { have: odd.clone(), fetching: odd, ..holding.clone() };
        let change = other.change_from(&holding);
        assert!(Message::Update { session: 1, change }.to_frame().len() <= MAX_FRAME + FRAME_HEAD);
    }

    #[test]
    fn runs_that_leave_the_longest_content_and_bitmaps_longer_than_the_size_are_malformed() {
        // Welcome to session 0: flags "size follows", 1 MiB, then a set.
        let welcome = |set: &[u8]| {
            let body = [&[0, 2, 0x80, 0x80, 0x40][..], set, &[0, 0]].concat();
            Message::from_frame(3, &body)
        };
        assert!(welcome(&[0, 1, 0, 3]).is_ok(), "four pieces");
        assert!(welcome(&[1, 1, 0x0F]).is_ok());
        assert_eq!(welcome(&[0, 1, 0, 4]), Err(WireError::Malformed), "five pieces");
        assert_eq!(welcome(&[1, 1, 0x1F]), Err(WireError::Malformed));
        assert_eq!(welcome(&[0, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F, 0]), Err(WireError::Malformed));
        assert_eq!(welcome(&[0, 1, 0, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F]), Err(WireError::Malformed));
        assert_eq!(welcome(&[2]), Err(WireError::Malformed));
    }
}
