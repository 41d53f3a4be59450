//! The index in terms of contents.

use dray_content::ContentId;

use super::rows::{COMPARED, CONTENTS, ContentRow, content_key, id_of_key, name_key};
use super::store::{IndexError, IndexStore};
use crate::name::Name;

pub(crate) struct Catalogue {
    store: Box<dyn IndexStore>,
    contents: u64,
    bytes: u64,
    lasting: bool,
}

impl Catalogue {
    /// Takes over a database, after reading every row of it once. `lasting`: whether it will be there in the next process.
    pub(super) fn new(store: Box<dyn IndexStore>, lasting: bool) -> Result<Catalogue, IndexError> {
        let mut catalogue = Catalogue { store, contents: 0, bytes: 0, lasting };
        for (_, row) in catalogue.all()? {
            catalogue.contents += 1;
            catalogue.bytes = catalogue.bytes.saturating_add(row.size);
        }
        Ok(catalogue)
    }

    pub(crate) fn contents(&self) -> u64 {
        self.contents
    }

    /// The sum of all sizes.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn is_lasting(&self) -> bool {
        self.lasting
    }

    /// Every content, in order of roots.
    pub(crate) fn all(&self) -> Result<Vec<(ContentId, ContentRow)>, IndexError> {
        let mut found = Vec::new();
        let mut visit = |key: &[u8], value: &[u8]| {
            found.push((id_of_key(key)?, ContentRow::decode(value)?));
            Ok(())
        };
        self.store.scan(CONTENTS, &mut visit)?;
        Ok(found)
    }

    pub(crate) fn get(&self, id: &ContentId) -> Result<Option<ContentRow>, IndexError> {
        self.store.get(&content_key(id))?.map(|value| ContentRow::decode(&value)).transpose()
    }

    /// Adds a content, or what is new about it, with the names that lead to it.
    pub(crate) fn put(&mut self, id: &ContentId, row: &ContentRow, names: &[Name]) -> Result<(), IndexError> {
        let before = self.get(id)?;
        self.store.put(&content_key(id), &row.encode())?;
        self.contents += u64::from(before.is_none());
        self.bytes =
            self.bytes.saturating_sub(before.map_or(0, |before| before.size)).saturating_add(row.size);
        names.iter().try_for_each(|name| self.store.put(&name_key(name), &id.0))
    }

    /// Forgets a content, and those of the names that still lead to it.
    pub(crate) fn remove(&mut self, id: &ContentId, names: &[Name]) -> Result<(), IndexError> {
        for name in names {
            if self.find(name)? == Some(*id) {
                self.store.remove(&name_key(name))?;
            }
        }
        if let Some(before) = self.get(id)? {
            self.store.remove(&content_key(id))?;
            self.contents = self.contents.saturating_sub(1);
            self.bytes = self.bytes.saturating_sub(before.size);
        }
        Ok(())
    }

    /// The content to which a name leads.
    pub(crate) fn find(&self, name: &Name) -> Result<Option<ContentId>, IndexError> {
        let Some(root) = self.store.get(&name_key(name))? else { return Ok(None) };
        Ok(Some(ContentId(root.try_into().map_err(|_| IndexError::BadRow)?)))
    }

    /// The run of the machine in which this index was last compared with the files.
    pub(crate) fn compared_in(&self) -> Result<Option<Vec<u8>>, IndexError> {
        self.store.get(COMPARED)
    }

    pub(crate) fn set_compared_in(&mut self, boot: &str) -> Result<(), IndexError> {
        self.store.put(COMPARED, boot.as_bytes())
    }

    pub(crate) fn flush(&mut self) -> Result<(), IndexError> {
        self.store.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory_store::MemoryStore;
    use super::*;

    #[test]
    fn sums_follow_what_is_put_and_removed() {
        let mut catalogue = Catalogue::new(Box::new(MemoryStore::default()), false).unwrap();
        let (one, two) = (ContentId([1; 32]), ContentId([2; 32]));
        let row = |size| ContentRow { size, adopted_ms: 0, last_used_ms: 0 };
        let name = Name::of_url("http://a/");
        catalogue.put(&one, &row(10), &[name]).unwrap();
        catalogue.put(&one, &row(12), &[]).unwrap();
        catalogue.put(&two, &row(5), &[name]).unwrap();
        assert_eq!((catalogue.contents(), catalogue.bytes()), (2, 17));
        catalogue.remove(&one, &[name]).unwrap();
        catalogue.remove(&one, &[name]).unwrap();
        assert_eq!((catalogue.contents(), catalogue.bytes()), (1, 5));
        assert_eq!(catalogue.find(&name).unwrap(), Some(two), "the name had moved on");
        catalogue.remove(&two, &[name]).unwrap();
        assert_eq!(catalogue.find(&name).unwrap(), None);
    }
}
