//! The headers of a request, made from what the caller asks for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, HeaderName, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE,
    RANGE,
};
use url::Url;

use crate::ask::{Ask, MAX_REQUEST_HEADERS, check_url};
use crate::error::OriginError;
use crate::percent;
use crate::redirect::bare;
use crate::validators::Validators;

/// Headers that say what the bytes of the answer are; they are this crate's to set.
const OURS: [&str; 17] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// The caller's headers that say nothing about who asks. Any other one stays with the host it was meant for, and makes the answer that
/// user's own: what grants access has too many names to list.
const HARMLESS: [&str; 3] = ["accept", "accept-language", "user-agent"];

/// A request's headers, checked, the secret ones apart.
pub(crate) struct Request {
    /// Without user, password and fragment.
    pub(crate) url: Url,
    pub(crate) plain: HeaderMap,
    pub(crate) secret: HeaderMap,
    /// Whether a 304 would be an answer to it.
    pub(crate) is_conditional: bool,
}

impl Request {
    pub(crate) fn new(ask: &Ask<'_>) -> Result<Self, OriginError> {
        check_url(ask.url)?;
        let (plain, secret) = callers_headers(ask.headers)?;
        let mut request = Self { url: bare(ask.url.clone()), plain, secret, is_conditional: false };
        request.add_basic(ask.url)?;
        request.plain.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        let digests = HeaderValue::from_static("sha-256=10, sha-512=5");
        request.plain.insert(HeaderName::from_static("want-repr-digest"), digests);
        if let Some(range) = ask.what.range_header() {
            request.add(RANGE, Some(&range));
            request.add(IF_RANGE, ask.if_range.and_then(Validators::if_range));
        }
        if let Some(known) = ask.unless {
            let by_etag = request.add(IF_NONE_MATCH, known.if_none_match());
            let by_date = request.add(IF_MODIFIED_SINCE, known.last_modified.as_deref());
            request.is_conditional = by_etag || by_date;
        }
        Ok(request)
    }

    /// The headers for one hop.
    pub(crate) fn headers(&self, with_secrets: bool) -> HeaderMap {
        let mut headers = self.plain.clone();
        if with_secrets {
            headers.extend(self.secret.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        headers
    }

    pub(crate) fn has_credentials(&self) -> bool {
        !self.secret.is_empty()
    }

    /// Sets a header from a text that came from a server or a disk; one that cannot be sent is left out.
    fn add(&mut self, name: HeaderName, value: Option<&str>) -> bool {
        let value = value.and_then(|value| HeaderValue::from_str(value).ok());
        value.map(|value| self.plain.insert(name, value)).is_some()
    }

    /// User and password of the URL as Basic (RFC 7617), unless the caller set an authorization of its own.
    fn add_basic(&mut self, url: &Url) -> Result<(), OriginError> {
        if (url.username().is_empty() && url.password().is_none()) || self.secret.contains_key(AUTHORIZATION)
        {
            return Ok(());
        }
        let mut pair = percent::decode(url.username());
        pair.push(b':');
        pair.extend(percent::decode(url.password().unwrap_or("")));
        let name = AUTHORIZATION.as_str();
        let mut value = header_value(name, &format!("Basic {}", STANDARD.encode(pair)))?;
        value.set_sensitive(true);
        self.secret.insert(AUTHORIZATION, value);
        Ok(())
    }
}

fn callers_headers(headers: &[(String, String)]) -> Result<(HeaderMap, HeaderMap), OriginError> {
    let bad = |name: &str, why| Err(OriginError::BadHeader { name: name.to_owned(), why });
    let (mut plain, mut secret) = (HeaderMap::new(), HeaderMap::new());
    if let Some((name, _)) = headers.get(MAX_REQUEST_HEADERS) {
        return bad(name, "there are too many");
    }
    for (name, value) in headers {
        let Ok(header) = HeaderName::from_bytes(name.as_bytes()) else {
            return bad(name, "this is not a header's name");
        };
        if OURS.contains(&header.as_str()) {
            return bad(name, "it is set by the transfer itself");
        }
        let mut value = header_value(name, value)?;
        if HARMLESS.contains(&header.as_str()) {
            plain.append(header, value);
        } else {
            value.set_sensitive(true);
            secret.append(header, value);
        }
    }
    Ok((plain, secret))
}

fn header_value(name: &str, value: &str) -> Result<HeaderValue, OriginError> {
    let why = "its value has characters that no header can carry";
    HeaderValue::from_str(value).map_err(|_| OriginError::BadHeader { name: name.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use dray_ranges::ByteRange;

    use super::*;
    use crate::ask::Wish;

    fn request(url: &str, headers: &[(&str, &str)]) -> Result<Request, OriginError> {
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let url = Url::parse(url).unwrap();
        Request::new(&Ask { headers: &headers, ..Ask::whole(&url) })
    }

    fn conditional(what: Wish, if_range: Option<&Validators>, unless: Option<&Validators>) -> Request {
        let url = Url::parse("http://host/file").unwrap();
        Request::new(&Ask { what, if_range, unless, ..Ask::whole(&url) }).unwrap()
    }

    #[test]
    fn the_plain_file_is_asked_for_and_its_digest() {
        let request = request("http://host/file#part", &[]).unwrap();
        assert_eq!(request.url.as_str(), "http://host/file");
        assert_eq!(request.plain[ACCEPT_ENCODING], "identity");
        assert_eq!(request.plain["want-repr-digest"], "sha-256=10, sha-512=5");
        assert!(!request.plain.contains_key(RANGE) && !request.has_credentials());
    }

    #[test]
    fn ranges_are_asked_for_with_if_range_and_never_if_range_alone() {
        let known = Validators { etag: Some("\"a\"".into()), ..Validators::default() };
        let part = conditional(Wish::From(7), Some(&known), None);
        assert_eq!(
            (&part.plain[RANGE], &part.plain[IF_RANGE]),
            (&"bytes=7-".parse().unwrap(), &"\"a\"".parse().unwrap())
        );
        let part = conditional(Wish::Range(ByteRange::new(0, 10).unwrap()), None, None);
        assert_eq!(part.plain[RANGE], "bytes=0-9");
        for whole in [Wish::Whole, Wish::From(0)] {
            let whole = conditional(whole, Some(&known), None);
            assert!(!whole.plain.contains_key(RANGE) && !whole.plain.contains_key(IF_RANGE));
        }
    }

    #[test]
    fn a_validator_that_proves_nothing_is_not_sent_as_if_range() {
        let weak = Validators { etag: Some("W/\"a\"".into()), size: Some(5), ..Validators::default() };
        assert!(!conditional(Wish::From(7), Some(&weak), None).plain.contains_key(IF_RANGE));
        let conditional = conditional(Wish::Whole, None, Some(&weak));
        assert!(conditional.is_conditional);
        assert_eq!(conditional.plain[IF_NONE_MATCH], "W/\"a\"");
    }

    #[test]
    fn only_a_request_with_a_condition_is_conditional() {
        let nothing = Validators { size: Some(5), ..Validators::default() };
        assert!(!conditional(Wish::Whole, None, Some(&nothing)).is_conditional);
        for malformed in ["\"a\nb\"", "a", "W/", "\"a"] {
            let known = Validators { etag: Some(malformed.into()), ..Validators::default() };
            assert!(!conditional(Wish::Whole, None, Some(&known)).is_conditional, "{malformed:?}");
        }
    }

    #[test]
    fn user_and_password_become_basic_and_leave_the_url() {
        let request = request("http://Aladdin:open%20sesame@host/file", &[]).unwrap();
        assert_eq!(request.url.as_str(), "http://host/file");
        assert_eq!(request.secret[AUTHORIZATION], "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!request.headers(false).contains_key(AUTHORIZATION));
        assert!(request.headers(true).contains_key(AUTHORIZATION));
    }

    #[test]
    fn the_callers_own_authorization_wins() {
        let request = request("http://u:p@host/", &[("authorization", "Bearer x")]).unwrap();
        assert_eq!(request.secret.get_all(AUTHORIZATION).iter().collect::<Vec<_>>(), ["Bearer x"]);
    }

    #[test]
    fn headers_that_may_be_secrets_are_kept_apart() {
        for name in
            ["Authorization", "Cookie", "X-Api-Key", "PRIVATE-TOKEN", "x-session-id", "x-amz-security-token"]
        {
            let request = request("http://host/", &[(name, "x")]).unwrap();
            assert!(request.has_credentials() && !request.headers(false).contains_key(name), "{name}");
        }
        assert!(
            !request("http://host/", &[("User-Agent", "7"), ("Accept", "a/b")]).unwrap().has_credentials()
        );
    }

    #[test]
    fn headers_that_would_change_the_meaning_of_the_answer_are_refused() {
        for name in OURS {
            assert!(
                matches!(request("http://h/", &[(name, "x")]), Err(OriginError::BadHeader { .. })),
                "{name}"
            );
        }
        for (name, value) in [("", "x"), ("a b", "x"), ("a:", "x"), ("x", "a\r\nb: c"), ("x", "\0")] {
            let refused = request("http://h/", &[(name, value)]);
            assert!(matches!(refused, Err(OriginError::BadHeader { .. })), "{name:?}");
        }
    }

    #[test]
    fn there_is_a_limit_on_headers() {
        assert!(request("http://h/", &[("x", "y"); MAX_REQUEST_HEADERS]).is_ok());
        assert!(request("http://h/", &[("x", "y"); MAX_REQUEST_HEADERS + 1]).is_err());
    }
}
