//! How a version of a file is recognised again.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, ETAG, LAST_MODIFIED};

/// RFC 9110, 8.8.2.2: a `Last-Modified` this much older than `Date` cannot hide a second change within its second.
const STRONG_AFTER: Duration = Duration::from_secs(1);

/// What an origin says about the version that it sends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validators {
    /// Size of the whole file in bytes.
    pub size: Option<u64>,
    /// Entity tag as it was sent, `"x"` or `W/"x"`.
    pub etag: Option<String>,
    /// `Last-Modified` as it was sent, and only when it is a strong validator: at least a second older than the
    /// answer. A file that changed just now may change again within the same second, and its date would not show it.
    pub last_modified: Option<String>,
}

/// Whether two answers are about the same version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Byte for byte the same, as far as the origin can be believed.
    Same,
    /// Not the same; the word names what differs.
    Different(&'static str),
    /// Nothing that would prove either.
    Unknown,
}

impl Validators {
    /// Reads the headers of an answer that came at `now`; an answer without `Date` counts as made then (RFC 9110, 6.6.1).
    pub(crate) fn from_headers(headers: &HeaderMap, size: Option<u64>, now: SystemTime) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let made = text(DATE).and_then(|date| httpdate::parse_http_date(date).ok()).unwrap_or(now);
        let is_strong = |date: &&str| {
            httpdate::parse_http_date(date)
                .ok()
                .and_then(|changed| made.duration_since(changed).ok())
                .is_some_and(|age| age >= STRONG_AFTER)
        };
        Self {
            size,
            etag: text(ETAG).filter(|etag| !etag.is_empty()).map(str::to_owned),
            last_modified: text(LAST_MODIFIED).filter(is_strong).map(str::to_owned),
        }
    }

    /// The value for `If-Range`: the strong entity tag, else the date; `None` when neither proves anything.
    #[must_use]
    pub fn if_range(&self) -> Option<&str> {
        self.strong_etag().or(self.last_modified.as_deref())
    }

    /// The value for `If-None-Match`, where a weak tag is as good as a strong one.
    pub(crate) fn if_none_match(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| is_quoted(opaque(etag)))
    }

    /// The entity tag if it is a strong one, well formed.
    #[must_use]
    pub fn strong_etag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| !etag.starts_with("W/") && is_quoted(etag))
    }

    /// The date as a time, for a time stamp.
    #[must_use]
    pub fn modified(&self) -> Option<SystemTime> {
        self.last_modified.as_deref().and_then(|date| httpdate::parse_http_date(date).ok())
    }

    /// Whether `other` is about the same version.
    ///
    /// Another size is another version. Two strong entity tags decide. A weak one cannot prove sameness, but a differing one proves a
    /// change worth starting over for. Without a decision by tags, equal (strong) dates prove the same version, other dates another one.
    #[must_use]
    pub fn same_as(&self, other: &Self) -> Verdict {
        if differ(&self.size, &other.size) {
            return Verdict::Different("size");
        }
        if let (Some(mine), Some(theirs)) = (&self.etag, &other.etag) {
            if opaque(mine) != opaque(theirs) {
                return Verdict::Different("ETag");
            }
            if self.strong_etag().is_some() && other.strong_etag().is_some() {
                return Verdict::Same;
            }
        }
        if differ(&self.last_modified, &other.last_modified) {
            return Verdict::Different("Last-Modified");
        }
        match (&self.last_modified, &other.last_modified) {
            (Some(_), Some(_)) => Verdict::Same,
            _ => Verdict::Unknown,
        }
    }

    /// As pairs of name and value, for those who store them.
    #[must_use]
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        let size = self.size.map(|size| ("size", size.to_string()));
        let etag = self.etag.clone().map(|etag| ("etag", etag));
        let date = self.last_modified.clone().map(|date| ("last-modified", date));
        size.into_iter().chain(etag).chain(date).collect()
    }

    /// From what [`Self::to_pairs`] gave; unknown names are ignored.
    #[must_use]
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut found = Self::default();
        for (name, value) in pairs {
            match name {
                "size" => found.size = value.parse().ok(),
                "etag" => found.etag = Some(value.to_owned()),
                "last-modified" => found.last_modified = Some(value.to_owned()),
                _ => {}
            }
        }
        found
    }
}

fn differ<T: PartialEq>(mine: &Option<T>, theirs: &Option<T>) -> bool {
    matches!((mine, theirs), (Some(mine), Some(theirs)) if mine != theirs)
}

fn opaque(etag: &str) -> &str {
    etag.strip_prefix("W/").unwrap_or(etag)
}

/// RFC 9110, 8.8.3: quotes around printable characters without quotes. Anything else would break the request that repeats it.
fn is_quoted(etag: &str) -> bool {
    let inner = etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().all(|b| b == 0x21 || (0x23..=0x7e).contains(&b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: &str = "Mon, 01 Jun 2026 12:00:00 GMT";
    const A_SECOND_LATER: &str = "Mon, 01 Jun 2026 12:00:01 GMT";

    fn of(size: u64, etag: &str, last_modified: &str) -> Validators {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        Validators { size: (size > 0).then_some(size), etag: text(etag), last_modified: text(last_modified) }
    }

    fn read(headers: &[(http::HeaderName, &str)]) -> Validators {
        let headers = headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        Validators::from_headers(&headers, Some(5), httpdate::parse_http_date(A_SECOND_LATER).unwrap())
    }

    #[test]
    fn equal_strong_etags_are_the_same_version_and_others_are_not() {
        assert_eq!(of(5, "\"a\"", "").same_as(&of(5, "\"a\"", "")), Verdict::Same);
        assert_eq!(of(5, "\"a\"", NOON).same_as(&of(5, "\"b\"", NOON)), Verdict::Different("ETag"));
        assert_eq!(of(5, "\"a\"", "").same_as(&of(6, "\"a\"", "")), Verdict::Different("size"));
    }

    #[test]
    fn a_weak_etag_is_only_a_hint() {
        assert_eq!(of(5, "W/\"a\"", "").same_as(&of(5, "W/\"a\"", "")), Verdict::Unknown);
        assert_eq!(of(5, "W/\"a\"", "").same_as(&of(5, "\"a\"", "")), Verdict::Unknown);
        assert_eq!(of(5, "W/\"a\"", "").same_as(&of(5, "W/\"b\"", "")), Verdict::Different("ETag"));
        assert_eq!(of(5, "W/\"a\"", NOON).same_as(&of(5, "W/\"a\"", NOON)), Verdict::Same);
    }

    #[test]
    fn without_tags_the_dates_decide_and_a_size_alone_proves_nothing() {
        assert_eq!(of(5, "", NOON).same_as(&of(5, "", NOON)), Verdict::Same);
        assert_eq!(of(5, "", NOON).same_as(&of(5, "", A_SECOND_LATER)), Verdict::Different("Last-Modified"));
        assert_eq!(of(5, "", "").same_as(&of(5, "", "")), Verdict::Unknown);
        assert_eq!(of(5, "\"a\"", "").same_as(&of(5, "", NOON)), Verdict::Unknown);
    }

    #[test]
    fn if_range_takes_a_strong_etag_then_the_date_and_never_a_weak_etag() {
        assert_eq!(of(5, "\"a\"", NOON).if_range(), Some("\"a\""));
        assert_eq!(of(5, "W/\"a\"", NOON).if_range(), Some(NOON));
        assert_eq!(of(5, "W/\"a\"", "").if_range(), None);
        for malformed in ["a", "\"", "\"a\"b\"", "\"a", "a\"", "\"a b\""] {
            assert_eq!(of(5, malformed, "").if_range(), None, "{malformed}");
        }
    }

    #[test]
    fn a_date_counts_from_one_second_before_the_answer() {
        let strong = read(&[(LAST_MODIFIED, NOON), (DATE, A_SECOND_LATER)]);
        assert_eq!(strong.last_modified.as_deref(), Some(NOON));
        assert_eq!(read(&[(LAST_MODIFIED, NOON), (DATE, NOON)]).last_modified, None);
        assert_eq!(read(&[(LAST_MODIFIED, A_SECOND_LATER), (DATE, NOON)]).last_modified, None);
        assert_eq!(read(&[(LAST_MODIFIED, "yesterday"), (DATE, NOON)]).last_modified, None);
    }

    #[test]
    fn an_answer_without_a_date_is_dated_when_it_comes() {
        assert_eq!(read(&[(LAST_MODIFIED, NOON)]).last_modified.as_deref(), Some(NOON));
        assert_eq!(read(&[(LAST_MODIFIED, A_SECOND_LATER)]).last_modified, None);
    }

    #[test]
    fn pairs_bring_back_what_was_stored() {
        let all = of(7, "W/\"x\"", NOON);
        let pairs = all.to_pairs();
        assert_eq!(Validators::from_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str()))), all);
        assert_eq!(Validators::default().to_pairs(), []);
    }
}
