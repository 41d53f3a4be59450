//! Finding a content. Never an error: what cannot be read is not there, and the caller goes to the origin.

use dray_content::{ContentId, Digest};
use dray_platform::identity_of::FileStamp;
use dray_platform::open;
use url::Url;

use crate::entry::Entry;
use crate::name::{self, Name};
use crate::side_file::{self, Read, SideFile, UrlLink};
use crate::store::Store;

impl Store {
    /// The content with this root.
    pub fn find_id(&self, id: &ContentId) -> Option<Entry> {
        let side = match side_file::read(&self.layout, id) {
            Read::Good(side) => *side,
            Read::Missing | Read::Unreadable => return None,
            Read::Bad(_) => {
                self.condemn_side_file(id);
                return None;
            }
        };
        let object = self.layout.object(id);
        match FileStamp::of_path(&object) {
            // Size alone condemns it; a file of the right size but another time may have been written with the same bytes.
            Ok(stamp) if stamp.size != side.table.size() => {
                if let Ok(file) = open::open_nofollow(&object) {
                    self.condemn_object(id, &file);
                }
                None
            }
            Ok(stamp) => {
                let is_untouched = stamp.unchanged_since(&side.stamp);
                Some(Entry::new(side, object, is_untouched, &self.leases))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.object_is_missing(id);
                None
            }
            Err(_) => None,
        }
    }

    /// The content with this digest.
    pub fn find_digest(&self, digest: &Digest) -> Option<Entry> {
        if let Digest::Blake3(root) = digest {
            return self.find_id(&ContentId(*root));
        }
        self.find_name(&Name::of_digest(digest), |side| side.has_digest(digest))
    }

    /// The content that this URL last led to, with what the origin said to recognise it by. Whether the origin would still
    /// give the same is for the caller to ask.
    pub fn find_url(&self, url: &Url) -> Option<(Entry, UrlLink)> {
        let url = name::storable_url(url);
        let entry = self.find_name(&Name::of_url(&url), |side| side.url(&url).is_some())?;
        let link = entry.side().url(&url)?.clone();
        Some((entry, link))
    }

    /// Follows a name by its link, or by the index when the link was lost and the index happens to be open. Only a content
    /// whose own side file says `is_meant` is an answer.
    fn find_name(&self, name: &Name, is_meant: impl Fn(&SideFile) -> bool) -> Option<Entry> {
        if let Some(id) = name::follow(&self.layout, name) {
            let found = self.find_id(&id).filter(|entry| is_meant(entry.side()));
            if found.is_none() {
                name::unlink(&self.layout, name, &id);
            }
            return found;
        }
        let id = self.keeper.peek(|catalogue| catalogue.find(name))??;
        let entry = self.find_id(&id).filter(|entry| is_meant(entry.side()))?;
        if let Err(error) = name::link(&self.layout, name, &id) {
            tracing::debug!(%error, "a lost name could not be restored");
        }
        Some(entry)
    }
}
