use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use super::*;

fn start(folder: &Path) -> (Vec<RawJob>, Records, Writer) {
    let mut loaded = open(folder).unwrap();
    assert_eq!(loaded.warnings, Vec::<String>::new());
    let jobs = std::mem::take(&mut loaded.jobs);
    let (records, writer) = loaded.start(|_| {}).unwrap();
    (jobs, records, writer)
}

/// Submits and waits for the answer.
fn durable(records: &Records, mut change: Change) -> Result<(), NotDurable> {
    let (sender, answer) = mpsc::channel();
    change.then(move |outcome| sender.send(outcome).unwrap());
    records.submit(change);
    answer.recv().unwrap()
}

const A: JobKey = [1; 16];
const B: JobKey = [2; 16];

fn file(job: JobKey, index: u32) -> FileKey {
    FileKey { job, index }
}

#[test]
fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (jobs, records, writer) = start(folder.path());
    assert!(jobs.is_empty());
    let mut change = Change::default();
    change.job(B, b"b".to_vec());
    change.job(A, b"a".to_vec());
    for index in [0, 1, 300] {
        change.file(file(A, index), vec![7; 3]);
    }
    change.file(file(B, 0), vec![8]);
    durable(&records, change).unwrap();
    records.checkpoint(file(A, 1), b"half".to_vec());
    writer.close();

    let (jobs, records, writer) = start(folder.path());
    assert_eq!(
        jobs.iter().map(|job| (job.key, job.job.clone())).collect::<Vec<_>>(),
        [(A, b"a".to_vec()), (B, b"b".to_vec())]
    );
    let files: Vec<_> = jobs[0].files.iter().map(|f| (f.index, f.checkpoint.clone())).collect();
    assert_eq!(files, [(0, None), (1, Some(b"half".to_vec())), (300, None)]);
    assert_eq!(jobs[1].files.len(), 1);

    let mut change = Change::default();
    change.forget(A);
    // What comes for a job that is gone is dropped with it, before and after.
    change.job(A, b"late".to_vec());
    records.submit(change);
    records.checkpoint(file(A, 1), b"late".to_vec());
    writer.close();
    let (jobs, ..) = start(folder.path());
    assert_eq!(jobs.iter().map(|job| job.key).collect::<Vec<_>>(), [B]);
}

#[test]
fn a_thousand_changes_share_a_few_transactions() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = open(folder.path()).unwrap();
    let (sender, transactions) = mpsc::channel();
    let (records, writer) = loaded.start(move |took| sender.send(took).unwrap_or(())).unwrap();
    let (sender, answers) = mpsc::channel();
    for index in 0..1000 {
        let mut change = Change::default();
        change.file(file(A, index), vec![0; 200]);
        let sender = sender.clone();
        change.then(move |outcome| sender.send(outcome).unwrap());
        records.submit(change);
    }
    for _ in 0..1000 {
        answers.recv().unwrap().unwrap();
    }
    writer.close();
    let transactions = transactions.iter().count();
    assert!(transactions < 100, "{transactions} transactions");
}

#[test]
fn a_file_of_garbage_is_set_aside_and_the_queue_starts_empty() {
    for garbage in [vec![b'x'; 100_000], vec![0; 10], vec![0; 100_000], b"redb".to_vec(), Vec::new()] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jobs.redb"), &garbage).unwrap();
        let loaded = open(folder.path()).unwrap();
        assert!(loaded.jobs.is_empty());
        assert_eq!(loaded.warnings.len(), 1, "{:?}", loaded.warnings);
        assert_eq!(set_aside(folder.path()), [garbage]);
    }
}

/// The contents of the files that were set aside.
fn set_aside(folder: &Path) -> Vec<Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let corrupt = entries.filter(|path| path.display().to_string().contains("jobs.redb.corrupt-"));
    corrupt.map(|path| std::fs::read(path).unwrap()).collect()
}

/// A database with enough in it that damage can hit all of its parts.
fn filled(folder: &Path) -> Vec<u8> {
    let (_, records, writer) = start(folder);
    for job in 0..40 {
        let mut change = Change::default();
        change.job([job; 16], encode(&"job".repeat(100)));
        change.file(file([job; 16], 0), encode(&"file".repeat(100)));
        durable(&records, change).unwrap();
    }
    writer.close();
    std::fs::read(folder.join("jobs.redb")).unwrap()
}

#[test]
fn wherever_the_file_is_cut_or_overwritten_the_daemon_starts() {
    let folder = tempfile::tempdir().unwrap();
    let whole = filled(folder.path());
    let mut damaged = Vec::new();
    for part in 0..16 {
        let at = whole.len() * part / 16;
        damaged.push(whole[..at].to_vec());
        let mut scribbled = whole.clone();
        let end = whole.len().min(at + 4096);
        scribbled[at..end].fill(0xa5);
        damaged.push(scribbled);
    }
    // The header of the file, byte by byte.
    for at in 0..64 {
        let mut flipped = whole.clone();
        flipped[at] ^= 0xff;
        damaged.push(flipped);
    }
    for (number, bytes) in damaged.into_iter().enumerate() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("jobs.redb"), bytes).unwrap();
        let mut loaded = open(folder.path()).unwrap_or_else(|e| panic!("damage {number}: {e}"));
        // What is read must be what was written: never a record that means something else.
        for job in std::mem::take(&mut loaded.jobs) {
            if let Ok(value) = decode::<String>(&job.job) {
                assert_eq!(value, "job".repeat(100));
            }
        }
        let (records, writer) = loaded.start(|_| {}).unwrap();
        let mut change = Change::default();
        change.job([99; 16], b"after".to_vec());
        // A page that only writing finds damaged is reported, not hidden.
        drop(durable(&records, change));
        writer.close();
    }
}

#[test]
fn a_newer_format_is_set_aside_whole() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let database = redb::Database::create(folder.path().join("jobs.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(rows::ABOUT).unwrap().insert(rows::FORMAT_KEY, b"2".as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let loaded = open(folder.path()).unwrap();
    assert!(loaded.jobs.is_empty());
    assert!(loaded.warnings[0].contains("another version of drayd, format 2"), "{:?}", loaded.warnings);
    assert_eq!(set_aside(folder.path()).len(), 1);
}

#[test]
fn a_row_that_was_set_aside_does_not_come_back() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let (jobs, records, writer) = start(folder.path());
    records.set_aside(&jobs[3]);
    writer.close();
    let (jobs, ..) = start(folder.path());
    assert_eq!(jobs.len(), 39);
    assert!(jobs.iter().all(|job| job.key != [3; 16]));
}

/// A disk that can be told to fail.
#[derive(Debug)]
struct Failing {
    disk: redb::backends::FileBackend,
    fails: Arc<AtomicBool>,
}

impl Failing {
    fn open(path: &Path, fails: &Arc<AtomicBool>) -> Result<redb::Database, redb::DatabaseError> {
        let file = std::fs::OpenOptions::new().read(true).write(true).open(path)?;
        let disk = redb::backends::FileBackend::new(file)?;
        redb::Builder::new().create_with_backend(Failing { disk, fails: fails.clone() })
    }

    fn check(&self) -> std::io::Result<()> {
        match self.fails.load(Ordering::SeqCst) {
            true => Err(std::io::ErrorKind::StorageFull.into()),
            false => Ok(()),
        }
    }
}

impl redb::StorageBackend for Failing {
    fn len(&self) -> std::io::Result<u64> {
        self.disk.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
        self.disk.read(offset, out)
    }
    fn set_len(&self, len: u64) -> std::io::Result<()> {
        self.check()?;
        self.disk.set_len(len)
    }
    fn sync_data(&self) -> std::io::Result<()> {
        self.check()?;
        self.disk.sync_data()
    }
    fn write(&self, offset: u64, data: &[u8]) -> std::io::Result<()> {
        self.check()?;
        self.disk.write(offset, data)
    }
    fn close(&self) -> std::io::Result<()> {
        self.disk.close()
    }
}

#[test]
fn a_full_disk_is_a_no_and_what_it_refused_is_written_once_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path());
    let path = folder.path().join("jobs.redb");
    let fails = Arc::new(AtomicBool::new(false));
    let opener = {
        let (path, fails) = (path.clone(), fails.clone());
        move || Failing::open(&path, &fails)
    };
    let (records, writer) =
        Records::start(opener().unwrap(), path.clone(), Box::new(opener), |_| {}).unwrap();
    fails.store(true, Ordering::SeqCst);
    let mut change = Change::default();
    change.job([77; 16], b"refused".to_vec());
    let error = durable(&records, change).unwrap_err().to_string();
    assert!(error.contains("jobs.redb cannot be written"), "{error}");
    fails.store(false, Ordering::SeqCst);
    let mut change = Change::default();
    change.job([78; 16], b"accepted".to_vec());
    durable(&records, change).unwrap();
    writer.close();
    let (jobs, ..) = start(folder.path());
    assert!(jobs.iter().any(|job| job.key == [77; 16]), "the change that was refused first");
    assert!(jobs.iter().any(|job| job.key == [78; 16]));
}

/// Kills of a writing process, each at another moment.
const KILLS: usize = 12;
const CHILD_FOLDER: &str = "DRAY_TEST_RECORDS_FOLDER";

#[test]
fn whatever_was_said_to_be_durable_survives_kill_9() {
    let folder = tempfile::tempdir().unwrap();
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "records::tests::child_that_writes_until_killed", "--nocapture"])
            .env(CHILD_FOLDER, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged = Vec::new();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        for line in lines {
            if let Some(number) = line.unwrap().strip_prefix("durable ") {
                acknowledged.push(number.parse::<u32>().unwrap());
            }
            if acknowledged.len() > kill * 7 {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let (jobs, _, writer) = start(folder.path());
        let written: Vec<u32> = jobs[0].files.iter().map(|f| f.index).collect();
        for number in acknowledged {
            assert!(written.contains(&number), "{number} was durable before kill {kill}");
        }
        writer.close();
    }
}

/// The other process of the kill test; run by itself it has nothing to do.
#[test]
fn child_that_writes_until_killed() {
    let Some(folder) = std::env::var_os(CHILD_FOLDER) else { return };
    let (_, records, _writer) = start(Path::new(&folder));
    for number in 0..100_000 {
        let mut change = Change::default();
        change.job(A, b"a".to_vec());
        change.file(file(A, number), vec![1; 500]);
        durable(&records, change).unwrap();
        records.checkpoint(file(A, number), vec![2; 100]);
        let mut out = std::io::stdout();
        writeln!(out, "durable {number}").unwrap();
        out.flush().unwrap();
    }
}
