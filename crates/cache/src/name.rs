//! Names by which a content is asked for when its root is not known, and the links that remember where they lead.
//!
//! A name is the BLAKE3 of "url:..." or "digest:...". Behind it lies the root, as a value link. A link is a hint: whoever
//! follows it must find the name in the side file it leads to, so a stale or missing link is a miss and never a wrong answer.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use dray_content::{ContentId, Digest, PieceHasher};
use dray_platform::{FileError, value_link};
use url::Url;

use crate::layout::{Layout, in_new_dir};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Name(pub(crate) [u8; 32]);

impl Name {
    pub(crate) fn of_digest(digest: &Digest) -> Name {
        Name::hash("digest:", &digest.to_string())
    }

    /// `url` as [`storable_url`] gave it.
    pub(crate) fn of_url(url: &str) -> Name {
        Name::hash("url:", url)
    }

    fn hash(kind: &str, text: &str) -> Name {
        let mut hasher = PieceHasher::new(0);
        hasher.update(kind.as_bytes());
        hasher.update(text.as_bytes());
        Name(hasher.finish(true))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The form in which a URL is remembered: without the fragment, which no server sees, and without user and password, which
/// must not lie on a disk.
pub(crate) fn storable_url(url: &Url) -> String {
    let mut url = url.clone();
    url.set_fragment(None);
    // These fail for URLs that cannot have a user, which then have none.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.into()
}

/// Lets the name lead to this content, whatever it led to before.
pub(crate) fn link(layout: &Layout, name: &Name, id: &ContentId) -> Result<(), FileError> {
    let path = layout.name(name);
    let value = URL_SAFE_NO_PAD.encode(id.0);
    in_new_dir(&path, || value_link::set(&path, &value))
}

/// Where the name leads.
pub(crate) fn follow(layout: &Layout, name: &Name) -> Option<ContentId> {
    let bytes = URL_SAFE_NO_PAD.decode(value_link::get(&layout.name(name))?).ok()?;
    Some(ContentId(bytes.try_into().ok()?))
}

/// Removes the name if it still leads to this content.
pub(crate) fn unlink(layout: &Layout, name: &Name, id: &ContentId) {
    if follow(layout, name).as_ref() == Some(id) {
        // Gone already is as good as removed.
        let _ = std::fs::remove_file(layout.name(name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_the_content_it_was_last_linked_to() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let name = Name::of_url("http://a/b");
        let (one, two) = (ContentId([1; 32]), ContentId([2; 32]));
        assert_eq!(follow(&layout, &name), None);
        link(&layout, &name, &one).unwrap();
        link(&layout, &name, &two).unwrap();
        assert_eq!(follow(&layout, &name), Some(two));
        unlink(&layout, &name, &one);
        assert_eq!(follow(&layout, &name), Some(two));
        unlink(&layout, &name, &two);
        assert_eq!(follow(&layout, &name), None);
    }

    #[test]
    fn secrets_and_fragments_of_a_url_are_not_remembered() {
        let url = Url::parse("https://user:secret@host:8443/path?v=2#part").unwrap();
        assert_eq!(storable_url(&url), "https://host:8443/path?v=2");
    }

    #[test]
    fn a_link_that_is_no_root_leads_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let name = Name::of_url("http://a/b");
        link(&layout, &name, &ContentId([1; 32])).unwrap();
        value_link::set(&layout.name(&name), "../../etc/passwd").unwrap();
        assert_eq!(follow(&layout, &name), None);
    }
}
