//! The shape of `drayd.toml` and of its drop-ins. A key that means nothing is an error: a misspelt limit would
//! otherwise be no limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;
use toml::Spanned;

use super::ConfigError;
use super::values::{
    Administrators, CacheLimit, Count, LogFilter, LogFormat, MetricsAt, PathList, Proxy, Seconds,
};

/// Largest configuration file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

type Value<T> = Option<Spanned<T>>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct FileConfig {
    pub(super) state_dir: Value<PathBuf>,
    pub(super) cache_dir: Value<PathBuf>,
    pub(super) socket: Value<PathBuf>,
    pub(super) administrators: Value<Administrators>,
    pub(super) log: Log,
    pub(super) metrics: Metrics,
    pub(super) cache: Cache,
    pub(super) jobs: Jobs,
    pub(super) limits: Limits,
    pub(super) origin: Origin,
    pub(super) peers: super::peers::Section,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Log {
    pub(super) filter: Value<LogFilter>,
    pub(super) format: Value<LogFormat>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    pub(super) listen: Value<MetricsAt>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Cache {
    pub(super) max_bytes: Value<CacheLimit>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Jobs {
    pub(super) files_at_once: Value<Count>,
    pub(super) transfers_at_once: Value<Count>,
    pub(super) background_at_once: Value<Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) jobs_per_owner: Value<Count>,
    pub(super) jobs_per_machine: Value<Count>,
    pub(super) files_per_job: Value<Count>,
    pub(super) ranges_per_file: Value<Count>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Origin {
    pub(super) connect_timeout_s: Value<Seconds>,
    pub(super) first_byte_timeout_s: Value<Seconds>,
    pub(super) stall_timeout_s: Value<Seconds>,
    pub(super) proxy: Value<Proxy>,
    pub(super) extra_roots: Value<PathList>,
}

/// One file as it was read, with what is needed to say on which line a value stands.
pub(super) struct ReadFile {
    pub(super) path: Arc<Path>,
    pub(super) config: FileConfig,
    text: String,
}

impl ReadFile {
    /// Reads `path`; `None` when it does not exist.
    pub(super) fn read(path: &Path) -> Result<Option<ReadFile>, ConfigError> {
        let failed = |cause| ConfigError::Read { path: path.to_owned(), cause };
        match std::fs::metadata(path) {
            Ok(about) if about.len() > MAX_FILE_BYTES => {
                let what = format!("it is larger than {MAX_FILE_BYTES} bytes");
                return Err(failed(std::io::Error::other(what)));
            }
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(failed(e)),
        }
        let text = std::fs::read_to_string(path).map_err(failed)?;
        ReadFile::parse(path, text).map(Some)
    }

    pub(super) fn parse(path: &Path, text: String) -> Result<ReadFile, ConfigError> {
        match toml::from_str(&text) {
            Ok(config) => Ok(ReadFile { path: path.into(), config, text }),
            Err(e) => Err(ConfigError::File {
                path: path.to_owned(),
                line: line_of(&text, e.span().map_or(0, |s| s.start)),
                what: e.message().replace('\n', ", "),
            }),
        }
    }

    pub(super) fn line_of<T>(&self, value: &Spanned<T>) -> usize {
        line_of(&self.text, value.span().start)
    }
}

/// The drop-ins of `drayd.toml`: every `*.toml` in `drayd.d` beside it, in the order of their names.
pub(super) fn drop_ins(config_file: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let folder = config_file.with_extension("d");
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(ConfigError::Read { path: folder, cause }),
    };
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|cause| ConfigError::Read { path: folder.clone(), cause })?;
        let path = entry.path();
        if path.extension().is_some_and(|e| e == "toml") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&b| b == b'\n').count() + 1
}
