//! A small map whose keys only ever grow: two vectors in the order of the keys.

/// Values by key, in the order of the keys. A planner has a few dozen sources and requests and looks them up for every
/// chunk and announcement, so that the keys lie side by side is worth more than a tree.
#[derive(Debug)]
pub(crate) struct Table<K, V> {
    keys: Vec<K>,
    values: Vec<V>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { keys: Vec::new(), values: Vec::new() }
    }
}

impl<K: Copy + Ord, V> Table<K, V> {
    /// Adds a value, or puts it in the place of another.
    pub(crate) fn insert(&mut self, key: K, value: V) {
        match self.keys.binary_search(&key) {
            Ok(at) => self.values[at] = value,
            Err(at) => {
                self.keys.insert(at, key);
                self.values.insert(at, value);
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.keys.binary_search(key).ok()?;
        self.keys.remove(at);
        Some(self.values.remove(at))
    }

    pub(crate) fn get(&self, key: &K) -> Option<&V> {
        self.keys.binary_search(key).ok().map(|at| &self.values[at])
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.keys.binary_search(key).ok()?;
        self.values.get_mut(at)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.keys.binary_search(key).is_ok()
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &V)> + Clone {
        self.keys.iter().zip(&self.values)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&K, &mut V)> {
        self.keys.iter().zip(&mut self.values)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.keys.iter()
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> + Clone {
        self.values.iter()
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.values.iter_mut()
    }
}
