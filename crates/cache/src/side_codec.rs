//! The bytes of a side file.
//!
//! "DRAYSIDE", version (u16), then sections of tag (u8), length (u32) and payload, at the end the CRC-32 of all before. All
//! numbers are big endian. A reader skips sections it does not know, so that later versions can say more; the version goes
//! up only when an old reader would be misled.

use dray_content::{Algorithm, Digest, PieceTable};
use dray_platform::identity_of::FileStamp;

use crate::config::{MAX_DIGESTS, MAX_URLS};
use crate::side_file::{Audience, Settled, SideFile, StoredValidators, UrlLink};

const MAGIC: &[u8; 8] = b"DRAYSIDE";
const VERSION: u16 = 1;

const TABLE: u8 = 1;
const DIGEST: u8 = 2;
const URL: u8 = 3;
const STAMP: u8 = 4;
const SETTLED: u8 = 5;
const AUDIENCE: u8 = 6;
const ADOPTED: u8 = 7;

pub(crate) fn encode(side: &SideFile) -> Vec<u8> {
    let mut out = Vec::with_capacity(512 + side.table.values().len() * 32);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_be_bytes());
    section(&mut out, TABLE, &side.table.to_bytes());
    for digest in &side.digests {
        section(&mut out, DIGEST, &[&[algorithm_tag(digest.algorithm())], digest.bytes()].concat());
    }
    for link in &side.urls {
        let mut payload = link.seen_ms.to_be_bytes().to_vec();
        text(&mut payload, Some(&link.url));
        text(&mut payload, link.validators.etag.as_deref());
        text(&mut payload, link.validators.last_modified.as_deref());
        section(&mut out, URL, &payload);
    }
    section(&mut out, STAMP, &encode_stamp(&side.stamp));
    let boot = match &side.settled {
        Settled::Durable => None,
        Settled::SinceBoot(boot) => Some(boot.as_str()),
    };
    let mut payload = Vec::new();
    text(&mut payload, boot);
    section(&mut out, SETTLED, &payload);
    let user = match &side.audience {
        Audience::Everyone => None,
        Audience::Only(user) => Some(user.as_str()),
    };
    let mut payload = Vec::new();
    text(&mut payload, user);
    section(&mut out, AUDIENCE, &payload);
    section(&mut out, ADOPTED, &side.adopted_ms.to_be_bytes());
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_be_bytes());
    out
}

/// The side file in these bytes, or the reason why there is none.
pub(crate) fn decode(bytes: &[u8]) -> Result<SideFile, &'static str> {
    let (body, sum) = bytes.split_last_chunk::<4>().ok_or("it is too short")?;
    if crc32fast::hash(body) != u32::from_be_bytes(*sum) {
        return Err("its checksum is wrong");
    }
    let mut rest = Cursor(body);
    if rest.take(MAGIC.len()) != Some(MAGIC) {
        return Err("it does not begin as a side file");
    }
    if rest.number().map(u16::from_be_bytes) != Some(VERSION) {
        return Err("it is of another version");
    }
    parse(rest).ok_or("it is malformed")
}

fn parse(mut rest: Cursor<'_>) -> Option<SideFile> {
    let (mut table, mut stamp, mut settled, mut adopted_ms) = (None, None, None, None);
    // A missing audience is read as nobody's, which is safe.
    let mut audience = Audience::Only(String::new());
    let (mut digests, mut urls) = (Vec::new(), Vec::new());
    while let Some(tag) = rest.number::<1>() {
        let len = usize::try_from(u32::from_be_bytes(rest.number()?)).ok()?;
        let mut payload = Cursor(rest.take(len)?);
        match tag[0] {
            TABLE => table = Some(PieceTable::from_bytes(payload.0).ok()?),
            DIGEST if digests.len() < MAX_DIGESTS => digests.push(decode_digest(payload.0)?),
            URL if urls.len() < MAX_URLS => urls.push(decode_url(&mut payload)?),
            STAMP => stamp = Some(decode_stamp(&mut payload)?),
            SETTLED => settled = Some(payload.text()?.map_or(Settled::Durable, Settled::SinceBoot)),
            AUDIENCE => audience = payload.text()?.map_or(Audience::Everyone, Audience::Only),
            ADOPTED => adopted_ms = Some(u64::from_be_bytes(payload.number()?)),
            _ => {}
        }
    }
    Some(SideFile {
        table: table?,
        digests,
        urls,
        audience,
        stamp: stamp?,
        adopted_ms: adopted_ms?,
        settled: settled?,
    })
}

fn section(out: &mut Vec<u8>, tag: u8, payload: &[u8]) {
    let len = u32::try_from(payload.len()).expect("every section is limited far below 4 GiB");
    out.push(tag);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(payload);
}

/// An optional text: its length plus one as u16, or zero for none.
fn text(out: &mut Vec<u8>, text: Option<&str>) {
    let len = text.map_or(0, |text| u16::try_from(text.len() + 1).expect("every text is limited to 8 KiB"));
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(text.unwrap_or_default().as_bytes());
}

fn encode_stamp(stamp: &FileStamp) -> Vec<u8> {
    [
        stamp.volume.to_be_bytes(),
        stamp.file.to_be_bytes(),
        stamp.size.to_be_bytes(),
        stamp.modified_ns.to_be_bytes(),
        stamp.changed_ns.to_be_bytes(),
        stamp.links.to_be_bytes(),
    ]
    .concat()
}

fn decode_stamp(payload: &mut Cursor<'_>) -> Option<FileStamp> {
    Some(FileStamp {
        volume: u64::from_be_bytes(payload.number()?),
        file: u64::from_be_bytes(payload.number()?),
        size: u64::from_be_bytes(payload.number()?),
        modified_ns: i64::from_be_bytes(payload.number()?),
        changed_ns: i64::from_be_bytes(payload.number()?),
        links: u64::from_be_bytes(payload.number()?),
    })
}

fn decode_url(payload: &mut Cursor<'_>) -> Option<UrlLink> {
    let seen_ms = u64::from_be_bytes(payload.number()?);
    let url = payload.text()??;
    let validators = StoredValidators { etag: payload.text()?, last_modified: payload.text()? };
    Some(UrlLink { url, validators, seen_ms })
}

fn algorithm_tag(algorithm: Algorithm) -> u8 {
    match algorithm {
        Algorithm::Sha256 => 1,
        Algorithm::Sha512 => 2,
        Algorithm::Blake3 => 3,
    }
}

fn decode_digest(payload: &[u8]) -> Option<Digest> {
    let (tag, bytes) = payload.split_first()?;
    let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm_tag(*algorithm) == *tag)?;
    Digest::from_bytes(algorithm, bytes).ok()
}

/// What is left to read.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    fn number<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn text(&mut self) -> Option<Option<String>> {
        match usize::from(u16::from_be_bytes(self.number()?)) {
            0 => Some(None),
            len => Some(Some(String::from_utf8(self.take(len - 1)?.to_vec()).ok()?)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::side_file::tests::sample;
    use proptest::prelude::*;

    #[test]
    fn a_side_file_reads_back_as_it_was_written() {
        let mut side = sample();
        assert_eq!(decode(&encode(&side)), Ok(side.clone()));
        side.settled = Settled::Durable;
        side.audience = Audience::Everyone;
        side.digests.clear();
        side.urls.clear();
        assert_eq!(decode(&encode(&side)), Ok(side));
    }

    #[test]
    fn a_side_file_that_is_cut_anywhere_is_refused() {
        let bytes = encode(&sample());
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err(), "cut at {len}");
        }
    }

    #[test]
    fn an_unknown_section_is_skipped_and_an_unknown_version_is_not() {
        let side = sample();
        let with_sum = |mut body: Vec<u8>| {
            let sum = crc32fast::hash(&body);
            body.extend_from_slice(&sum.to_be_bytes());
            body
        };
        let mut body = encode(&side);
        body.truncate(body.len() - 4);
        let mut more = body.clone();
        section(&mut more, 200, b"from the future");
        assert_eq!(decode(&with_sum(more)), Ok(side));
        body[9] = 2;
        assert_eq!(decode(&with_sum(body)), Err("it is of another version"));
    }

    proptest! {
        #[test]
        fn a_flipped_bit_is_noticed(at in 0usize..300, bit in 0u8..8) {
            let mut bytes = encode(&sample());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(decode(&bytes).is_err());
        }

        #[test]
        fn no_bytes_make_the_reader_fall_over(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decode(&body);
            let mut whole = MAGIC.to_vec();
            whole.extend_from_slice(&VERSION.to_be_bytes());
            whole.extend_from_slice(&body);
            let sum = crc32fast::hash(&whole);
            whole.extend_from_slice(&sum.to_be_bytes());
            let _ = decode(&whole);
        }
    }
}
