//! What a caller asks for.

use dray_ranges::{ByteRange, http::http_range};
use url::Url;

use crate::error::OriginError;
use crate::shown::ShownUrl;
use crate::validators::Validators;

/// How many headers of its own a caller may add to a request.
pub const MAX_REQUEST_HEADERS: usize = 64;

/// One request.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// What to fetch; http or https. User and password in it become a Basic authorization.
    pub url: &'a Url,
    /// How much of it.
    pub what: Wish,
    /// The version that earlier bytes are of. Sent as `If-Range` where it can prove something, so that another version comes
    /// whole (200); a partial answer that shows another version is [`OriginError::Changed`].
    pub if_range: Option<&'a Validators>,
    /// The version that is already there whole: if it is still the current one, the answer is [`Answer::Unchanged`](crate::Answer).
    pub unless: Option<&'a Validators>,
    /// More request headers, at most [`MAX_REQUEST_HEADERS`]. Credentials among them stay with the URL's host when it redirects.
    pub headers: &'a [(String, String)],
}

impl<'a> Ask<'a> {
    /// The whole file, whatever its version.
    #[must_use]
    pub fn whole(url: &'a Url) -> Self {
        Self { url, what: Wish::Whole, if_range: None, unless: None, headers: &[] }
    }
}

/// Without headers and queries, which may hold secrets.
impl std::fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask")
            .field("url", &ShownUrl::from(self.url))
            .field("what", &self.what)
            .field("if_range", &self.if_range)
            .field("unless", &self.unless)
            .finish_non_exhaustive()
    }
}

/// How much of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// All of it.
    Whole,
    /// All from this offset on; from zero it is the same as `Whole`.
    From(u64),
    /// These bytes.
    Range(ByteRange),
}

impl Wish {
    /// The value of the `Range` header; `None` when there must be none.
    pub(crate) fn range_header(self) -> Option<String> {
        match self {
            Self::Whole | Self::From(0) => None,
            Self::From(start) => Some(http_range(start, None)),
            Self::Range(range) => Some(http_range(range.start(), Some(range.end()))),
        }
    }
}

/// Parses what a person or a job calls a URL, and checks that it can be fetched.
///
/// # Errors
/// [`OriginError::BadUrl`] and [`OriginError::UnsupportedScheme`].
pub fn parse_url(text: &str) -> Result<Url, OriginError> {
    let bad = |why: String| OriginError::BadUrl { text: ShownUrl::from_text(text), why };
    let url = Url::parse(text).map_err(|error| {
        bad(match error {
            url::ParseError::RelativeUrlWithoutBase => "it must begin with http:// or https://".into(),
            error => error.to_string(),
        })
    })?;
    check_url(&url)?;
    Ok(url)
}

pub(crate) fn check_url(url: &Url) -> Result<(), OriginError> {
    if !matches!(url.scheme(), "http" | "https") {
        let scheme = url.scheme().to_owned();
        return Err(OriginError::UnsupportedScheme { url: ShownUrl::from_text(url.as_str()), scheme });
    }
    if !url.has_host() {
        let why = "it names no host".into();
        return Err(OriginError::BadUrl { text: ShownUrl::from_text(url.as_str()), why });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_printed_without_its_secrets() {
        let url = Url::parse("http://u:hidden@host/f?hidden").unwrap();
        let headers = [("cookie".to_owned(), "hidden".to_owned())];
        let ask = Ask { headers: &headers, ..Ask::whole(&url) };
        assert!(!format!("{ask:?}").contains("hidden"), "{ask:?}");
    }

    #[test]
    fn texts_that_are_no_url_are_told_what_is_missing() {
        let sentence = |text: &str| parse_url(text).unwrap_err().to_string();
        assert_eq!(
            sentence("file.bin"),
            "\"file.bin\" is not a URL that can be fetched: it must begin with http:// or https://"
        );
        assert_eq!(sentence("http://"), "\"http://\" is not a URL that can be fetched: empty host");
        assert_eq!(
            sentence("ftp://me:secret@host/file?x"),
            "cannot fetch ftp://host/file: only http and https are supported, not ftp"
        );
        assert!(sentence("http://me:secret@[bad/").contains("is not a URL"));
        assert!(!sentence("http://me:secret@[bad/").contains("secret"));
        assert_eq!(parse_url("HTTP://Host/x").unwrap().as_str(), "http://host/x");
    }
}
