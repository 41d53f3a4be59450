//! Who else may be given a file, by what the origin says and by what was needed to get it.

use http::HeaderMap;
use http::header::CACHE_CONTROL;

/// Who else may have the bytes. Ordered: the later, the fewer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sharing {
    /// Anyone who asks: nothing personal was needed to get them.
    Public,
    /// Only the user who fetched them: credentials were sent, or the origin says `private`.
    Private,
    /// Nobody, and no cache should keep them: the origin says `no-store`.
    NoStore,
}

impl Sharing {
    /// The strictest of all `Cache-Control` directives and of how the file was asked for.
    ///
    /// `private="some-field"` restricts one header field only, but who writes it thinks of a person: it counts as `private`.
    pub(crate) fn of(headers: &HeaderMap, with_credentials: bool) -> Self {
        let asked = if with_credentials { Self::Private } else { Self::Public };
        let values = headers.get_all(CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
        let directives = values.flat_map(|value| value.split(','));
        directives.map(directive).fold(asked, Self::max)
    }
}

fn directive(text: &str) -> Sharing {
    let name = text.split('=').next().unwrap_or("").trim();
    if name.eq_ignore_ascii_case("no-store") {
        Sharing::NoStore
    } else if name.eq_ignore_ascii_case("private") {
        Sharing::Private
    } else {
        Sharing::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[&str], with_credentials: bool) -> Sharing {
        let headers = values.iter().map(|value| (CACHE_CONTROL, value.parse().unwrap())).collect();
        Sharing::of(&headers, with_credentials)
    }

    #[test]
    fn silence_is_public_and_credentials_are_private() {
        assert_eq!(of(&[], false), Sharing::Public);
        assert_eq!(of(&["public, max-age=60"], false), Sharing::Public);
        assert_eq!(of(&[], true), Sharing::Private);
        assert_eq!(of(&["public"], true), Sharing::Private);
    }

    #[test]
    fn the_strictest_directive_wins_in_any_case_order_and_header() {
        assert_eq!(of(&["max-age=0, Private"], false), Sharing::Private);
        assert_eq!(of(&["private=\"set-cookie\""], false), Sharing::Private);
        assert_eq!(of(&["private", "NO-STORE , public"], false), Sharing::NoStore);
        assert_eq!(of(&["no-store"], true), Sharing::NoStore);
        assert_eq!(of(&["x-private, no-storeroom"], false), Sharing::Public);
    }
}
