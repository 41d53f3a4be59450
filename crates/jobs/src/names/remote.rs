//! The URL of a file: RemoteName.

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use super::excerpt;
use crate::limits::{MAX_REMOTE_NAME, MAX_URL_SEGMENT};
use crate::{Code, Failure};

/// An http or https URL, kept letter by letter as it was given: the service escapes nothing (reference 3.2),
/// and ReplaceRemotePrefix compares plain text.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemoteName(String);

impl RemoteName {
    /// Checks a remote name: at most 2,200 characters, no path segment above 260, only characters that a URL
    /// may have, http or https, a host, no wildcard in the path. E_INVALIDARG otherwise.
    pub fn parse(text: &str) -> Result<RemoteName, Failure> {
        let length = text.chars().count();
        if length > MAX_REMOTE_NAME {
            return refuse(format!(
                "The URL has {length} characters; at most {MAX_REMOTE_NAME} are allowed."
            ));
        }
        if let Some(bad) = text.chars().find(|c| !may_stand_in_url(*c)) {
            let sentence = format!(
                "The character {bad:?} cannot stand in a URL; percent-encode it (a host name: write its IDN form)."
            );
            return refuse(sentence);
        }
        let url = Url::parse(text).or_else(|error| {
            refuse(format!("\"{}\" is not a URL ({error}); write it in full.", shown(text)))
        })?;
        check_scheme(&url)?;
        // The parser would read http:///x as http://x; what stands in the text counts.
        let authority = text.split_once("://").map_or("", |(_, rest)| rest);
        if authority.is_empty() || authority.starts_with(['/', '?', '#']) {
            return refuse(format!("The URL \"{}\" names no host.", shown(text)));
        }
        let path = path_of(text);
        if path.contains('*') {
            return refuse("The URL has a wildcard in its path; name one file.".to_owned());
        }
        if let Some(segment) = path.split('/').find(|segment| segment.len() > MAX_URL_SEGMENT) {
            let length = segment.len();
            return refuse(format!(
                "A segment of the URL has {length} characters; at most {MAX_URL_SEGMENT} are allowed."
            ));
        }
        Ok(RemoteName(text.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a URL.
    #[must_use]
    pub fn url(&self) -> Url {
        Url::parse(&self.0).expect("a RemoteName is made from text that parses")
    }

    /// The protocol of every remote name, as GetProtocol names it: https is "http" too.
    pub const PROTOCOL: &'static str = "http";

    /// [`RemoteName::PROTOCOL`].
    #[must_use]
    pub fn protocol(&self) -> &'static str {
        RemoteName::PROTOCOL
    }
}

fn refuse<T>(sentence: String) -> Result<T, Failure> {
    Err(Failure::new(Code::E_INVALIDARG, sentence))
}

/// Unreserved, reserved and percent (RFC 3986, appendix A).
fn may_stand_in_url(c: char) -> bool {
    c.is_ascii_alphanumeric() || "-._~:/?#[]@!$&'()*+,;=%".contains(c)
}

fn check_scheme(url: &Url) -> Result<(), Failure> {
    match url.scheme() {
        "http" | "https" => Ok(()),
        "file" => refuse(
            "dray fetches over http and https only: a share or a local file can be copied without it."
                .to_owned(),
        ),
        scheme => refuse(format!("dray does not speak \"{}\"; give an http or https URL.", excerpt(scheme))),
    }
}

/// What stands between the authority and the query.
fn path_of(text: &str) -> &str {
    let after_scheme = text.split_once("://").map_or(text, |(_, rest)| rest);
    let before_query = after_scheme.split(['?', '#']).next().unwrap_or(after_scheme);
    before_query.split_once('/').map_or("", |(_, path)| path)
}

/// For a sentence: without the query, which may hold a secret.
fn shown(text: &str) -> String {
    excerpt(text.split(['?', '#']).next().unwrap_or(text))
}

impl TryFrom<String> for RemoteName {
    type Error = Failure;

    fn try_from(text: String) -> Result<RemoteName, Failure> {
        RemoteName::parse(&text)
    }
}

impl From<RemoteName> for String {
    fn from(name: RemoteName) -> String {
        name.0
    }
}

/// Logs show it like this: without user, password and query.
impl fmt::Debug for RemoteName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.url();
        write!(f, "{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let failure = RemoteName::parse(text).unwrap_err();
        assert_eq!(failure.code, Code::E_INVALIDARG, "{text}");
        failure.sentence
    }

    #[test]
    fn a_url_is_kept_as_it_was_given() {
        for text in ["http://host", "https://Host:8443/A%20b/../c?q=*#f", "http://u:p@[::1]/x"] {
            assert_eq!(RemoteName::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn other_schemes_are_refused_with_the_reason() {
        assert!(refused("file:///etc/passwd").contains("http and https only"));
        assert!(refused("ftp://host/x").contains("\"ftp\""));
        assert!(refused("smb://host/x").contains("\"smb\""));
        refused(r"\\server\share\x");
        refused("host/x");
        refused("");
        refused("http://");
        refused("http:///x?password=1");
    }

    #[test]
    fn nothing_is_escaped_for_the_caller() {
        for text in ["http://host/a b", "http://host/ä", "http://exämple/", "http://host/<x>", "http://h/\n"]
        {
            assert!(refused(text).contains("percent-encode"), "{text}");
        }
        assert!(refused("http://host/*.zip").contains("wildcard"));
    }

    #[test]
    fn the_limits_are_2200_characters_and_260_in_a_segment() {
        let segment = "s".repeat(260);
        assert!(RemoteName::parse(&format!("http://h/{segment}/{segment}")).is_ok());
        assert!(refused(&format!("http://h/{segment}s")).contains("260"));
        let mut long = String::from("http://h/?");
        long.extend(std::iter::repeat_n('q', 2_200 - long.len()));
        assert!(RemoteName::parse(&long).is_ok());
        assert!(refused(&format!("{long}q")).contains("2200"));
    }

    #[test]
    fn a_secret_in_the_query_or_the_user_part_is_not_logged() {
        let name = RemoteName::parse("https://u:geheim@host/f?token=geheim").unwrap();
        assert_eq!(format!("{name:?}"), "https://host/f");
        assert!(!refused("http:///x?token=geheim").contains("geheim"));
    }
}
