//! The final path of a file: LocalName.

use serde::{Deserialize, Serialize};

use super::excerpt;
use crate::{Code, Failure};

/// Characters in a Windows path (MAX_PATH).
const MAX_WINDOWS_PATH: usize = 260;
/// Bytes in a Unix path, without its terminator (PATH_MAX). The 260 of BITS is a limit of Windows, not of
/// jobs; ordinary Unix paths are longer.
const MAX_UNIX_PATH: usize = 4_095;
/// Bytes in one name of a Unix path (NAME_MAX).
const MAX_UNIX_NAME: usize = 255;

/// How local paths look on the machine. Text alone decides; nothing is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRules {
    /// `/a/b`.
    Unix,
    /// `C:\a\b` and `\\server\share\a`.
    Windows,
}

/// An absolute path of a file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LocalName(String);

impl LocalName {
    /// Checks a local name (reference 3.2): absolute, no NUL, no `..`, not ending in a separator, within the
    /// length of the platform; on Windows no wildcards, no alternate data streams, no `\\?\`. E_INVALIDARG
    /// otherwise. Whether its directory exists and may be written to is for the caller to find out.
    pub fn parse(text: &str, rules: PathRules) -> Result<LocalName, Failure> {
        if text.contains('\0') {
            return refuse("The local path contains a NUL; remove it.".to_owned());
        }
        match rules {
            PathRules::Unix => check_unix(text)?,
            PathRules::Windows => check_windows(text)?,
        }
        Ok(LocalName(text.to_owned()))
    }

    /// As it was given.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn refuse<T>(sentence: String) -> Result<T, Failure> {
    Err(Failure::new(Code::E_INVALIDARG, sentence))
}

fn check_unix(text: &str) -> Result<(), Failure> {
    let Some(rest) = text.strip_prefix('/') else {
        return refuse(format!("The local path \"{}\" is not absolute; begin it with /.", excerpt(text)));
    };
    if text.len() > MAX_UNIX_PATH {
        return refuse(format!(
            "The local path has {} bytes; at most {MAX_UNIX_PATH} are allowed.",
            text.len()
        ));
    }
    check_names(text, rest.split('/'))?;
    if let Some(name) = rest.split('/').find(|name| name.len() > MAX_UNIX_NAME) {
        let length = name.len();
        return refuse(format!(
            "A name in the local path has {length} bytes; at most {MAX_UNIX_NAME} are allowed."
        ));
    }
    Ok(())
}

fn check_windows(text: &str) -> Result<(), Failure> {
    let separator = ['\\', '/'];
    let bytes = text.as_bytes();
    let drive = bytes.first().is_some_and(u8::is_ascii_alphabetic)
        && bytes.get(1) == Some(&b':')
        && bytes.get(2).is_some_and(|b| *b == b'\\' || *b == b'/');
    let rest = if drive {
        &text[3..]
    } else if let Some(rest) = text.strip_prefix(r"\\") {
        if rest.starts_with(['?', '.']) {
            return refuse(r"The local path begins with \\?\ or \\.\; write it without.".to_owned());
        }
        if rest.split(separator).take_while(|name| !name.is_empty()).count() < 3 {
            return refuse(r"The local path is incomplete; write \\server\share\file.".to_owned());
        }
        rest
    } else {
        let sentence =
            format!("The local path \"{}\" is not absolute; begin it with a drive.", excerpt(text));
        return refuse(sentence);
    };
    let length = text.chars().count();
    if length > MAX_WINDOWS_PATH {
        return refuse(format!(
            "The local path has {length} characters; at most {MAX_WINDOWS_PATH} are allowed."
        ));
    }
    if let Some(bad) = rest.chars().find(|c| "<>\"|?*:".contains(*c) || c.is_control()) {
        return refuse(format!("The character {bad:?} cannot stand in a local path; name one plain file."));
    }
    check_names(text, rest.split(separator))
}

fn check_names<'a>(text: &str, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
    let mut last = "";
    for name in names {
        if name == ".." {
            return refuse(format!("The local path \"{}\" contains ..; write it without.", excerpt(text)));
        }
        last = name;
    }
    if last.is_empty() || last == "." {
        return refuse(format!(
            "The local path \"{}\" names a directory; add the name of the file.",
            excerpt(text)
        ));
    }
    Ok(())
}

/// From a record. Records of either platform can be read on any, so that tests and tools can.
impl TryFrom<String> for LocalName {
    type Error = Failure;

    fn try_from(text: String) -> Result<LocalName, Failure> {
        LocalName::parse(&text, PathRules::Unix).or_else(|_| LocalName::parse(&text, PathRules::Windows))
    }
}

impl From<LocalName> for String {
    fn from(name: LocalName) -> String {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, rules: PathRules) -> String {
        let failure = LocalName::parse(text, rules).unwrap_err();
        assert_eq!(failure.code, Code::E_INVALIDARG, "{text}");
        failure.sentence
    }

    #[test]
    fn an_absolute_unix_path_of_a_file_is_accepted() {
        for text in ["/a", "/srv/with space/ä*?.iso", "//a//b", "/a/./b", "/a/..b"] {
            assert_eq!(LocalName::parse(text, PathRules::Unix).unwrap().as_str(), text);
        }
    }

    #[test]
    fn a_unix_path_that_cannot_name_a_file_is_refused() {
        for (text, word) in [
            ("", "absolute"),
            ("a/b", "absolute"),
            (r"C:\a", "absolute"),
            ("/", "directory"),
            ("/a/", "directory"),
            ("/a/.", "directory"),
            ("/a/../b", ".."),
            ("/a\0b", "NUL"),
        ] {
            assert!(refused(text, PathRules::Unix).contains(word), "{text}");
        }
    }

    #[test]
    fn a_unix_path_is_limited_like_the_system_limits_it() {
        let name = "n".repeat(255);
        assert!(LocalName::parse(&format!("/{name}"), PathRules::Unix).is_ok());
        assert!(refused(&format!("/{name}n"), PathRules::Unix).contains("255"));
        let path = "/d".repeat(2047);
        assert!(LocalName::parse(&format!("{path}x"), PathRules::Unix).is_ok());
        assert!(refused(&format!("{path}xx"), PathRules::Unix).contains("4095"));
    }

    #[test]
    fn a_windows_path_is_a_drive_or_a_share() {
        for text in [r"C:\a", r"c:/dir/file.iso", r"\\server\share\file"] {
            assert!(LocalName::parse(text, PathRules::Windows).is_ok(), "{text}");
        }
        for text in [
            "",
            "a",
            r"\a",
            "C:a",
            "/a",
            r"C:\",
            r"C:\a\",
            r"C:\a\..\b",
            r"C:\a*",
            r"C:\a:stream",
            r"\\?\C:\a",
            r"\\.\pipe\a",
            r"\\server",
            r"\\server\share",
            r"\\server\share\",
        ] {
            refused(text, PathRules::Windows);
        }
        let longest = format!(r"C:\{}", "x".repeat(257));
        assert!(LocalName::parse(&longest, PathRules::Windows).is_ok());
        assert!(refused(&format!("{longest}x"), PathRules::Windows).contains("260"));
    }
}
