//! How a file is cut: a power-of-two piece length that grows with the file, so that every table stays small.

/// The shortest piece, and the grain in which files of unknown size are hashed.
pub const MIN_PIECE_LEN: u64 = 256 << 10;
/// The longest piece.
pub const MAX_PIECE_LEN: u64 = 16 << 20;
/// About how many pieces a file is cut into while neither bound is met.
const TARGET_PIECES: u64 = 1024;

/// The number of a piece within its file, from zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PieceIndex(pub u32);

/// The piece length, in bytes, of a file of `size` bytes. Every machine computes the same, so it never travels.
///
/// 256 KiB up to 256 MiB, then about a thousand pieces a file, 16 MiB from 16 GiB on (65,536 pieces for 1 TiB).
#[must_use]
pub fn piece_len(size: u64) -> u64 {
    (size / TARGET_PIECES).clamp(MIN_PIECE_LEN, MAX_PIECE_LEN).next_power_of_two()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_grow_with_the_file_and_stay_in_their_bounds() {
        assert_eq!(piece_len(0), 256 << 10);
        assert_eq!(piece_len(64 << 20), 256 << 10);
        assert_eq!(piece_len(1 << 30), 1 << 20);
        assert_eq!(piece_len((1 << 30) + 1), 1 << 20);
        assert_eq!(piece_len(3 << 30), 4 << 20);
        assert_eq!(piece_len(1 << 40), 16 << 20);
        assert_eq!(piece_len(u64::MAX), 16 << 20);
    }
}
