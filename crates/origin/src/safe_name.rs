//! File names that an origin or a URL proposes, made harmless.

use std::fmt;

use url::Url;

use crate::percent;

/// What the common file systems allow, in bytes.
const MAX_BYTES: usize = 255;
/// An extension up to this many bytes survives when a name is shortened.
const MAX_EXTENSION: usize = 32;

/// A name that can be used for a file in a directory without leaving it, hiding there, or meaning a device.
///
/// Unsafe proposals are mended rather than refused, because a slash in a name is more often an old server than an attack:
/// - only what follows the last slash or backslash counts (RFC 6266, 4.3);
/// - control characters, and the invisible ones that turn the direction of text around, become `_`;
/// - white space at both ends, dots at both ends go (so never `.`, `..`, nor a hidden file);
/// - on Windows `<>:"|?*` become `_`, and a device name (`nul.txt`) gets a `_` in front;
/// - at most 255 bytes, the extension kept.
///
/// When nothing is left, there is no name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SafeName(String);

impl SafeName {
    /// Makes a proposal harmless by the rules of this system.
    #[must_use]
    pub fn mend(proposed: &str) -> Option<Self> {
        Self::mend_for(proposed, cfg!(windows))
    }

    /// The last segment of the URL's path. Take the URL that the user gave, not where a redirect led to.
    #[must_use]
    pub fn from_url(url: &Url) -> Option<Self> {
        let segment = url.path_segments()?.next_back()?;
        match String::from_utf8(percent::decode(segment)) {
            Ok(decoded) => Self::mend(&decoded),
            Err(_) => Self::mend(segment),
        }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn mend_for(proposed: &str, windows: bool) -> Option<Self> {
        let last = proposed.rsplit(['/', '\\']).next()?;
        let visible: String = last.chars().map(|c| if is_harmful(c, windows) { '_' } else { c }).collect();
        let is_edge = |c: char| c == '.' || c.is_whitespace();
        let trimmed = visible.trim_matches(is_edge);
        let named = if windows && is_device(trimmed) { format!("_{trimmed}") } else { trimmed.to_owned() };
        let short = shorten(&named).trim_end_matches(is_edge).to_owned();
        (!short.is_empty()).then_some(Self(short))
    }
}

impl fmt::Display for SafeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for SafeName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl AsRef<std::path::Path> for SafeName {
    fn as_ref(&self) -> &std::path::Path {
        self.0.as_ref()
    }
}

fn is_harmful(c: char, windows: bool) -> bool {
    let invisible = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    c.is_control() || invisible || (windows && matches!(c, '<' | '>' | ':' | '"' | '|' | '?' | '*'))
}

/// Windows takes these for devices in any directory, with any extension and trailing spaces.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or("").trim_end().to_uppercase();
    if matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$") {
        return true;
    }
    let number = stem.strip_prefix("COM").or_else(|| stem.strip_prefix("LPT"));
    number.is_some_and(|number| {
        let mut digits = number.chars();
        matches!((digits.next(), digits.next()), (Some('1'..='9' | '¹' | '²' | '³'), None))
    })
}

fn shorten(name: &str) -> String {
    if name.len() <= MAX_BYTES {
        return name.to_owned();
    }
    let extension = name.rfind('.').map_or("", |at| &name[at..]);
    let extension = if extension.len() <= MAX_EXTENSION { extension } else { "" };
    let mut end = MAX_BYTES - extension.len();
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{extension}", &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(windows: bool, proposed: &str) -> Option<String> {
        SafeName::mend_for(proposed, windows).map(|name| name.0)
    }

    fn unix(proposed: &str) -> Option<String> {
        on(false, proposed)
    }

    #[test]
    fn an_ordinary_name_is_kept() {
        for name in ["file.tar.gz", "Größe 1.txt", "a_1:2.3~rc1_amd64.deb", "-x", "aux.c", "日本"] {
            assert_eq!(unix(name).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_path_is_reduced_to_its_last_part() {
        assert_eq!(unix("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(unix("/etc/shadow").as_deref(), Some("shadow"));
        assert_eq!(unix("C:\\windows\\win.ini").as_deref(), Some("win.ini"));
        assert_eq!(unix("a/..\\b").as_deref(), Some("b"));
    }

    #[test]
    fn what_names_no_file_is_no_name() {
        for name in ["", ".", "..", "...", "a/", "a/..", "..\\", " ", ". .", "/"] {
            assert_eq!(unix(name), None, "{name:?}");
        }
    }

    #[test]
    fn no_name_is_hidden_or_ends_in_a_dot_or_space() {
        assert_eq!(unix(".bashrc").as_deref(), Some("bashrc"));
        assert_eq!(unix(" . .profile ").as_deref(), Some("profile"));
        assert_eq!(unix("setup.exe. ").as_deref(), Some("setup.exe"));
    }

    #[test]
    fn control_and_direction_characters_are_replaced() {
        assert_eq!(unix("a\0b\nc\u{7f}").as_deref(), Some("a_b_c_"));
        assert_eq!(unix("photo\u{202e}gpj.exe").as_deref(), Some("photo_gpj.exe"));
        assert_eq!(unix("\u{1b}[31mred").as_deref(), Some("_[31mred"));
    }

    #[test]
    fn windows_devices_and_streams_are_defused() {
        assert_eq!(on(true, "nul").as_deref(), Some("_nul"));
        assert_eq!(on(true, "Com1.tar.gz").as_deref(), Some("_Com1.tar.gz"));
        assert_eq!(on(true, "LPT².txt").as_deref(), Some("_LPT².txt"));
        assert_eq!(on(true, "com10").as_deref(), Some("com10"));
        assert_eq!(on(true, "file.txt:stream").as_deref(), Some("file.txt_stream"));
        assert_eq!(on(true, "a<b>|?*\".txt").as_deref(), Some("a_b_____.txt"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_keeps_its_extension() {
        let name = unix(&format!("{}.tar.xz", "é".repeat(300))).unwrap();
        assert!(name.len() <= MAX_BYTES && name.ends_with("é.xz"), "{name}");
        assert_eq!(unix(&"x".repeat(255)).unwrap().len(), 255);
        assert_eq!(unix(&"x".repeat(256)).unwrap().len(), 255);
        assert_eq!(unix(&format!("a.{}", "x".repeat(400))).unwrap().len(), 255);
    }

    #[test]
    fn a_url_gives_its_last_segment_decoded() {
        let name = |url: &str| SafeName::from_url(&Url::parse(url).unwrap()).map(|name| name.0);
        assert_eq!(name("http://h/a/b.txt?q=/x").as_deref(), Some("b.txt"));
        assert_eq!(name("http://h/a%20b").as_deref(), Some("a b"));
        assert_eq!(name("http://h/%2e%2e%2fetc%2Fpasswd").as_deref(), Some("passwd"));
        assert_eq!(name("http://h/x%00y").as_deref(), Some("x_y"));
        assert_eq!(name("http://h/%FF").as_deref(), Some("%FF"));
        assert_eq!(name("http://h/"), None);
        assert_eq!(name("http://h"), None);
        assert_eq!(name("http://h/dir/"), None);
    }
}
