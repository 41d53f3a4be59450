//! Buffers that are used again, so that sending a file does not mean to ask the system for its length in memory.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

/// Buffers kept while nobody uses them.
const KEPT: usize = 4;

/// Buffers for reading. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Pool {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Pool {
    /// An empty buffer.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// The bytes of a buffer, which comes back to the pool when the last of them is let go.
    pub(crate) fn lend(&self, buffer: Vec<u8>) -> Bytes {
        Bytes::from_owner(Lent { buffer, free: Arc::clone(&self.free) })
    }
}

struct Lent {
    buffer: Vec<u8>,
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < KEPT {
            self.buffer.clear();
            free.push(std::mem::take(&mut self.buffer));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_when_its_last_slice_goes_and_only_so_many_are_kept() {
        let pool = Pool::default();
        let mut buffer = pool.take();
        buffer.extend_from_slice(&[7; 4096]);
        let all = pool.lend(buffer);
        let part = all.slice(10..20);
        drop(all);
        assert_eq!(pool.take().capacity(), 0);
        drop(part);
        let again = pool.take();
        assert!(again.is_empty() && again.capacity() >= 4096);
        let lent: Vec<_> = (0..KEPT + 5).map(|_| pool.lend(vec![1])).collect();
        drop(lent);
        assert_eq!(pool.free.lock().unwrap().len(), KEPT);
    }
}
