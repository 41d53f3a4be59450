//! How records come back: the file is opened with care, read whole, and set aside when it cannot be trusted.

use std::io::Error;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dray_platform::open::open_or_create_private;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, StorageError};

use super::rows::{
    ABOUT, CHECKPOINTS, FILES, FORMAT, FORMAT_KEY, FileKey, JOBS, PROVEN, RawFile, RawJob, SET_ASIDE,
};
use super::{Records, RecordsError, Writer};

/// redb's page cache. The records are read once, at the start; afterwards only the top of the trees is used.
const CACHE_BYTES: usize = 4 << 20;

/// What a start found.
pub(crate) struct Loaded {
    database: Database,
    path: PathBuf,
    pub(crate) jobs: Vec<RawJob>,
    /// What an administrator should know, one sentence each.
    pub(crate) warnings: Vec<String>,
}

impl Loaded {
    /// Goes on to writing. `measure` is told how long each transaction took.
    pub(crate) fn start(
        self,
        measure: impl Fn(Duration) + Send + 'static,
    ) -> std::io::Result<(Records, Writer)> {
        let again = self.path.clone();
        Records::start(self.database, self.path, Box::new(move || database(&again)), measure)
    }
}

/// Why a database file cannot be used.
enum Unusable {
    /// What is in it is wrong: set it aside and start anew.
    Damaged(String),
    /// It cannot be reached: nothing is gained by setting it aside.
    Unreachable(String),
}

/// Opens `jobs.redb` in `state_dir` and reads everything in it.
pub(crate) fn open(state_dir: &Path) -> Result<Loaded, RecordsError> {
    let path = state_dir.join("jobs.redb");
    let mut warnings = Vec::new();
    let damage = match guarded(&path) {
        Ok((database, jobs)) => return Ok(Loaded { database, path, jobs, warnings }),
        Err(Unusable::Unreachable(cause)) => return Err(RecordsError::Open { path, cause }),
        Err(Unusable::Damaged(why)) => why,
    };
    let aside = set_aside(&path)
        .map_err(|cause| RecordsError::Open { path: path.clone(), cause: cause.to_string() })?;
    warnings.push(format!(
        "the job records {} could not be used ({damage}); they were moved to {} and the queue starts empty",
        path.display(),
        aside.display()
    ));
    match guarded(&path) {
        Ok((database, jobs)) => Ok(Loaded { database, path, jobs, warnings }),
        Err(Unusable::Damaged(cause) | Unusable::Unreachable(cause)) => {
            Err(RecordsError::Open { path, cause })
        }
    }
}

/// The database alone; the writer opens it again after the disk failed under it.
fn database(path: &Path) -> Result<Database, DatabaseError> {
    // Private, whatever the rights of the directory: URLs may hold secrets.
    let file = open_or_create_private(path).map_err(|error| Error::new(error.kind(), error))?;
    Database::builder()
        .set_cache_size(CACHE_BYTES)
        .set_repair_callback(|_| tracing::debug!("checking the job records after an unclean stop"))
        .create_file(file)
}

/// Opens and reads; damage that makes redb panic counts as damage.
fn guarded(path: &Path) -> Result<(Database, Vec<RawJob>), Unusable> {
    // redb takes an empty file for a new one, but we never leave one behind that held records.
    if std::fs::metadata(path).is_ok_and(|about| about.len() == 0) {
        return Err(Unusable::Damaged("the file is empty".to_owned()));
    }
    let attempt = catch_unwind(AssertUnwindSafe(|| -> Result<_, redb::Error> {
        let database = database(path)?;
        let jobs = match read(&database)? {
            Ok(jobs) => jobs,
            Err(why) => return Ok(Err(why)),
        };
        Ok(Ok((database, jobs)))
    }));
    match attempt {
        Ok(Ok(Ok(opened))) => Ok(opened),
        Ok(Ok(Err(why))) => Err(Unusable::Damaged(why)),
        Ok(Err(error)) => Err(sort_out(error)),
        Err(panic) => {
            let why = panic.downcast_ref::<String>().map(String::as_str);
            let why = why.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
            Err(Unusable::Damaged(format!("reading them failed: {why}")))
        }
    }
}

fn sort_out(error: redb::Error) -> Unusable {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let text = error.to_string();
    match error {
        redb::Error::Io(e) if matches!(e.kind(), InvalidData | UnexpectedEof) => Unusable::Damaged(text),
        redb::Error::Io(_) | redb::Error::DatabaseAlreadyOpen => Unusable::Unreachable(text),
        _ => Unusable::Damaged(text),
    }
}

/// Everything in the database; the inner error says why it is not ours to read.
fn read(database: &Database) -> Result<Result<Vec<RawJob>, String>, redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut about = transaction.open_table(ABOUT)?;
        let format = about.get(FORMAT_KEY)?.map(|value| value.value().to_vec());
        match format {
            None => {
                about.insert(FORMAT_KEY, FORMAT)?;
            }
            Some(format) if format == FORMAT => {}
            Some(format) => {
                let format = String::from_utf8_lossy(&format).into_owned();
                return Ok(Err(format!("they were written by another version of drayd, format {format}")));
            }
        }
    }
    for table in [JOBS, FILES, CHECKPOINTS, PROVEN, SET_ASIDE] {
        transaction.open_table(table)?;
    }
    transaction.commit()?;

    let transaction = database.begin_read()?;
    let mut checkpoints = transaction.open_table(CHECKPOINTS)?.iter()?.peekable_rows()?;
    let mut proven = transaction.open_table(PROVEN)?.iter()?.peekable_rows()?;
    let mut files = transaction.open_table(FILES)?.iter()?.peekable_rows()?;
    let mut jobs = Vec::new();
    for row in transaction.open_table(JOBS)?.iter()? {
        let (key, value) = row?;
        let Ok(key) = key.value().try_into() else { continue };
        let mut job = RawJob { key, job: value.value().to_vec(), files: Vec::new() };
        while let Some((file, value)) = files.next_of(&job.key) {
            let (checkpoint, proven) = (checkpoints.take(file), proven.take(file));
            job.files.push(RawFile { index: file.index, file: value, checkpoint, proven });
        }
        jobs.push(job);
    }
    Ok(Ok(jobs))
}

/// Rows of a table by file, walked beside another table.
struct Rows(std::iter::Peekable<std::vec::IntoIter<(FileKey, Vec<u8>)>>);

impl Rows {
    /// The next row of `job`; rows of jobs before it are orphans and are passed over.
    fn next_of(&mut self, job: &[u8; 16]) -> Option<(FileKey, Vec<u8>)> {
        while self.0.peek().is_some_and(|(key, _)| key.job < *job) {
            self.0.next();
        }
        self.0.next_if(|(key, _)| key.job == *job)
    }

    /// The row of exactly this file.
    fn take(&mut self, file: FileKey) -> Option<Vec<u8>> {
        while self.0.peek().is_some_and(|(key, _)| *key < file) {
            self.0.next();
        }
        self.0.next_if(|(key, _)| *key == file).map(|(_, value)| value)
    }
}

trait PeekableRows {
    fn peekable_rows(self) -> Result<Rows, StorageError>;
}

impl PeekableRows for redb::Range<'_, &'static [u8], &'static [u8]> {
    fn peekable_rows(self) -> Result<Rows, StorageError> {
        let mut rows = Vec::new();
        for row in self {
            let (key, value) = row?;
            if let Some(key) = FileKey::from_bytes(key.value()) {
                rows.push((key, value.value().to_vec()));
            }
        }
        Ok(Rows(rows.into_iter().peekable()))
    }
}

/// Moves the file out of the way under a name that says when.
fn set_aside(path: &Path) -> std::io::Result<PathBuf> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut aside = PathBuf::from(format!("{}.corrupt-{now}", path.display()));
    let mut again = 0;
    while aside.exists() {
        again += 1;
        aside = PathBuf::from(format!("{}.corrupt-{now}-{again}", path.display()));
    }
    std::fs::rename(path, &aside)?;
    Ok(aside)
}
