//! Taking a finished file into the store, at the price of a name and a side file.
//!
//! Adopting waits for no disk: the content can be found at once, its marker stands, and [`Store::maintain`] makes it durable
//! and enters it into the index. Until then it is believed only in this run of the machine, or after being read.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;

use dray_content::{ContentId, Digest, PieceTable};
use dray_platform::clone::Placed;
use dray_platform::identity_of::FileStamp;
use dray_platform::{FileError, durable, open};
use url::Url;

use crate::deliver::{Created, copy};
use crate::error::CacheError;
use crate::layout::in_new_dir;
use crate::marker;
use crate::name::{self, Name};
use crate::side_file::{self, Audience, Read, Settled, SideFile, StoredValidators, UrlLink};
use crate::store::{Store, now_ms};

/// Longest name of a local user. A longer one cannot be stored, and the content is then nobody's.
const MAX_USER_LEN: usize = 256;

/// A finished file and what is known about it. Its bytes are those of `table`: the caller has just proven them.
#[derive(Debug, Clone)]
pub struct NewContent<'a> {
    /// The pieces; the root names the content.
    pub table: PieceTable,
    /// Digests of the whole, proven by the caller.
    pub digests: Vec<Digest>,
    /// URLs that led to it, with what each origin said.
    pub urls: Vec<(Url, StoredValidators)>,
    /// For whom it may be used.
    pub audience: Audience,
    /// The file. It stays where it is; with a hard link it *is* the stored object, so nobody may write to it any more. Its owner,
    /// rights and modification time should be final: after a change of time the content is read again before it is believed.
    pub file: &'a Path,
}

/// How a content came into the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adopted {
    /// It is new.
    New(Placed),
    /// It was there, and has been told the new names.
    Known,
}

impl Store {
    /// Takes a content in. Nothing is waited for but a copy, where neither blocks nor the file itself can be shared.
    pub fn adopt(&self, new: NewContent<'_>) -> Result<Adopted, CacheError> {
        let id = new.table.root();
        let limit = self.limit_bytes();
        if new.table.size() > limit {
            return Err(CacheError::TooBig { size: new.table.size(), limit });
        }
        let urls: Vec<UrlLink> = new.urls.iter().map(|(url, validators)| url_link(url, validators)).collect();
        if self.add_names(&id, &urls, &new.digests, Some(&new.audience))? {
            return Ok(Adopted::Known);
        }
        marker::set(&self.layout, &id, new.table.size())?;
        let brought = self.bring_in(&new)?;
        {
            let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.add_names_locked(&id, &urls, &new.digests, Some(&new.audience))? {
                return Ok(Adopted::Known);
            }
            let stamp = brought.put_in_place(&self.layout.object(&id))?;
            let mut side = SideFile {
                table: new.table,
                digests: Vec::new(),
                urls: Vec::new(),
                audience: storable_audience(new.audience),
                stamp,
                adopted_ms: now_ms(),
                settled: Settled::SinceBoot(self.boot.clone()),
            };
            new.digests.into_iter().for_each(|digest| side.add_digest(digest));
            urls.into_iter().for_each(|link| side.add_url(link));
            side.write_relaxed(&self.layout)?;
            self.link_names(&id, &side)?;
            // Whoever looked at the marker before there was anything to see must not clear it now.
            marker::set(&self.layout, &id, side.table.size())?;
        }
        Ok(Adopted::New(brought.how))
    }

    /// Tells the store that a URL leads to a content it has, or what the origin now says to recognise it by. `false`: there is
    /// no such content.
    pub fn link_url(
        &self,
        id: &ContentId,
        url: &Url,
        validators: &StoredValidators,
    ) -> Result<bool, CacheError> {
        self.add_names(id, &[url_link(url, validators)], &[], None)
    }

    fn add_names(
        &self,
        id: &ContentId,
        urls: &[UrlLink],
        digests: &[Digest],
        audience: Option<&Audience>,
    ) -> Result<bool, CacheError> {
        let _one_at_a_time = self.editing.lock().unwrap_or_else(PoisonError::into_inner);
        self.add_names_locked(id, urls, digests, audience)
    }

    /// Adds what is new about a content, provided that it is there and untouched. `editing` is held by the caller.
    fn add_names_locked(
        &self,
        id: &ContentId,
        urls: &[UrlLink],
        digests: &[Digest],
        audience: Option<&Audience>,
    ) -> Result<bool, CacheError> {
        let Read::Good(mut side) = side_file::read(&self.layout, id) else { return Ok(false) };
        let stamp = FileStamp::of_path(&self.layout.object(id));
        if !stamp.is_ok_and(|stamp| stamp.unchanged_since(&side.stamp)) {
            return Ok(false);
        }
        let before = side.clone();
        urls.iter().cloned().for_each(|link| side.add_url(link));
        digests.iter().for_each(|digest| side.add_digest(*digest));
        // Whoever got the same bytes without credentials has shown that they are no secret.
        if audience == Some(&Audience::Everyone) {
            side.audience = Audience::Everyone;
        }
        if !side.says_the_same_as(&before) {
            marker::set(&self.layout, id, side.table.size())?;
            side.rewrite(&self.layout)?;
        }
        self.link_names(id, &side)?;
        Ok(true)
    }

    fn link_names(&self, id: &ContentId, side: &SideFile) -> Result<(), FileError> {
        let digests = side.digests.iter().map(Name::of_digest);
        let urls = side.urls.iter().map(|link| Name::of_url(&link.url));
        digests.chain(urls).try_for_each(|name| name::link(&self.layout, &name, id))
    }

    /// Brings the bytes into the store under a temporary name: by reflink, else by hard link where the aliasing rule allows it
    /// (see `deliver`), else by a copy that is proven on the way.
    fn bring_in(&self, new: &NewContent<'_>) -> Result<Brought, CacheError> {
        let source = open::open_nofollow(new.file)?;
        let stamp = FileStamp::of(&source).map_err(|error| FileError::new("look at", new.file, error))?;
        if stamp.size != new.table.size() {
            return Err(CacheError::NotThisContent(new.file.to_owned()));
        }
        let temp = self.layout.incoming().join(open::temp_name());
        if self.can_reflink() {
            let created = Created::new(&temp)?;
            let cloned = self.reflink(&source, &created.file);
            if cloned.map_err(|error| created.error("clone a file to", error))? {
                created.keep();
                return Ok(Brought { temp, how: Placed::Reflink });
            }
        }
        if self.may_link(&source) && self.link_checked(new.file, &source, &temp)? {
            return Ok(Brought { temp, how: Placed::HardLink });
        }
        self.check_free_space(new.table.size())?;
        let created = Created::new(&temp)?;
        if !copy(&source, &new.table, &created, &|_| ())? {
            return Err(CacheError::NotThisContent(new.file.to_owned()));
        }
        created.keep();
        Ok(Brought { temp, how: Placed::Copy })
    }
}

/// The bytes of a content, on the store's file system but not in their place. The temporary name goes away in any case.
struct Brought {
    temp: PathBuf,
    how: Placed,
}

impl Brought {
    /// What lies in that place is in nobody's books, or changed, and is replaced.
    fn put_in_place(&self, object: &Path) -> Result<FileStamp, FileError> {
        in_new_dir(object, || durable::replace(&self.temp, object))?;
        FileStamp::of_path(object)
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.temp);
    }
}

fn url_link(url: &Url, validators: &StoredValidators) -> UrlLink {
    UrlLink { url: name::storable_url(url), validators: validators.clone(), seen_ms: now_ms() }
}

fn storable_audience(audience: Audience) -> Audience {
    match audience {
        Audience::Only(user) if user.len() > MAX_USER_LEN => Audience::Only(String::new()),
        other => other,
    }
}
