//! Digests that an origin publishes in its response headers, each by the rule of its own specification.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::digest::parse_hex;
use crate::{Algorithm, Digest};

/// How many header values are looked at; a hostile origin may send thousands.
const MAX_DIGESTS: usize = 16;

/// What the headers of one response say about the whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Collision-resistant digests of the whole file, strongest evidence first as they came, without repeats.
    pub digests: Vec<Digest>,
    /// CRC-32C of the whole file (`x-goog-hash`): finds accidents, proves nothing.
    pub crc32c: Option<u32>,
    /// MD5 (`Content-MD5`, `x-goog-hash`): a hint for people and logs, never checked and never a proof.
    pub md5: Option<[u8; 16]>,
}

/// Reads the published digests from response headers, given as (name, value) in any case and order.
///
/// - `Repr-Digest` (RFC 9530): of the whole representation, also in a 206.
/// - `Digest` (RFC 3230): the same, older spelling.
/// - `x-amz-checksum-sha256` (S3): whole object only; a composite (`…-N`, or `x-amz-checksum-type: COMPOSITE`) is not a digest of the file.
/// - `x-goog-hash` (GCS): `crc32c=` and `md5=`.
/// - `Content-MD5` (RFC 1864): a hint.
///
/// Anything malformed is as if it were absent: a header must never make a download fail by itself.
pub fn from_headers<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Published {
    let mut found = Published::default();
    let mut s3: Option<Digest> = None;
    let mut is_composite = false;
    for (name, value) in headers {
        match name.to_ascii_lowercase().as_str() {
            "repr-digest" => members(value).for_each(|(key, value)| found.add(dictionary_digest(key, value))),
            "digest" => members(value).for_each(|(key, value)| found.add(base64_digest(key, value))),
            "x-amz-checksum-sha256" => s3 = base64_digest("sha-256", value),
            "x-amz-checksum-type" => is_composite = !value.trim().eq_ignore_ascii_case("FULL_OBJECT"),
            "x-goog-hash" => members(value).for_each(|(key, value)| found.goog(key, value)),
            "content-md5" => found.md5 = exact(value),
            "x-checksum-sha256" => found.add(
                parse_hex(value.trim()).and_then(|bytes| Digest::from_bytes(Algorithm::Sha256, &bytes).ok()),
            ),
            _ => {}
        }
    }
    if !is_composite {
        found.add(s3);
    }
    found
}

impl Published {
    fn add(&mut self, digest: Option<Digest>) {
        if let Some(digest) = digest
            && self.digests.len() < MAX_DIGESTS
            && !self.digests.contains(&digest)
        {
            self.digests.push(digest);
        }
    }

    fn goog(&mut self, key: &str, value: &str) {
        match key {
            "crc32c" => self.crc32c = exact(value).map(u32::from_be_bytes),
            "md5" => self.md5 = exact(value),
            _ => {}
        }
    }
}

/// The comma-separated `key=value` members of a header.
fn members(value: &str) -> impl Iterator<Item = (&str, &str)> {
    value.split(',').filter_map(|member| member.trim().split_once('='))
}

/// A member of a structured-field dictionary whose value is a byte sequence, `:base64:`, with parameters ignored.
fn dictionary_digest(key: &str, value: &str) -> Option<Digest> {
    let bytes = value.split(';').next()?.trim().strip_prefix(':')?.strip_suffix(':')?;
    base64_digest(key, bytes)
}

fn base64_digest(key: &str, value: &str) -> Option<Digest> {
    let algorithm = match key.trim().to_ascii_lowercase().as_str() {
        "sha-256" => Algorithm::Sha256,
        "sha-512" => Algorithm::Sha512,
        _ => return None,
    };
    Digest::from_bytes(algorithm, &STANDARD.decode(value.trim()).ok()?).ok()
}

fn exact<const N: usize>(value: &str) -> Option<[u8; N]> {
    STANDARD.decode(value.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SHA-256 of `{"hello": "world"}` and a line feed, from RFC 9530 section 2.
    const RFC: &str = "RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=";

    fn rfc() -> Digest {
        Digest::from_bytes(Algorithm::Sha256, &STANDARD.decode(RFC).unwrap()).unwrap()
    }

    #[test]
    fn each_header_is_read_by_its_own_rule() {
        let repr = format!("unixsum=:AA==:, sha-256=:{RFC}:;x=1");
        assert_eq!(from_headers([("Repr-Digest", repr.as_str())]).digests, [rfc()]);
        let old = format!("SHA-256={RFC},id-sha-256=x");
        assert_eq!(from_headers([("digest", old.as_str())]).digests, [rfc()]);
        assert_eq!(from_headers([("x-amz-checksum-sha256", RFC)]).digests, [rfc()]);
        let found = from_headers([("x-goog-hash", "crc32c=4waSgw==,md5=JfnnlDI7RTiF9RgfG2JNCw==")]);
        assert_eq!(found.crc32c, Some(0xE306_9283));
        assert!(found.md5.is_some() && found.digests.is_empty());
    }

    #[test]
    fn a_composite_checksum_is_not_a_digest_of_the_file() {
        let composite = format!("{RFC}-3");
        assert!(from_headers([("x-amz-checksum-sha256", composite.as_str())]).digests.is_empty());
        let typed = [("x-amz-checksum-sha256", RFC), ("x-amz-checksum-type", "COMPOSITE")];
        assert!(from_headers(typed).digests.is_empty());
    }

    #[test]
    fn malformed_headers_are_as_if_absent() {
        let hostile = [
            ("repr-digest", "sha-256=:AAAA:"),
            ("repr-digest", "sha-256=::"),
            ("repr-digest", ":,=;=,"),
            ("digest", "sha-256="),
            ("content-md5", "\u{fffd}"),
            ("x-goog-hash", "crc32c=AAAAAAAA"),
            ("x-checksum-sha256", "zz"),
        ];
        assert_eq!(from_headers(hostile), Published::default());
    }
}
