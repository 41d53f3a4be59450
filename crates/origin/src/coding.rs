//! Whether the bytes of an answer are the bytes of the file.
//!
//! We always ask with `Accept-Encoding: identity`. A server that compresses all the same sends other bytes than the file's, of
//! another length and with other offsets: nothing that is verified, resumed or split could be right, so it is an error.

use http::HeaderMap;
use http::header::{ACCEPT_RANGES, CONTENT_ENCODING, CONTENT_LENGTH, TRANSFER_ENCODING};
use url::Url;

/// Extensions of files that *are* what the coding makes, for the servers described at [`foreign_coding`].
const STORED: [(&str, &[&str]); 5] = [
    ("gzip", &["gz", "tgz", "svgz", "taz"]),
    ("compress", &["z"]),
    ("br", &["br"]),
    ("zstd", &["zst", "tzst"]),
    ("bzip2", &["bz2", "tbz"]),
];

/// The coding that makes the body something else than the file, if there is one.
///
/// One exception: some servers (Apache with `AddEncoding x-gzip .gz`) mark a stored `Packages.gz` as the gzip coding of
/// `Packages`. Its bytes are the file that the URL names. So a coding that the name's extension announces is accepted
/// when the answer also looks like a stored file, which a body compressed on the fly does not: a length, and ranges.
pub(crate) fn foreign_coding(url: &Url, headers: &HeaderMap, is_partial: bool) -> Option<String> {
    let transfer = codings(headers, TRANSFER_ENCODING).into_iter().find(|coding| coding != "chunked");
    if transfer.is_some() {
        return transfer;
    }
    let content = codings(headers, CONTENT_ENCODING);
    let is_stored =
        is_partial || (headers.contains_key(CONTENT_LENGTH) && headers.contains_key(ACCEPT_RANGES));
    match content.as_slice() {
        [] => None,
        [one] if is_stored && names(url, one) => None,
        [one, ..] => Some(one.clone()),
    }
}

/// All codings but `identity`, in lower case.
fn codings(headers: &HeaderMap, name: http::HeaderName) -> Vec<String> {
    let values = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    let all: Vec<String> = values.collect();
    let words = all.iter().flat_map(|value| value.split(',')).map(str::trim);
    words.filter(|word| !word.is_empty() && *word != "identity").map(str::to_owned).collect()
}

fn names(url: &Url, coding: &str) -> bool {
    let coding = coding.strip_prefix("x-").unwrap_or(coding);
    let extension =
        url.path().rsplit('/').next().and_then(|name| name.rsplit_once('.')).map(|(_, extension)| extension);
    let of_coding =
        STORED.iter().find(|(name, _)| *name == coding).map_or(&[][..], |(_, extensions)| extensions);
    extension.is_some_and(|extension| of_coding.contains(&extension.to_ascii_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(path: &str, headers: &[(http::HeaderName, &str)]) -> Option<String> {
        let url = Url::parse("http://host/").unwrap().join(path).unwrap();
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        foreign_coding(&url, &headers, false)
    }

    #[test]
    fn any_coding_but_identity_is_foreign() {
        assert_eq!(foreign("a", &[]), None);
        assert_eq!(foreign("a", &[(CONTENT_ENCODING, "identity")]), None);
        assert_eq!(foreign("a", &[(CONTENT_ENCODING, "")]), None);
        assert_eq!(foreign("a", &[(CONTENT_ENCODING, "GZip")]).as_deref(), Some("gzip"));
        assert_eq!(foreign("a", &[(CONTENT_ENCODING, "identity, br")]).as_deref(), Some("br"));
        assert_eq!(foreign("a", &[(CONTENT_ENCODING, "made-up")]).as_deref(), Some("made-up"));
    }

    #[test]
    fn a_compressing_transfer_coding_is_foreign_and_chunked_is_not() {
        assert_eq!(foreign("a", &[(TRANSFER_ENCODING, "chunked")]), None);
        assert_eq!(foreign("a", &[(TRANSFER_ENCODING, "gzip, chunked")]).as_deref(), Some("gzip"));
    }

    #[test]
    fn a_stored_file_marked_with_its_own_coding_is_the_file() {
        let stored = [(CONTENT_ENCODING, "x-gzip"), (CONTENT_LENGTH, "9"), (ACCEPT_RANGES, "bytes")];
        assert_eq!(foreign("dists/Packages.GZ", &stored), None);
        assert_eq!(foreign("file.tgz", &stored), None);
        assert_eq!(foreign("file.tar", &stored).as_deref(), Some("x-gzip"));
        assert_eq!(foreign("gz", &stored).as_deref(), Some("x-gzip"));
        assert_eq!(foreign("file.gz", &stored[..1]).as_deref(), Some("x-gzip"));
        let twice = [(CONTENT_ENCODING, "gzip, gzip"), (CONTENT_LENGTH, "9"), (ACCEPT_RANGES, "bytes")];
        assert_eq!(foreign("file.gz", &twice).as_deref(), Some("gzip"));
    }
}
