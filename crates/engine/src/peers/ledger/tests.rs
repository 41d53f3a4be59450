use super::*;
use dray_content::TableBuilder;

const PIECE: u64 = 256 << 10;
const SIZE: u64 = 3 * PIECE + 100;
const HONEST: MateId = MateId(1);
const LIAR: MateId = MateId(2);

/// A file, and what it is known by; `sink` is what was written of it.
struct File {
    right: Vec<u8>,
    sink: Vec<u8>,
    table: Arc<PieceTable>,
}

fn table_of(bytes: &[u8]) -> PieceTable {
    let mut builder = TableBuilder::new(Some(bytes.len() as u64));
    builder.feed(0, bytes);
    builder.finish(bytes.len() as u64).unwrap()
}

impl File {
    fn new() -> Self {
        let right: Vec<u8> = (0..SIZE).map(|at| (at * 31 % 251) as u8).collect();
        let table = Arc::new(table_of(&right));
        Self { sink: vec![0; right.len()], right, table }
    }

    fn write(&mut self, ledger: &mut Ledger, (start, end): (u64, u64), giver: Giver, is_right: bool) {
        for at in start as usize..end as usize {
            self.sink[at] = if is_right { self.right[at] } else { !self.right[at] };
        }
        ledger.wrote(ByteRange::new(start, end).unwrap(), giver);
    }

    fn judge(&self, ledger: &mut Ledger, index: u32) -> Verdict {
        let value = table_of(&self.sink).values()[index as usize];
        ledger.judge(index, value, &mut |range| Ok(self.hash(range))).unwrap()
    }

    fn hash(&self, range: ByteRange) -> [u8; 32] {
        *blake3::hash(&self.sink[range.start() as usize..range.end() as usize]).as_bytes()
    }

    fn liars(&self, ledger: &mut Ledger) -> Liars {
        assert_eq!(self.sink, self.right);
        ledger.liars(&self.table, &mut |range| Ok(self.hash(range))).unwrap()
    }
}

fn piece(index: u64) -> (u64, u64) {
    (index * PIECE, ((index + 1) * PIECE).min(SIZE))
}

fn dropped(index: u64, given: &[(MateId, u64)]) -> Dropped {
    let (start, end) = piece(index);
    Dropped { bytes: ByteRange::new(start, end).unwrap().into(), given: given.to_vec(), earlier: 0 }
}

fn said(liars: &[MateId], cleared: &[MateId], is_proven: bool) -> Verdict {
    Verdict::Trusted(Conduct { liars: liars.to_vec(), cleared: cleared.to_vec(), is_proven })
}

fn nothing_said(is_proven: bool) -> Verdict {
    said(&[], &[], is_proven)
}

fn start() -> (File, Ledger) {
    (File::new(), Ledger::new(SIZE, &RangeSet::new()))
}

#[test]
fn what_the_origin_gave_may_be_offered_and_what_a_peer_gave_may_not() {
    let (mut file, mut ledger) = start();
    file.write(&mut ledger, piece(0), Giver::Origin, true);
    file.write(&mut ledger, piece(1), Giver::Peer(HONEST), true);
    assert_eq!(file.judge(&mut ledger, 0), nothing_said(false));
    assert_eq!(file.judge(&mut ledger, 1), Verdict::Unproven);
    assert_eq!(ledger.unproven(), ByteRange::new(PIECE, 2 * PIECE).unwrap().into());
}

#[test]
fn a_proven_table_proves_a_piece_of_a_peer_and_convicts_who_gave_another_alone() {
    let (mut file, mut ledger) = start();
    ledger.use_table(Arc::clone(&file.table), true, Some(HONEST));
    file.write(&mut ledger, piece(1), Giver::Peer(HONEST), true);
    file.write(&mut ledger, piece(2), Giver::Peer(LIAR), false);
    assert_eq!(file.judge(&mut ledger, 1), nothing_said(true));
    let dropped = dropped(2, &[(LIAR, PIECE)]);
    assert_eq!(file.judge(&mut ledger, 2), Verdict::Wrong { dropped, liars: vec![LIAR], suspects: vec![] });
    assert!(ledger.unproven().is_empty());
}

#[test]
fn of_two_who_gave_a_wrong_piece_only_the_one_whose_part_differs_is_a_liar() {
    let (mut file, mut ledger) = start();
    ledger.use_table(Arc::clone(&file.table), true, None);
    let (start, end) = piece(1);
    file.write(&mut ledger, (start, start + 5000), Giver::Peer(HONEST), true);
    file.write(&mut ledger, (start + 5000, end), Giver::Peer(LIAR), false);
    let verdict = file.judge(&mut ledger, 1);
    let dropped = dropped(1, &[(HONEST, 5000), (LIAR, PIECE - 5000)]);
    assert_eq!(verdict, Verdict::Wrong { dropped, liars: vec![], suspects: vec![HONEST, LIAR] });
    file.write(&mut ledger, (start, end), Giver::Origin, true);
    assert_eq!(file.judge(&mut ledger, 1), said(&[LIAR], &[HONEST], true));
}

#[test]
fn when_the_whole_fails_only_those_are_blamed_whose_piece_was_wrong() {
    let (mut file, mut ledger) = start();
    file.write(&mut ledger, piece(0), Giver::Origin, true);
    file.write(&mut ledger, piece(1), Giver::Peer(HONEST), true);
    file.write(&mut ledger, piece(2), Giver::Peer(LIAR), false);
    let (start, end) = piece(3);
    file.write(&mut ledger, (start, start + 40), Giver::Origin, true);
    file.write(&mut ledger, (start + 40, end), Giver::Peer(HONEST), true);
    for index in 0..4 {
        file.judge(&mut ledger, index);
    }
    let dropped = ledger.distrust();
    assert_eq!(dropped.bytes, ByteRange::new(PIECE, SIZE).unwrap().into());
    assert_eq!(dropped.given, [(HONEST, PIECE), (LIAR, PIECE), (HONEST, 60)]);
    file.write(&mut ledger, (PIECE, SIZE), Giver::Origin, true);
    assert_eq!(file.liars(&mut ledger), Liars { bytes: vec![LIAR], tables: vec![] });
}

#[test]
fn a_piece_that_does_not_fit_a_claimed_table_is_fetched_again_and_the_origin_tells_who_lied() {
    // The piece was the lie.
    let (mut file, mut ledger) = start();
    ledger.use_table(Arc::clone(&file.table), false, Some(HONEST));
    file.write(&mut ledger, piece(1), Giver::Peer(LIAR), false);
    let verdict = file.judge(&mut ledger, 1);
    let dropped = dropped(1, &[(LIAR, PIECE)]);
    assert_eq!(verdict, Verdict::Wrong { dropped, liars: vec![], suspects: vec![LIAR] });
    file.write(&mut ledger, (0, SIZE), Giver::Origin, true);
    assert_eq!(file.judge(&mut ledger, 1), said(&[LIAR], &[], false));
    assert_eq!(file.liars(&mut ledger), Liars { bytes: vec![LIAR], tables: vec![] });

    // The table was the lie.
    let (mut file, mut ledger) = start();
    ledger.use_table(Arc::new(table_of(&vec![7; SIZE as usize])), false, Some(LIAR));
    file.write(&mut ledger, piece(1), Giver::Peer(HONEST), true);
    assert!(matches!(file.judge(&mut ledger, 1), Verdict::Wrong { .. }));
    file.write(&mut ledger, (0, SIZE), Giver::Origin, true);
    assert_eq!(file.judge(&mut ledger, 1), Verdict::TableDoubted { author: Some(LIAR) });
    assert!(!ledger.has_table());
    assert_eq!(file.liars(&mut ledger), Liars { bytes: vec![], tables: vec![LIAR] });
}

#[test]
fn unproven_bytes_of_an_earlier_attempt_stay_unproven_and_blame_nobody() {
    let mut file = File::new();
    let earlier = ByteRange::new(PIECE, PIECE + 10).unwrap().into();
    let mut ledger = Ledger::new(SIZE, &earlier);
    assert_eq!(ledger.unproven(), earlier);
    file.write(&mut ledger, (0, SIZE), Giver::Origin, true);
    assert_eq!(file.judge(&mut ledger, 1), Verdict::Unproven);
    let dropped = ledger.distrust();
    assert_eq!(dropped.bytes, ByteRange::new(PIECE, 2 * PIECE).unwrap().into());
    assert_eq!((dropped.given, dropped.earlier), (vec![], 10));
    assert_eq!(file.liars(&mut ledger), Liars::default());
}

#[test]
fn no_more_is_remembered_of_liars_than_the_limit() {
    let size = (MAX_SUSPECTS as u64 + 10) * dray_content::MAX_PIECE_LEN;
    let mut ledger = Ledger::new(size, &RangeSet::new());
    for index in 0..MAX_SUSPECTS as u32 + 5 {
        ledger.wrote(ledger.range(index).unwrap(), Giver::Peer(LIAR));
        ledger.judge(index, [1; 32], &mut |_| Ok([0; 32])).unwrap();
    }
    ledger.distrust();
    assert_eq!(ledger.suspect_count, MAX_SUSPECTS);
}
