//! Which layer has the last word on a setting: flag, then environment, then the last file that names it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::Spanned;

use super::file::{FileConfig, ReadFile, drop_ins};
use super::{ConfigError, Setting, Source};

type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// The layers above the defaults, read once.
pub(super) struct Layers<'a> {
    /// The main file first, then the drop-ins: later ones win.
    files: Vec<ReadFile>,
    /// Where the main file lies, or would.
    folder: PathBuf,
    variable: Variable<'a>,
}

/// A setting that some layer may have had a word on.
pub(super) struct Said<T>(Option<Setting<T>>);

impl<T> Said<T> {
    pub(super) fn or_default(self, value: T) -> Setting<T> {
        self.0.unwrap_or(Setting { value, from: Source::Default })
    }
}

impl<'a> Layers<'a> {
    /// Reads the named file (which must exist) or else the usual one (which need not), and its drop-ins.
    pub(super) fn read(
        named: Option<&Path>,
        variable: Variable<'a>,
        usual: &Path,
    ) -> Result<Layers<'a>, ConfigError> {
        let named = named.map(Path::to_owned).or_else(|| variable("DRAY_CONFIG").map(PathBuf::from));
        let main = named.as_deref().unwrap_or(usual);
        let mut files = Vec::new();
        match ReadFile::read(main)? {
            Some(file) => files.push(file),
            None if named.is_some() => {
                let cause = std::io::ErrorKind::NotFound.into();
                return Err(ConfigError::Read { path: main.to_owned(), cause });
            }
            None => {}
        }
        for path in drop_ins(main)? {
            files.extend(ReadFile::read(&path)?);
        }
        let folder = std::path::absolute(main).ok().and_then(|main| Some(main.parent()?.to_owned()));
        Ok(Layers { files, folder: folder.unwrap_or_default(), variable })
    }

    /// The folder of the configuration, for what usually lies beside it.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A setting with a flag, a variable and a key in the file.
    pub(super) fn pick<T: FromStr<Err = String> + Clone>(
        &self,
        variable: &'static str,
        (flag, flagged): (&'static str, Option<T>),
        key: impl Fn(&FileConfig) -> Option<&Spanned<T>>,
    ) -> Result<Said<T>, ConfigError> {
        if let Some(value) = flagged {
            return Ok(Said(Some(Setting { value, from: Source::Flag(flag) })));
        }
        self.setting(variable, key)
    }

    /// A setting without a flag.
    pub(super) fn setting<T: FromStr<Err = String> + Clone>(
        &self,
        variable: &'static str,
        key: impl Fn(&FileConfig) -> Option<&Spanned<T>>,
    ) -> Result<Said<T>, ConfigError> {
        if let Some(text) = (self.variable)(variable) {
            let from = Source::Environment(variable);
            let Some(text) = text.to_str() else {
                return Err(ConfigError::Value { from, what: "the value is not valid UTF-8".to_owned() });
            };
            return match text.parse() {
                Ok(value) => Ok(Said(Some(Setting { value, from }))),
                Err(what) => Err(ConfigError::Value { from, what }),
            };
        }
        Ok(Said(self.in_files(key).map(|(value, _, from)| Setting { value, from })))
    }

    /// A path. A relative one counts from where it was written: the working folder for a flag or a variable, the
    /// file's folder for a file.
    pub(super) fn path(
        &self,
        variable: &'static str,
        (flag, flagged): (&'static str, Option<PathBuf>),
        key: impl Fn(&FileConfig) -> Option<&Spanned<PathBuf>>,
    ) -> Result<Said<PathBuf>, ConfigError> {
        let said = flagged.map(|path| (path, Source::Flag(flag))).or_else(|| {
            let text = (self.variable)(variable)?;
            Some((PathBuf::from(text), Source::Environment(variable)))
        });
        let (path, from) = match said {
            Some(said) => said,
            None => match self.in_files(key) {
                Some((path, file, from)) => (file.parent().unwrap_or(Path::new("")).join(path), from),
                None => return Ok(Said(None)),
            },
        };
        match std::path::absolute(&path) {
            Ok(value) => Ok(Said(Some(Setting { value, from }))),
            Err(_) => Err(ConfigError::Value { from, what: "an empty path is no place".to_owned() }),
        }
    }

    fn in_files<T: Clone>(
        &self,
        key: impl Fn(&FileConfig) -> Option<&Spanned<T>>,
    ) -> Option<(T, &Path, Source)> {
        self.files.iter().rev().find_map(|file| {
            let value = key(&file.config)?;
            let from = Source::File { path: file.path.clone(), line: file.line_of(value) };
            Some((value.get_ref().clone(), &*file.path, from))
        })
    }
}
