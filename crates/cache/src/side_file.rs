//! The side file: all that is known about one content, beside its bytes. This is the truth of the store.

use std::io::Read as _;

use dray_content::{ContentId, Digest, PieceTable};
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};

use crate::config::{MAX_DIGESTS, MAX_SIDE_FILE_LEN, MAX_URL_LEN, MAX_URLS, MAX_VALIDATOR_LEN};
use crate::layout::{Layout, in_new_dir};
use crate::name::Name;
use crate::side_codec;

/// What the origin said to recognise this version of a URL by, as it was said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoredValidators {
    /// The `ETag` header.
    pub etag: Option<String>,
    /// The `Last-Modified` header.
    pub last_modified: Option<String>,
}

/// A URL that led to a content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlLink {
    /// Without fragment, user and password.
    pub url: String,
    /// As of the last answer.
    pub validators: StoredValidators,
    /// When that answer came, milliseconds since 1970.
    pub seen_ms: u64,
}

/// For whom a content may be used. The store remembers it; whoever asks the store has to respect it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Audience {
    /// It came without credentials and nobody called it private.
    #[default]
    Everyone,
    /// Only for this local user, and never for peers.
    Only(String),
}

/// Whether the bytes and this file have been on the disk, or only in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// They were synced.
    Durable,
    /// They were written during this run of the machine. In another run they have to be proven by reading.
    SinceBoot(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SideFile {
    pub(crate) table: PieceTable,
    pub(crate) digests: Vec<Digest>,
    pub(crate) urls: Vec<UrlLink>,
    pub(crate) audience: Audience,
    /// Of the object, when its bytes were last known to be right.
    pub(crate) stamp: FileStamp,
    pub(crate) adopted_ms: u64,
    pub(crate) settled: Settled,
}

/// What reading a side file can come to.
#[derive(Debug)]
pub(crate) enum Read {
    Good(Box<SideFile>),
    Missing,
    /// Not a side file, not whole, or of another content.
    Bad(&'static str),
    /// The system would not let us read it now, which says nothing about it.
    Unreadable,
}

impl SideFile {
    pub(crate) fn id(&self) -> ContentId {
        self.table.root()
    }

    /// Whether two states of a side file differ in nothing but when a URL was last seen.
    pub(crate) fn says_the_same_as(&self, other: &SideFile) -> bool {
        let known =
            |link: &UrlLink| other.url(&link.url).is_some_and(|old| old.validators == link.validators);
        self.urls.len() == other.urls.len()
            && self.urls.iter().all(known)
            && self.digests == other.digests
            && self.audience == other.audience
    }

    pub(crate) fn url(&self, url: &str) -> Option<&UrlLink> {
        self.urls.iter().find(|link| link.url == url)
    }

    pub(crate) fn has_digest(&self, digest: &Digest) -> bool {
        self.digests.contains(digest)
    }

    /// Remembers a URL, or its newer validators. When there are too many, the one not seen for longest goes.
    pub(crate) fn add_url(&mut self, mut link: UrlLink) {
        if link.url.len() > MAX_URL_LEN {
            return;
        }
        for validator in [&mut link.validators.etag, &mut link.validators.last_modified] {
            validator.take_if(|text| text.len() > MAX_VALIDATOR_LEN);
        }
        self.urls.retain(|known| known.url != link.url);
        if self.urls.len() >= MAX_URLS {
            let oldest = self.urls.iter().enumerate().min_by_key(|(_, link)| link.seen_ms).map(|(at, _)| at);
            oldest.map(|at| self.urls.remove(at));
        }
        self.urls.push(link);
    }

    /// Remembers a digest. BLAKE3 is left out: it is the root.
    pub(crate) fn add_digest(&mut self, digest: Digest) {
        let is_root = matches!(digest, Digest::Blake3(_));
        if !is_root && !self.has_digest(&digest) && self.digests.len() < MAX_DIGESTS {
            self.digests.push(digest);
        }
    }

    /// All names that lead here.
    pub(crate) fn names(&self) -> Vec<Name> {
        let digests = self.digests.iter().map(Name::of_digest);
        digests.chain(self.urls.iter().map(|link| Name::of_url(&link.url))).collect()
    }

    /// Puts the side file in the place of the one that was read before. One that was durable is replaced durably, so that a
    /// power cut leaves the old or the new.
    pub(crate) fn rewrite(&self, layout: &Layout) -> Result<(), FileError> {
        match self.settled {
            Settled::Durable => self.write_durable(layout),
            Settled::SinceBoot(_) => self.write_relaxed(layout),
        }
    }

    /// Puts the side file in its place for readers of now; nothing is synced.
    pub(crate) fn write_relaxed(&self, layout: &Layout) -> Result<(), FileError> {
        let id = self.id();
        let path = layout.side_file(&id);
        let bytes = side_codec::encode(self);
        in_new_dir(&path, || durable::write_atomic_relaxed(&path, &bytes))
    }

    /// Puts the side file in its place and syncs it with its directory.
    pub(crate) fn write_durable(&self, layout: &Layout) -> Result<(), FileError> {
        let id = self.id();
        let path = layout.side_file(&id);
        let bytes = side_codec::encode(self);
        in_new_dir(&path, || durable::write_atomic(&path, &bytes))
    }
}

/// Reads the side file of a content.
pub(crate) fn read(layout: &Layout, id: &ContentId) -> Read {
    let file = match open::open_nofollow(&layout.side_file(id)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Read::Missing,
        Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => {
            return Read::Bad("it is not a regular file");
        }
        Err(_) => return Read::Unreadable,
    };
    let mut bytes = Vec::new();
    match file.take(MAX_SIDE_FILE_LEN + 1).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 > MAX_SIDE_FILE_LEN => return Read::Bad("it is too long"),
        Ok(_) => {}
        Err(_) => return Read::Unreadable,
    }
    match side_codec::decode(&bytes) {
        Ok(side) if side.id() == *id => Read::Good(Box::new(side)),
        Ok(_) => Read::Bad("it is that of another content"),
        Err(reason) => Read::Bad(reason),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use dray_content::TableBuilder;

    pub(crate) fn sample() -> SideFile {
        let bytes = vec![9; 600_000];
        let mut builder = TableBuilder::new(Some(600_000));
        builder.feed(0, &bytes);
        SideFile {
            table: builder.finish(600_000).unwrap(),
            digests: vec![Digest::Sha256([3; 32]), Digest::Sha512([4; 64])],
            urls: vec![UrlLink {
                url: "http://host/path".into(),
                validators: StoredValidators { etag: Some("\"e\"".into()), last_modified: None },
                seen_ms: 17,
            }],
            audience: Audience::Only("uid:1000".into()),
            stamp: FileStamp { volume: 1, file: 2, size: 600_000, modified_ns: -3, changed_ns: 4, links: 5 },
            adopted_ms: 1_700_000_000_000,
            settled: Settled::SinceBoot("boot".into()),
        }
    }

    #[test]
    fn the_oldest_url_gives_way_and_a_known_one_is_renewed() {
        let mut side = sample();
        side.urls.clear();
        let link = |n: u64, seen_ms| UrlLink {
            url: format!("http://host/{n}"),
            validators: StoredValidators::default(),
            seen_ms,
        };
        (0..MAX_URLS as u64).for_each(|n| side.add_url(link(n, 100 + n)));
        side.add_url(link(0, 500));
        assert_eq!(side.urls.len(), MAX_URLS);
        side.add_url(link(1000, 501));
        assert_eq!(side.urls.len(), MAX_URLS);
        assert!(side.url("http://host/0").is_some() && side.url("http://host/1").is_none());
        side.add_url(UrlLink { url: "x".repeat(MAX_URL_LEN + 1), ..link(0, 0) });
        assert_eq!(side.urls.len(), MAX_URLS);
    }

    #[test]
    fn digests_are_kept_once_and_the_root_is_not_one_of_them() {
        let mut side = sample();
        side.add_digest(Digest::Sha256([3; 32]));
        side.add_digest(Digest::Blake3([3; 32]));
        assert_eq!(side.digests.len(), 2);
        (0..20).for_each(|n| side.add_digest(Digest::Sha256([100 + n; 32])));
        assert_eq!(side.digests.len(), MAX_DIGESTS);
    }

    #[test]
    fn a_side_file_is_read_back_and_one_of_another_content_is_bad() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::new(dir.path());
        let side = sample();
        let id = side.id();
        assert!(matches!(read(&layout, &id), Read::Missing));
        side.write_durable(&layout).unwrap();
        assert!(matches!(read(&layout, &id), Read::Good(found) if *found == side));
        let other = ContentId([id.0[0]; 32]);
        std::fs::rename(layout.side_file(&id), layout.side_file(&other)).unwrap();
        assert!(matches!(read(&layout, &other), Read::Bad(_)));
    }
}
