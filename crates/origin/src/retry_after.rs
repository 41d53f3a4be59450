//! `Retry-After` (RFC 9110, 10.2.3): seconds, or a date.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// A server that wants us to wait longer is asked again after this anyway.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// How long the server wants us to wait, counted from its answer, which came at `now`.
///
/// A date is measured against the answer's own `Date`, so that the server's clock and ours need not agree.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that overflow are a very long time.
        text.parse().map_or(MAX_WAIT, Duration::from_secs)
    } else {
        let date = |text: &str| httpdate::parse_http_date(text).ok();
        let answered = headers.get(DATE).and_then(|value| date(value.to_str().ok()?)).unwrap_or(now);
        date(text)?.duration_since(answered).unwrap_or_default()
    };
    Some(wait.min(MAX_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(value: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        let now = httpdate::parse_http_date("Mon, 01 Jun 2026 12:00:00 GMT").unwrap();
        retry_after(&headers, now).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_read() {
        assert_eq!(wait("0", None), Some(0));
        assert_eq!(wait(" 120 ", None), Some(120));
    }

    #[test]
    fn a_date_is_measured_by_the_servers_clock_else_by_ours() {
        let later = "Mon, 01 Jun 2026 12:00:30 GMT";
        assert_eq!(wait(later, None), Some(30));
        assert_eq!(wait(later, Some("Mon, 01 Jun 2026 12:00:25 GMT")), Some(5));
        assert_eq!(wait("Sun, 31 May 2026 12:00:00 GMT", None), Some(0));
    }

    #[test]
    fn nonsense_is_ignored_and_eternity_is_a_day() {
        for text in ["", "-5", "1.5", "soon", "+7"] {
            assert_eq!(wait(text, None), None, "{text:?}");
        }
        assert_eq!(wait("99999999999999999999999999", None), Some(86_400));
        assert_eq!(wait("Fri, 01 Jan 2100 00:00:00 GMT", None), Some(86_400));
    }
}
