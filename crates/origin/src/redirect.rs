//! Where a redirect may lead, and what it may take along.

use std::fmt;

use http::{HeaderMap, StatusCode};
use url::Url;

use crate::error::OriginError;
use crate::shown::ShownUrl;

/// How many redirects in a row are followed unless the configuration says otherwise.
pub const DEFAULT_REDIRECT_LIMIT: u8 = 10;

/// What to do with redirects (BITS reference, 10.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RedirectPolicy {
    /// How many in a row are followed; zero follows none.
    pub limit: u8,
    /// Whether one may lead from https to http.
    pub allow_https_to_http: bool,
}

impl Default for RedirectPolicy {
    fn default() -> Self {
        Self { limit: DEFAULT_REDIRECT_LIMIT, allow_https_to_http: false }
    }
}

/// Why a redirect is not followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The policy follows none.
    Disallowed,
    /// From https to http.
    Downgrade,
    /// To something that is neither http nor https, or no URL at all.
    NotHttp,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Disallowed => "and following redirects is not allowed",
            Self::Downgrade => "which is not encrypted; that must be allowed explicitly",
            Self::NotHttp => "which is neither http nor https",
        })
    }
}

/// Where a refused redirect points: whole, for who asks, and without its secrets for who prints.
#[derive(Clone, PartialEq, Eq)]
pub struct RedirectTarget(Box<Url>);

impl RedirectTarget {
    /// The URL with its query.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// The URL for people.
    #[must_use]
    pub fn shown(&self) -> ShownUrl {
        ShownUrl::from(&*self.0)
    }
}

impl fmt::Debug for RedirectTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}

/// Whether an answer sends us elsewhere. 300 and 305 name no place that could be followed blindly.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl RedirectPolicy {
    /// The place that the answer at `from` points to, without user and password; `followed` redirects lie behind us.
    pub(crate) fn next(
        self,
        from: &Url,
        followed: u8,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Result<Url, OriginError> {
        let url = ShownUrl::from(from);
        let status = status.as_u16();
        let Some(location) = headers.get(http::header::LOCATION) else {
            return Err(OriginError::Status { url, status, retry_after: None });
        };
        let joined = std::str::from_utf8(location.as_bytes())
            .ok()
            .and_then(|location| from.join(location.trim()).ok());
        let target = joined.map(bare).filter(|target| target.has_host() || !is_http(target));
        let refuse = |why, target: Option<Url>| {
            let target = target.map(|target| RedirectTarget(Box::new(target)));
            OriginError::RedirectRefused { url: url.clone(), status, target, why }
        };
        match target {
            target if self.limit == 0 => Err(refuse(Refusal::Disallowed, target)),
            Some(target) if is_http(&target) => {
                if followed >= self.limit {
                    Err(OriginError::TooManyRedirects { url, limit: self.limit })
                } else if from.scheme() == "https" && target.scheme() == "http" && !self.allow_https_to_http {
                    Err(refuse(Refusal::Downgrade, Some(target)))
                } else {
                    Ok(target)
                }
            }
            target => Err(refuse(Refusal::NotHttp, target)),
        }
    }
}

/// Whether what is secret may go from one URL to the other: the same scheme, host and port, or the step from http to https on the
/// same host with the usual ports.
pub(crate) fn may_keep_credentials(from: &Url, to: &Url) -> bool {
    let is_same = from.scheme() == to.scheme() && from.port_or_known_default() == to.port_or_known_default();
    let is_upgrade =
        from.scheme() == "http" && to.scheme() == "https" && from.port().is_none() && to.port().is_none();
    from.host() == to.host() && (is_same || is_upgrade)
}

/// Without user, password and fragment.
pub(crate) fn bare(mut url: Url) -> Url {
    // Both fail only for URLs that cannot have either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    url
}

fn is_http(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(policy: RedirectPolicy, from: &str, followed: u8, location: &str) -> Result<String, OriginError> {
        let headers = [(http::header::LOCATION, http::HeaderValue::from_bytes(location.as_bytes()).unwrap())];
        let from = Url::parse(from).unwrap();
        policy.next(&from, followed, StatusCode::FOUND, &headers.into_iter().collect()).map(Into::into)
    }

    fn silent(from: &str, location: &str) -> Result<String, OriginError> {
        next(RedirectPolicy::default(), from, 0, location)
    }

    fn refusal(result: Result<String, OriginError>) -> Option<Refusal> {
        match result {
            Err(OriginError::RedirectRefused { why, .. }) => Some(why),
            _ => None,
        }
    }

    #[test]
    fn relative_and_absolute_locations_are_followed() {
        assert_eq!(silent("http://a/x/y?q", "../z").unwrap(), "http://a/z");
        assert_eq!(silent("http://a/x", "//b/z#f").unwrap(), "http://b/z");
        assert_eq!(silent("http://a/x", "https://b/é").unwrap(), "https://b/%C3%A9");
    }

    #[test]
    fn user_and_password_never_come_out() {
        assert_eq!(silent("http://me:pw@a/x", "/y").unwrap(), "http://a/y");
        assert_eq!(silent("http://a/x", "http://you:pw@b/y").unwrap(), "http://b/y");
    }

    #[test]
    fn from_https_to_http_only_when_allowed() {
        assert_eq!(refusal(silent("https://a/x", "http://a/x")), Some(Refusal::Downgrade));
        let policy = RedirectPolicy { allow_https_to_http: true, ..RedirectPolicy::default() };
        assert_eq!(next(policy, "https://a/x", 0, "http://a/x").unwrap(), "http://a/x");
    }

    #[test]
    fn other_schemes_and_nonsense_are_refused() {
        for location in
            ["ftp://a/x", "file:///etc/passwd", "javascript:1", "http://", "smb://a/x", "http://[bad/"]
        {
            assert_eq!(refusal(silent("http://a/x", location)), Some(Refusal::NotHttp), "{location}");
        }
    }

    #[test]
    fn the_limit_is_the_last_one_that_is_followed() {
        assert!(next(RedirectPolicy::default(), "http://a/x", 9, "/y").is_ok());
        let error = next(RedirectPolicy::default(), "http://a/x", 10, "/y").unwrap_err();
        assert!(matches!(error, OriginError::TooManyRedirects { limit: 10, .. }));
    }

    #[test]
    fn a_refused_redirect_names_its_target_and_hides_its_secrets() {
        let none = RedirectPolicy { limit: 0, ..RedirectPolicy::default() };
        let error = next(none, "http://a/x", 0, "https://u:p@b/y?secret").unwrap_err();
        assert_eq!(error.status(), Some(302));
        let text = format!("{error} {error:?}");
        assert!(text.contains("https://b/y") && !text.contains("secret") && !text.contains("u:p"), "{text}");
        let OriginError::RedirectRefused { target: Some(target), .. } = error else { panic!("{text}") };
        assert_eq!(target.url().as_str(), "https://b/y?secret");
    }

    #[test]
    fn a_redirect_without_location_is_its_status() {
        let from = Url::parse("http://a/x").unwrap();
        let result =
            RedirectPolicy::default().next(&from, 0, StatusCode::MOVED_PERMANENTLY, &HeaderMap::new());
        assert_eq!(result.unwrap_err().status(), Some(301));
    }

    #[test]
    fn credentials_stay_with_their_origin_or_its_encrypted_twin() {
        let may =
            |from: &str, to: &str| may_keep_credentials(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert!(may("http://a/x", "http://A:80/y"));
        assert!(may("http://a/x", "https://a/x"));
        assert!(!may("https://a/x", "http://a/x"));
        assert!(!may("http://a/x", "http://b/x"));
        assert!(!may("http://a/x", "http://a:81/x"));
        assert!(!may("http://a:8080/x", "https://a/x"));
        assert!(!may("http://a/x", "http://a.evil/x"));
    }
}
