//! Reading a file against its piece table.

use std::fs::File;
use std::io;

use dray_content::{PieceHasher, PieceIndex, PieceTable};
use dray_platform::positioned;
use dray_ranges::ByteRange;

use crate::config::CHUNK_LEN;

/// What reading came to.
#[derive(Debug)]
pub(crate) enum Proof {
    /// Every byte is right, and there is none too many.
    Right,
    /// A piece is wrong, or the file too short or too long, or the disk cannot read it.
    Wrong,
}

/// Reads all pieces in order and compares each with the table. `sink` is given the bytes as they are read, before their piece
/// is known to be right; its error ends the reading. `progress` is told how many bytes have been proven.
pub(crate) fn prove(
    file: &File,
    table: &PieceTable,
    progress: &dyn Fn(u64),
    mut sink: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<Proof> {
    if file.metadata()?.len() != table.size() {
        return Ok(Proof::Wrong);
    }
    let mut buffer = vec![0; CHUNK_LEN];
    for (index, range) in table.pieces() {
        match read_piece(file, table, index, range, &mut buffer, &mut sink)? {
            Proof::Right => progress(range.end()),
            Proof::Wrong => return Ok(Proof::Wrong),
        }
    }
    Ok(Proof::Right)
}

fn read_piece(
    file: &File,
    table: &PieceTable,
    index: PieceIndex,
    range: ByteRange,
    buffer: &mut [u8],
    sink: &mut impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> io::Result<Proof> {
    let mut hasher = PieceHasher::new(range.start());
    let mut at = range.start();
    while at < range.end() {
        let len = usize::try_from(range.end() - at).unwrap_or(usize::MAX).min(buffer.len());
        let chunk = &mut buffer[..len];
        if positioned::read_exact_at(file, chunk, at).is_err() {
            return Ok(Proof::Wrong);
        }
        hasher.update(chunk);
        sink(at, chunk)?;
        at += len as u64;
    }
    let value = hasher.finish(table.values().len() == 1);
    let right = table.values().get(index.0 as usize) == Some(&value);
    Ok(if right { Proof::Right } else { Proof::Wrong })
}

/// As [`prove`], for whoever does not want the bytes.
pub(crate) fn prove_only(file: &File, table: &PieceTable, progress: &dyn Fn(u64)) -> io::Result<Proof> {
    prove(file, table, progress, |_, _| Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dray_content::TableBuilder;
    use std::io::Write as _;

    fn file_and_table(bytes: &[u8]) -> (File, PieceTable) {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let mut builder = TableBuilder::new(Some(bytes.len() as u64));
        builder.feed(0, bytes);
        (file, builder.finish(bytes.len() as u64).unwrap())
    }

    fn is_right(file: &File, table: &PieceTable) -> bool {
        matches!(prove_only(file, table, &|_| ()).unwrap(), Proof::Right)
    }

    #[test]
    fn right_bytes_are_right_at_every_size_around_a_piece() {
        for size in [0, 1, 262_143, 262_144, 262_145, 700_000] {
            let bytes: Vec<u8> = (0..size).map(|n: u32| (n % 251) as u8).collect();
            let (file, table) = file_and_table(&bytes);
            let copied = std::cell::RefCell::new(Vec::new());
            let last = std::cell::Cell::new(0);
            let proof = prove(&file, &table, &|done| last.set(done), |_, chunk| {
                copied.borrow_mut().extend_from_slice(chunk);
                Ok(())
            });
            assert!(matches!(proof.unwrap(), Proof::Right));
            assert_eq!((copied.into_inner(), last.get()), (bytes, u64::from(size)));
        }
    }

    #[test]
    fn a_changed_a_short_and_a_long_file_are_wrong() {
        let (file, table) = file_and_table(&[1; 600_000]);
        positioned::write_all_at(&file, b"x", 599_999).unwrap();
        assert!(!is_right(&file, &table));
        positioned::write_all_at(&file, &[1], 599_999).unwrap();
        assert!(is_right(&file, &table));
        file.set_len(599_999).unwrap();
        assert!(!is_right(&file, &table));
        file.set_len(600_001).unwrap();
        assert!(!is_right(&file, &table));
    }

    #[test]
    fn an_error_of_the_sink_is_not_blamed_on_the_file() {
        let (file, table) = file_and_table(&[1; 10]);
        let outcome = prove(&file, &table, &|_| (), |_, _| Err(io::ErrorKind::StorageFull.into()));
        assert_eq!(outcome.unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
