//! The few DNS messages that mDNS (RFC 6762) and DNS-SD (RFC 6763) need here, as bytes. Pure.
//!
//! A machine announces an instance of `_dray._tcp.local` whose name is its peer id:
//!
//! ```text
//! PTR  _dray._tcp.local           -> PEERID._dray._tcp.local
//! SRV  PEERID._dray._tcp.local    -> port, PEERID.local
//! TXT  PEERID._dray._tcp.local    -> "v=1" "swarm=TAG"
//! A    PEERID.local               -> its address on that interface
//! ```
//! so that any DNS-SD browser shows it. What is read back are SRV and TXT; the address is the one that the packet came
//! from. Everything here that reads is bounded: records, labels, the length of names, and pointers only go backwards.

use std::net::Ipv4Addr;

use libp2p::PeerId;

/// Larger packets are not read: an announcement has a fifth of this.
pub(super) const MAX_PACKET: usize = 1500;
/// Questions and records looked at in one packet.
const MAX_RECORDS: usize = 64;
/// Machines believed from one packet.
const MAX_MACHINES: usize = 4;
/// The longest name (RFC 1035, 2.3.4).
const MAX_NAME: usize = 255;
/// Labels of the longest name looked at; those that matter have four.
const MAX_LABELS: usize = 16;
/// The longest tag of a swarm.
const MAX_TAG: usize = 64;

const SERVICE: [&[u8]; 3] = [b"_dray", b"_tcp", b"local"];
const A: u16 = 1;
const PTR: u16 = 12;
const TXT: u16 = 16;
const SRV: u16 = 33;
const ANY: u16 = 255;
const IN: u16 = 1;
/// "Forget what you know by that name."
const FLUSH: u16 = 0x8000;

/// A machine that announces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Machine {
    pub(super) peer: PeerId,
    pub(super) port: u16,
    pub(super) tag: String,
    /// Seconds; 0 says goodbye.
    pub(super) ttl: u32,
}

/// What the records of one machine have said so far.
struct Part {
    peer: PeerId,
    /// Port and seconds.
    service: Option<(u16, u32)>,
    tag: Option<String>,
}

/// What a packet says that matters here.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// Someone asks who is there.
    pub(super) asks: bool,
    pub(super) machines: Vec<Machine>,
}

/// Bytes that are no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// "Who is there?"
pub(super) fn question() -> Vec<u8> {
    let mut out = header(0, 1, 0, 0);
    name(&mut out, &SERVICE);
    numbers(&mut out, &[PTR, IN]);
    out
}

/// "I am", at `ip` on this interface.
pub(super) fn announcement(machine: &Machine, ip: Ipv4Addr) -> Vec<u8> {
    let id = machine.peer.to_base58();
    let instance = [id.as_bytes(), SERVICE[0], SERVICE[1], SERVICE[2]];
    let host = [id.as_bytes(), SERVICE[2]];
    // An answer, authoritative.
    let mut out = header(0x8400, 0, 1, 3);
    record(&mut out, &SERVICE, PTR, IN, machine.ttl, |out| name(out, &instance));
    record(&mut out, &instance, SRV, IN | FLUSH, machine.ttl, |out| {
        numbers(out, &[0, 0, machine.port]);
        name(out, &host);
    });
    record(&mut out, &instance, TXT, IN | FLUSH, machine.ttl, |out| {
        text(out, "v=1");
        text(out, &format!("swarm={}", machine.tag));
    });
    record(&mut out, &host, A, IN | FLUSH, machine.ttl, |out| out.extend_from_slice(&ip.octets()));
    out
}

/// Reads a packet of anyone's.
pub(super) fn read(packet: &[u8]) -> Result<Said, Malformed> {
    let mut from = Reader { packet, at: 0 };
    let _id = from.u16()?;
    let flags = from.u16()?;
    let questions = usize::from(from.u16()?);
    let records = usize::from(from.u16()?) + usize::from(from.u16()?) + usize::from(from.u16()?);
    let mut said = Said::default();
    let is_answer = flags & 0x8000 != 0;
    for _ in 0..questions.min(MAX_RECORDS) {
        let asked = from.name()?;
        let kind = from.u16()?;
        from.u16()?;
        said.asks |= !is_answer && (kind == PTR || kind == ANY) && asked.is(&SERVICE);
    }
    if !is_answer || questions > MAX_RECORDS {
        return Ok(said);
    }
    let mut found: Vec<Part> = Vec::new();
    for _ in 0..records.min(MAX_RECORDS) {
        let owner = from.name()?;
        let kind = from.u16()?;
        from.u16()?;
        let ttl = from.u32()?;
        let length = usize::from(from.u16()?);
        let data = from.take(length)?;
        let Some(peer) = owner.instance() else { continue };
        let index = match found.iter().position(|part| part.peer == peer) {
            Some(index) => index,
            None if found.len() < MAX_MACHINES => {
                found.push(Part { peer, service: None, tag: None });
                found.len() - 1
            }
            None => continue,
        };
        match kind {
            SRV => {
                let port = data.get(4..6).ok_or(Malformed)?;
                found[index].service = Some((u16::from_be_bytes([port[0], port[1]]), ttl));
            }
            TXT => found[index].tag = tag(data)?,
            _ => {}
        }
    }
    let whole = |part: Part| {
        let (port, ttl) = part.service?;
        Some(Machine { peer: part.peer, port, tag: part.tag?, ttl })
    };
    said.machines = found.into_iter().filter_map(whole).collect();
    Ok(said)
}

/// The tag among the strings of a TXT record, when the version is one that is understood.
fn tag(mut data: &[u8]) -> Result<Option<String>, Malformed> {
    let (mut version, mut tag) = (false, None);
    while let Some((&length, rest)) = data.split_first() {
        let (one, rest) = rest.split_at_checked(usize::from(length)).ok_or(Malformed)?;
        data = rest;
        version |= one == b"v=1";
        if let Some(text) = one.strip_prefix(b"swarm=")
            && text.len() <= MAX_TAG
        {
            tag = String::from_utf8(text.to_vec()).ok();
        }
    }
    Ok(tag.filter(|_| version))
}

fn header(flags: u16, questions: u16, answers: u16, additionals: u16) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    numbers(&mut out, &[0, flags, questions, answers, 0, additionals]);
    out
}

fn numbers(out: &mut Vec<u8>, all: &[u16]) {
    for number in all {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

/// Labels are constants and a peer id of fifty-odd characters: they fit.
fn name(out: &mut Vec<u8>, labels: &[&[u8]]) {
    for label in labels {
        out.push(u8::try_from(label.len()).unwrap_or(0));
        out.extend_from_slice(label);
    }
    out.push(0);
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(0));
    out.extend_from_slice(text.as_bytes());
}

fn record(
    out: &mut Vec<u8>,
    owner: &[&[u8]],
    kind: u16,
    class: u16,
    ttl: u32,
    data: impl FnOnce(&mut Vec<u8>),
) {
    name(out, owner);
    numbers(out, &[kind, class]);
    out.extend_from_slice(&ttl.to_be_bytes());
    let at = out.len();
    numbers(out, &[0]);
    data(out);
    let length = u16::try_from(out.len() - at - 2).unwrap_or(0);
    out[at..at + 2].copy_from_slice(&length.to_be_bytes());
}

/// The labels of a name, as parts of the packet.
struct Name<'a>(Vec<&'a [u8]>);

impl Name<'_> {
    fn is(&self, labels: &[&[u8]]) -> bool {
        self.0.len() == labels.len() && self.0.iter().zip(labels).all(|(a, b)| a.eq_ignore_ascii_case(b))
    }

    /// The peer whose instance of the service it is.
    fn instance(&self) -> Option<PeerId> {
        let (first, rest) = self.0.split_first()?;
        let service = Name(rest.to_vec()).is(&SERVICE);
        if service { std::str::from_utf8(first).ok()?.parse().ok() } else { None }
    }
}

struct Reader<'a> {
    packet: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(length).ok_or(Malformed)?;
        let taken = self.packet.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(taken)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.take(2).map(|two| u16::from_be_bytes([two[0], two[1]]))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.take(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]))
    }

    fn name(&mut self) -> Result<Name<'a>, Malformed> {
        let mut labels = Vec::with_capacity(4);
        let mut length = 0;
        let mut at = self.at;
        // Where reading goes on behind the name: after the first pointer, if there is one.
        let mut behind = None;
        // A pointer has to lead further back than where its name began, so every chain of them ends.
        let mut earliest = self.at;
        loop {
            let first = usize::from(*self.packet.get(at).ok_or(Malformed)?);
            match first {
                0 => {
                    self.at = behind.unwrap_or(at + 1);
                    return Ok(Name(labels));
                }
                1..=63 => {
                    let label = self.packet.get(at + 1..at + 1 + first).ok_or(Malformed)?;
                    length += first + 1;
                    if length > MAX_NAME || labels.len() >= MAX_LABELS {
                        return Err(Malformed);
                    }
                    labels.push(label);
                    at += 1 + first;
                }
                0xc0.. => {
                    let second = usize::from(*self.packet.get(at + 1).ok_or(Malformed)?);
                    let to = (first & 0x3f) << 8 | second;
                    if to >= earliest {
                        return Err(Malformed);
                    }
                    behind.get_or_insert(at + 2);
                    (earliest, at) = (to, to);
                }
                _ => return Err(Malformed),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn some() -> Machine {
        Machine { peer: PeerId::random(), port: 7680, tag: "lan".into(), ttl: 120 }
    }

    fn real() -> Machine {
        Machine { peer: libp2p::identity::Keypair::generate_ed25519().public().to_peer_id(), ..some() }
    }

    #[test]
    fn an_announcement_says_who_is_there_and_fits_into_a_packet() {
        let machine = real();
        let packet = announcement(&machine, Ipv4Addr::new(10, 0, 0, 7));
        assert!(packet.len() < 512, "{}", packet.len());
        assert_eq!(read(&packet), Ok(Said { asks: false, machines: vec![machine] }));
    }

    #[test]
    fn a_question_is_heard_as_one() {
        assert_eq!(read(&question()), Ok(Said { asks: true, machines: vec![] }));
    }

    #[test]
    fn what_other_programs_announce_is_passed_over() {
        let mut packet = announcement(&real(), Ipv4Addr::LOCALHOST);
        let at: Vec<_> = (0..packet.len() - 5).filter(|at| &packet[*at..*at + 5] == b"_dray").collect();
        for at in at {
            packet[at..at + 5].copy_from_slice(b"_ipps");
        }
        assert_eq!(read(&packet), Ok(Said::default()));
    }

    #[test]
    fn a_name_that_points_at_itself_or_ahead_is_malformed() {
        for pointer in [[0xc0, 12], [0xc0, 14], [0xff, 0xff]] {
            let mut packet = header(0, 1, 0, 0);
            packet.extend_from_slice(&pointer);
            packet.extend_from_slice(&[0, 12, 0, 1, 0, 0]);
            assert_eq!(read(&packet), Err(Malformed));
        }
    }

    #[test]
    fn a_packet_of_many_machines_is_believed_for_four() {
        let mut packet = header(0x8400, 0, 16, 0);
        for _ in 0..8 {
            let id = real().peer.to_base58();
            let instance = [id.as_bytes(), SERVICE[0], SERVICE[1], SERVICE[2]];
            record(&mut packet, &instance, SRV, IN, 9, |out| numbers(out, &[0, 0, 1, 0]));
            record(&mut packet, &instance, TXT, IN, 9, |out| {
                text(out, "v=1");
                text(out, "swarm=lan");
            });
        }
        assert_eq!(read(&packet).unwrap().machines.len(), MAX_MACHINES);
    }

    proptest! {
        #[test]
        fn no_bytes_make_reading_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }

        #[test]
        fn no_damage_to_an_announcement_makes_reading_panic(at in 0usize..300, byte in any::<u8>(), cut in 0usize..300) {
            let mut packet = announcement(&some(), Ipv4Addr::LOCALHOST);
            let length = packet.len();
            packet[at % length] = byte;
            let _ = read(&packet);
            let _ = read(&packet[..cut.min(length)]);
        }
    }
}
