//! An index that lasts as long as the process, for when sled cannot be opened at all: a disk without room, a file system
//! without the calls it needs, Windows, where this release of sled cannot open its own directory.

use std::collections::BTreeMap;

use super::store::{IndexError, IndexStore, Visit};

#[derive(Debug, Default)]
pub(crate) struct MemoryStore(BTreeMap<Vec<u8>, Vec<u8>>);

impl IndexStore for MemoryStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError> {
        Ok(self.0.get(key).cloned())
    }

    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), IndexError> {
        self.0.insert(key.to_vec(), value.to_vec());
        Ok(())
    }

    fn remove(&mut self, key: &[u8]) -> Result<(), IndexError> {
        self.0.remove(key);
        Ok(())
    }

    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexError> {
        self.0
            .range(prefix.to_vec()..)
            .take_while(|(key, _)| key.starts_with(prefix))
            .try_for_each(|(key, value)| visit(key, value))
    }

    fn flush(&mut self) -> Result<(), IndexError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_behaves_as_a_map() {
        super::super::store::tests::behaves_as_a_map(&mut MemoryStore::default());
    }
}
