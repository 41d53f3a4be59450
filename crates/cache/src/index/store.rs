//! What the index asks of a database. Small, so that another one can take sled's place within a day; and since the side files
//! can fill any index anew, nothing has to be carried over.

/// The database cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("the database panicked while it tried to {0}")]
    Panicked(&'static str),
    #[error("a row of the index is malformed")]
    BadRow,
}

/// Is shown each pair of a scan; its error ends the scan.
pub(crate) type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> Result<(), IndexError> + 'a;

/// An ordered map of bytes with one user at a time. What was written is durable after `flush`.
pub(crate) trait IndexStore: Send {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, IndexError>;
    fn put(&mut self, key: &[u8], value: &[u8]) -> Result<(), IndexError>;
    fn remove(&mut self, key: &[u8]) -> Result<(), IndexError>;
    /// All pairs whose key starts with `prefix`, in order of their keys.
    fn scan(&self, prefix: &[u8], visit: &mut Visit<'_>) -> Result<(), IndexError>;
    fn flush(&mut self) -> Result<(), IndexError>;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What every implementation has to do.
    pub(crate) fn behaves_as_a_map(store: &mut dyn IndexStore) {
        store.put(b"a1", b"one").unwrap();
        store.put(b"b1", b"three").unwrap();
        store.put(b"a2", b"two").unwrap();
        store.put(b"a2", b"TWO").unwrap();
        store.put(b"\xff\xff", b"last").unwrap();
        store.flush().unwrap();
        assert_eq!(store.get(b"a2").unwrap().as_deref(), Some(&b"TWO"[..]));
        assert_eq!(store.get(b"a3").unwrap(), None);
        let scan = |store: &dyn IndexStore, prefix: &[u8]| {
            let mut found = Vec::new();
            let mut visit = |key: &[u8], value: &[u8]| {
                found.push((key.to_vec(), value.to_vec()));
                Ok(())
            };
            store.scan(prefix, &mut visit).unwrap();
            found
        };
        assert_eq!(scan(store, b"a"), [(b"a1".to_vec(), b"one".to_vec()), (b"a2".to_vec(), b"TWO".to_vec())]);
        assert_eq!(scan(store, b"\xff").len(), 1);
        store.remove(b"a1").unwrap();
        store.remove(b"a1").unwrap();
        assert_eq!(scan(store, b"a").len(), 1);
        let mut stop = |_: &[u8], _: &[u8]| Err(IndexError::BadRow);
        assert!(store.scan(b"", &mut stop).is_err());
    }
}
