//! What two members say to each other, as bytes. Pure.
//!
//! One request and one reply on a stream of their own, each preceded by its length (two bytes, at most [`MAX_FRAME`]).
//! Numbers are big-endian. A request carries several items, so that a machine with a hundred files asks in a few frames:
//!
//! ```text
//! request   = 1 | count:u8 | item*
//! item      = 1 | wish:u32 | role:u8 | count:u8 | digest*        do you have or want this? I do
//!           | 2 | wish:u32                                       I no longer do
//!           | 3                                                  whom do you know?
//! digest    = 1 | 32 bytes (SHA-256)  |  2 | 64 bytes (SHA-512)  |  3 | 32 bytes (BLAKE3)
//! role      = 1 (has) | 2 (wants)
//! reply     = 1 | count:u8 | answer*                             one for each item, in their order
//! answer    = 0 neither | 1 has | 2 wants | 3 refused for now | 4 understood | 5 | count:u8 | neighbour*
//! neighbour = length:u8 | peer id | 4 | 4 bytes | port:u16  or  length:u8 | peer id | 6 | 16 bytes | port:u16
//! ```
//! Whatever is left over, cut short or not listed here makes the whole frame malformed.

use std::net::{IpAddr, SocketAddr};

use dray_content::{Algorithm, Digest};
use libp2p::PeerId;

use crate::Role;

/// The longest request or reply.
pub(crate) const MAX_FRAME: usize = 16 * 1024;
/// The most items in one request.
pub(crate) const MAX_ITEMS: usize = 64;
/// The most names by which one content is asked for.
pub(crate) const MAX_DIGESTS: usize = 4;
/// The most neighbours in one answer.
pub(crate) const MAX_NEIGHBOURS: usize = 32;
/// The longest peer id: a multihash of an inlined public key.
const MAX_PEER_ID: usize = 64;
const VERSION: u8 = 1;

/// One thing asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Item {
    Ask { wish: u32, role: Role, digests: Vec<Digest> },
    End { wish: u32 },
    Neighbours,
}

/// What is said to one item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Neither,
    Is(Role),
    Refused,
    Understood,
    Neighbours(Vec<(PeerId, SocketAddr)>),
}

/// Bytes that are no frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a malformed frame")]
pub(crate) struct Malformed;

/// Writes a request of as many of `items` as fit; says how many they were.
pub(crate) fn write_request(items: &[Item]) -> (Vec<u8>, usize) {
    let mut out = vec![VERSION, 0];
    let mut count = 0u8;
    for item in items.iter().take(MAX_ITEMS) {
        let before = out.len();
        match item {
            Item::Ask { wish, role, digests } => {
                out.push(1);
                out.extend_from_slice(&wish.to_be_bytes());
                out.push(role_byte(*role));
                let digests = &digests[..digests.len().min(MAX_DIGESTS)];
                out.push(u8::try_from(digests.len()).unwrap_or(u8::MAX));
                for digest in digests {
                    out.push(algorithm_byte(digest.algorithm()));
                    out.extend_from_slice(digest.bytes());
                }
            }
            Item::End { wish } => {
                out.push(2);
                out.extend_from_slice(&wish.to_be_bytes());
            }
            Item::Neighbours => out.push(3),
        }
        if out.len() > MAX_FRAME {
            out.truncate(before);
            break;
        }
        count += 1;
    }
    out[1] = count;
    (out, usize::from(count))
}

/// Reads what [`write_request`] wrote.
pub(crate) fn read_request(bytes: &[u8]) -> Result<Vec<Item>, Malformed> {
    let mut from = Reader(bytes);
    let count = from.head(MAX_ITEMS)?;
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        items.push(match from.byte()? {
            1 => {
                let wish = from.u32()?;
                let role = read_role(from.byte()?)?;
                let digests = usize::from(from.byte()?);
                if digests == 0 || digests > MAX_DIGESTS {
                    return Err(Malformed);
                }
                let digests = (0..digests).map(|_| from.digest()).collect::<Result<_, _>>()?;
                Item::Ask { wish, role, digests }
            }
            2 => Item::End { wish: from.u32()? },
            3 => Item::Neighbours,
            _ => return Err(Malformed),
        });
    }
    from.end(items)
}

/// Writes a reply. There are never more answers than items in a request; neighbours that do not fit are left out.
pub(crate) fn write_reply(answers: &[Answer]) -> Vec<u8> {
    let mut out = vec![VERSION, u8::try_from(answers.len().min(MAX_ITEMS)).unwrap_or(0)];
    let mut rest = answers.len();
    for answer in answers.iter().take(MAX_ITEMS) {
        rest -= 1;
        match answer {
            Answer::Neither => out.push(0),
            Answer::Is(role) => out.push(role_byte(*role)),
            Answer::Refused => out.push(3),
            Answer::Understood => out.push(4),
            Answer::Neighbours(all) => {
                out.push(5);
                let at = out.len();
                out.push(0);
                for (peer, address) in all.iter().take(MAX_NEIGHBOURS) {
                    let before = out.len();
                    write_neighbour(&mut out, peer, *address);
                    // Each answer that follows needs two bytes at least.
                    if out.len() + 2 * rest > MAX_FRAME {
                        out.truncate(before);
                        break;
                    }
                    out[at] += 1;
                }
            }
        }
    }
    out
}

/// Reads what [`write_reply`] wrote; it has to answer exactly `items` items.
pub(crate) fn read_reply(bytes: &[u8]) -> Result<Vec<Answer>, Malformed> {
    let mut from = Reader(bytes);
    let count = from.head(MAX_ITEMS)?;
    let mut answers = Vec::with_capacity(count);
    for _ in 0..count {
        answers.push(match from.byte()? {
            0 => Answer::Neither,
            role @ (1 | 2) => Answer::Is(read_role(role)?),
            3 => Answer::Refused,
            4 => Answer::Understood,
            5 => {
                let all = usize::from(from.byte()?);
                if all > MAX_NEIGHBOURS {
                    return Err(Malformed);
                }
                Answer::Neighbours((0..all).map(|_| from.neighbour()).collect::<Result<_, _>>()?)
            }
            _ => return Err(Malformed),
        });
    }
    from.end(answers)
}

fn write_neighbour(out: &mut Vec<u8>, peer: &PeerId, address: SocketAddr) {
    let id = peer.to_bytes();
    out.push(u8::try_from(id.len()).unwrap_or(0));
    out.extend_from_slice(&id);
    match address.ip() {
        IpAddr::V4(ip) => {
            out.push(4);
            out.extend_from_slice(&ip.octets());
        }
        IpAddr::V6(ip) => {
            out.push(6);
            out.extend_from_slice(&ip.octets());
        }
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

fn role_byte(role: Role) -> u8 {
    match role {
        Role::Has => 1,
        Role::Wants => 2,
    }
}

fn read_role(byte: u8) -> Result<Role, Malformed> {
    match byte {
        1 => Ok(Role::Has),
        2 => Ok(Role::Wants),
        _ => Err(Malformed),
    }
}

fn algorithm_byte(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
        Algorithm::Blake3 => 3,
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(Malformed)?;
        self.0 = rest;
        Ok(*head)
    }

    fn byte(&mut self) -> Result<u8, Malformed> {
        self.take::<1>().map(|[byte]| byte)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take().map(u32::from_be_bytes)
    }

    fn head(&mut self, most: usize) -> Result<usize, Malformed> {
        let [version, count] = self.take()?;
        let count = usize::from(count);
        if version == VERSION && count <= most { Ok(count) } else { Err(Malformed) }
    }

    fn digest(&mut self) -> Result<Digest, Malformed> {
        match self.byte()? {
            1 => self.take().map(Digest::Sha256),
            2 => self.take().map(Digest::Sha512),
            3 => self.take().map(Digest::Blake3),
            _ => Err(Malformed),
        }
    }

    fn neighbour(&mut self) -> Result<(PeerId, SocketAddr), Malformed> {
        let length = usize::from(self.byte()?);
        if length > MAX_PEER_ID || length > self.0.len() {
            return Err(Malformed);
        }
        let (id, rest) = self.0.split_at(length);
        self.0 = rest;
        let peer = PeerId::from_bytes(id).map_err(|_| Malformed)?;
        let ip = match self.byte()? {
            4 => IpAddr::from(self.take::<4>()?),
            6 => IpAddr::from(self.take::<16>()?),
            _ => return Err(Malformed),
        };
        let port = u16::from_be_bytes(self.take()?);
        Ok((peer, SocketAddr::new(ip, port)))
    }

    fn end<T>(self, read: T) -> Result<T, Malformed> {
        if self.0.is_empty() { Ok(read) } else { Err(Malformed) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest() -> impl Strategy<Value = Digest> {
        prop_oneof![
            any::<[u8; 32]>().prop_map(Digest::Sha256),
            (any::<[u8; 32]>(), any::<[u8; 32]>()).prop_map(|(a, b)| {
                let mut both = [0; 64];
                both[..32].copy_from_slice(&a);
                both[32..].copy_from_slice(&b);
                Digest::Sha512(both)
            }),
            any::<[u8; 32]>().prop_map(Digest::Blake3),
        ]
    }

    fn role() -> impl Strategy<Value = Role> {
        prop_oneof![Just(Role::Has), Just(Role::Wants)]
    }

    fn item() -> impl Strategy<Value = Item> {
        prop_oneof![
            (any::<u32>(), role(), proptest::collection::vec(digest(), 1..=MAX_DIGESTS))
                .prop_map(|(wish, role, digests)| Item::Ask { wish, role, digests }),
            any::<u32>().prop_map(|wish| Item::End { wish }),
            Just(Item::Neighbours),
        ]
    }

    fn neighbour() -> impl Strategy<Value = (PeerId, SocketAddr)> {
        (any::<bool>(), any::<u128>(), any::<u16>()).prop_map(|(four, bits, port)| {
            let ip = if four {
                IpAddr::from(bits.to_be_bytes()[..4].first_chunk::<4>().copied().unwrap())
            } else {
                IpAddr::from(bits.to_be_bytes())
            };
            (PeerId::random(), SocketAddr::new(ip, port))
        })
    }

    fn answer() -> impl Strategy<Value = Answer> {
        prop_oneof![
            Just(Answer::Neither),
            role().prop_map(Answer::Is),
            Just(Answer::Refused),
            Just(Answer::Understood),
            proptest::collection::vec(neighbour(), 0..=MAX_NEIGHBOURS).prop_map(Answer::Neighbours),
        ]
    }

    proptest! {
        #[test]
        fn a_request_is_read_as_it_was_written(items in proptest::collection::vec(item(), 0..=MAX_ITEMS)) {
            let (bytes, count) = write_request(&items);
            prop_assert!(bytes.len() <= MAX_FRAME);
            prop_assert!(count == items.len() || bytes.len() + 300 > MAX_FRAME);
            prop_assert_eq!(read_request(&bytes), Ok(items[..count].to_vec()));
        }

        #[test]
        fn a_reply_is_read_as_it_was_written(answers in proptest::collection::vec(answer(), 0..8)) {
            let bytes = write_reply(&answers);
            prop_assert!(bytes.len() <= MAX_FRAME);
            prop_assert_eq!(read_reply(&bytes), Ok(answers));
        }

        #[test]
        fn a_reply_of_neighbours_alone_never_grows_too_large(each in proptest::collection::vec(neighbour(), MAX_NEIGHBOURS)) {
            let bytes = write_reply(&vec![Answer::Neighbours(each); MAX_ITEMS]);
            prop_assert!(bytes.len() <= MAX_FRAME);
            prop_assert_eq!(read_reply(&bytes).map(|answers| answers.len()), Ok(MAX_ITEMS));
        }

        #[test]
        fn what_is_cut_short_or_has_something_left_over_is_malformed(items in proptest::collection::vec(item(), 1..4), cut in 1usize..40) {
            let (mut bytes, _) = write_request(&items);
            let kept = bytes.len().saturating_sub(cut);
            prop_assert_eq!(read_request(&bytes[..kept]), Err(Malformed));
            bytes.push(0);
            prop_assert_eq!(read_request(&bytes), Err(Malformed));
        }

        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_request(&bytes);
            let _ = read_reply(&bytes);
        }
    }

    #[test]
    fn more_than_the_limits_allow_is_malformed() {
        let mut digests = vec![1, 1, 1, 0, 0, 0, 0, 2, 5];
        digests.extend([&[3][..], &[0; 32]].concat().repeat(5));
        assert_eq!(read_request(&digests), Err(Malformed));
        let items = [&[1, 65][..], &[3; 65]].concat();
        assert_eq!(read_request(&items), Err(Malformed));
        assert!(read_request(&[&[1, 64][..], &[3; 64]].concat()).is_ok());
    }
}
