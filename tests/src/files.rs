//! The files that origins serve: real ones that the machine has anyway, and generated ones of any size.

use std::env;
use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use sha2::{Digest as _, Sha256};

const BLOCK: usize = 1024 * 1024;

/// When generated files were made, as their servers see it.
const LONG_AGO: Duration = Duration::from_secs(1_600_000_000);

/// A file to serve or to compare with.
#[derive(Clone, Debug)]
pub struct TestFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
}

impl TestFile {
    fn at(path: PathBuf) -> Result<TestFile> {
        let size = fs::metadata(&path).with_context(|| path.display().to_string())?.len();
        Ok(TestFile { path, size })
    }

    /// `sha256:HEX`.
    pub fn sha256(&self) -> Result<String> {
        sha256_of(&self.path)
    }

    /// All of its bytes; for small files.
    pub fn bytes(&self) -> Result<Vec<u8>> {
        fs::read(&self.path).with_context(|| self.path.display().to_string())
    }
}

/// The compiler's own library: about 150 MiB of real code that every machine with a toolchain has.
pub fn toolchain_library() -> Result<TestFile> {
    let sysroot = Command::new("rustc").args(["--print", "sysroot"]).output().context("rustc is needed")?;
    let lib = Path::new(String::from_utf8(sysroot.stdout)?.trim()).join("lib");
    let mut largest: Option<TestFile> = None;
    for entry in fs::read_dir(&lib).with_context(|| lib.display().to_string())? {
        let entry = entry?;
        let is_driver = entry.file_name().to_string_lossy().starts_with("librustc_driver");
        if is_driver && entry.metadata()?.is_file() {
            let file = TestFile::at(entry.path())?;
            if largest.as_ref().is_none_or(|known| known.size < file.size) {
                largest = Some(file);
            }
        }
    }
    largest.with_context(|| format!("no librustc_driver in {}", lib.display()))
}

/// Pseudo-random bytes, always the same for the same seed.
pub fn random_bytes(seed: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// A file of `size` pseudo-random bytes, made once and kept in the target folder.
pub fn random_file(size: u64) -> Result<TestFile> {
    kept(&format!("random-{size}.bin"), size, |path| {
        let mut random = fastrand::Rng::with_seed(size);
        let mut file = BufWriter::with_capacity(BLOCK, File::create(path)?);
        let mut block = vec![0; BLOCK];
        let mut left = size;
        while left > 0 {
            let part = usize::try_from(left.min(BLOCK as u64))?;
            random.fill(&mut block);
            file.write_all(&block[..part])?;
            left -= part as u64;
        }
        // Long ago: a server gives no strong validator for a file that was changed a moment before (Apache takes a minute).
        let file = file.into_inner().map_err(|error| error.into_error())?;
        Ok(file.set_modified(SystemTime::UNIX_EPOCH + LONG_AGO)?)
    })
}

/// A file of `size` zero bytes that takes no room on disk.
pub fn sparse_file(size: u64) -> Result<TestFile> {
    kept(&format!("sparse-{size}.bin"), size, |path| Ok(File::create(path)?.set_len(size)?))
}

/// `sha256:HEX` of a file.
pub fn sha256_of(path: &Path) -> Result<String> {
    let mut hasher = Sha256::new();
    each_block(path, |block| hasher.update(block))?;
    Ok(format!("sha256:{}", hex(&hasher.finalize())))
}

/// `blake3:HEX` of a file: what `b3sum` prints.
pub fn blake3_of(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    each_block(path, |block| {
        hasher.update(block);
    })?;
    Ok(format!("blake3:{}", hasher.finalize().to_hex()))
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn each_block(path: &Path, mut take: impl FnMut(&[u8])) -> Result<()> {
    let mut file = File::open(path).with_context(|| path.display().to_string())?;
    let mut block = vec![0; BLOCK];
    loop {
        match file.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(read) => take(&block[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
}

/// The kept file of this name, made under another name and renamed, so that tests which run at once never see half of it.
fn kept(name: &str, size: u64, make: impl FnOnce(&Path) -> Result<()>) -> Result<TestFile> {
    let folder = folder()?;
    let path = folder.join(name);
    if !fs::metadata(&path).is_ok_and(|known| known.len() == size) {
        let unfinished = tempfile::NamedTempFile::new_in(&folder)?.into_temp_path();
        make(&unfinished)?;
        // Servers that gave up their rights read it too.
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o644))?;
        unfinished.persist(&path)?;
    }
    TestFile::at(path)
}

/// Beside the build: `target/dray-test-files`.
fn folder() -> Result<PathBuf> {
    let test = env::current_exe()?;
    let target = test.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let folder = target.context("tests run from cargo's target folder")?.join("dray-test-files");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}
