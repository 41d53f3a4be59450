//! Digests of a whole file, computed in file order beside the piece table.

use sha2::{Digest as _, Sha256, Sha512};

use crate::{Algorithm, Digest};

/// Computes one or more SHA-2 digests of a file whose bytes are fed in order.
///
/// BLAKE3 is not among them: the root of the piece table is that digest.
pub struct WholeHasher {
    next: u64,
    sha256: Option<Sha256>,
    sha512: Option<Sha512>,
    crc32c: Option<u32>,
}

impl WholeHasher {
    /// A hasher for the given algorithms; [`Algorithm::Blake3`] is ignored. `crc32c` adds the checksum that object stores publish.
    #[must_use]
    pub fn new(algorithms: &[Algorithm], crc32c: bool) -> Self {
        Self {
            next: 0,
            sha256: algorithms.contains(&Algorithm::Sha256).then(Sha256::new),
            sha512: algorithms.contains(&Algorithm::Sha512).then(Sha512::new),
            crc32c: crc32c.then_some(0),
        }
    }

    /// Begins anew with the first byte: some of those taken are not the file's any more.
    pub fn restart(&mut self) {
        self.next = 0;
        self.sha256 = self.sha256.take().map(|_| Sha256::new());
        self.sha512 = self.sha512.take().map(|_| Sha512::new());
        self.crc32c = self.crc32c.map(|_| 0);
    }

    /// Whether there is nothing to compute.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.sha256.is_none() && self.sha512.is_none() && self.crc32c.is_none()
    }

    /// The offset of the first byte that was not taken yet.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Takes what continues the file among the bytes at `offset`; bytes before or beyond the position are left for later.
    pub fn feed(&mut self, offset: u64, bytes: &[u8]) {
        let Some(skip) = self.next.checked_sub(offset).and_then(|skip| usize::try_from(skip).ok()) else {
            return;
        };
        let Some(fresh) = bytes.get(skip..) else { return };
        if let Some(hasher) = &mut self.sha256 {
            hasher.update(fresh);
        }
        if let Some(hasher) = &mut self.sha512 {
            hasher.update(fresh);
        }
        if let Some(sum) = &mut self.crc32c {
            *sum = crc32c::crc32c_append(*sum, fresh);
        }
        self.next += fresh.len() as u64;
    }

    /// The digests of all bytes taken, and the CRC-32C when it was asked for.
    #[must_use]
    pub fn finish(self) -> (Vec<Digest>, Option<u32>) {
        let sha256 = self.sha256.map(|hasher| Digest::Sha256(hasher.finalize().into()));
        let sha512 = self.sha512.map(|hasher| Digest::Sha512(hasher.finalize().into()));
        (sha256.into_iter().chain(sha512).collect(), self.crc32c)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_restart_nothing_is_left_of_what_was_taken_before() {
        let mut hasher = WholeHasher::new(&[Algorithm::Sha256, Algorithm::Sha512], true);
        let digests = |mut hasher: WholeHasher| {
            hasher.feed(0, b"abc");
            hasher.finish()
        };
        let expected = digests(WholeHasher::new(&[Algorithm::Sha256, Algorithm::Sha512], true));
        hasher.feed(0, b"abd");
        hasher.restart();
        assert_eq!(hasher.position(), 0);
        assert_eq!(digests(hasher), expected);
    }

    #[test]
    fn bytes_out_of_order_wait_until_they_are_fed_in_order() {
        let mut hasher = WholeHasher::new(&[Algorithm::Sha256, Algorithm::Blake3], true);
        hasher.feed(3, b"456789");
        assert_eq!(hasher.position(), 0);
        hasher.feed(0, b"1234");
        hasher.feed(2, b"3456789");
        hasher.feed(0, b"12");
        assert_eq!(hasher.position(), 9);
        let (digests, crc) = hasher.finish();
        // The check value of CRC-32C (RFC 3720, B.4) and of SHA-256 over "123456789".
        assert_eq!(crc, Some(0xE306_9283));
        let expected = "sha256:15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        assert_eq!(digests, [expected.parse().unwrap()]);
    }
}
