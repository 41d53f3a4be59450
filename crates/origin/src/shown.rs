//! URLs as people, logs and errors may see them.

use std::fmt;

use url::Url;

/// Longer texts are cut; a signed URL can have kilobytes that help no one.
const MAX_SHOWN: usize = 300;

/// A URL without what may be secret: no user, no password, no query, no fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ShownUrl(Box<str>);

impl From<&Url> for ShownUrl {
    fn from(url: &Url) -> Self {
        let mut shown = String::from(url.scheme());
        shown.push_str("://");
        shown.push_str(url.host_str().unwrap_or(""));
        if let Some(port) = url.port() {
            shown.push_str(&format!(":{port}"));
        }
        shown.push_str(url.path());
        Self(cut(&shown).into())
    }
}

impl ShownUrl {
    /// The same for a text that is not a URL: whatever stands where a user, a password or a query would is left out.
    pub(crate) fn from_text(text: &str) -> Self {
        let text = text.split(['?', '#']).next().unwrap_or("");
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        let (host, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let host = host.rsplit('@').next().unwrap_or("");
        let separator = if scheme.is_empty() { "" } else { "://" };
        Self(cut(&format!("{scheme}{separator}{host}{path}").escape_debug().to_string()).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ShownUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn cut(text: &str) -> &str {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_a_url_are_not_shown() {
        let url = Url::parse("https://me:secret@host.example:8443/a/b?token=secret#secret").unwrap();
        assert_eq!(ShownUrl::from(&url).as_str(), "https://host.example:8443/a/b");
        assert_eq!(format!("{:?}", ShownUrl::from(&url)), "https://host.example:8443/a/b");
    }

    #[test]
    fn secrets_of_a_broken_url_are_not_shown_either() {
        assert_eq!(ShownUrl::from_text("http://me:secret@ho st/x?secret").as_str(), "http://ho st/x");
        assert_eq!(ShownUrl::from_text("me:secret@host").as_str(), "host");
        assert_eq!(ShownUrl::from_text("plain\u{1b}[2J").as_str(), "plain\\u{1b}[2J");
    }

    #[test]
    fn a_very_long_url_is_cut() {
        let url = Url::parse(&format!("http://host/{}", "x".repeat(5000))).unwrap();
        assert_eq!(ShownUrl::from(&url).as_str().len(), MAX_SHOWN);
    }
}
