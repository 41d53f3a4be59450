//! The file name in `Content-Disposition` (RFC 6266, with RFC 8187 for `filename*`).

use crate::percent;
use crate::safe_name::SafeName;

/// Parameters beyond this many are not looked at.
const MAX_PARAMETERS: usize = 16;

/// The name that a `Content-Disposition` value proposes: `filename*` before `filename`, wherever they stand.
///
/// The disposition type does not matter to a downloader, and a value without one is read as well. Bytes that are not UTF-8
/// are read as Latin-1, which is what the servers that send them mean.
pub(crate) fn file_name(value: &[u8]) -> Option<SafeName> {
    let text = std::str::from_utf8(value).map_or_else(|_| latin1(value), str::to_owned);
    let parameters = parameters(&text);
    let first =
        |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let extended = first("filename*").and_then(extended).and_then(|name| SafeName::mend(&name));
    extended.or_else(|| first("filename").and_then(SafeName::mend))
}

/// The parameters behind the type, names in lower case, quoted strings unquoted.
fn parameters(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while !rest.is_empty() && found.len() < MAX_PARAMETERS {
        let (name, after) = match rest.find(['=', ';']) {
            Some(at) if rest[at..].starts_with('=') => (&rest[..at], &rest[at + 1..]),
            // The type, or a parameter without a value.
            Some(at) => {
                rest = &rest[at + 1..];
                continue;
            }
            None => break,
        };
        let after = after.trim_start();
        let value;
        (value, rest) =
            if let Some(quoted) = after.strip_prefix('"') { unquote(quoted) } else { plain(after) };
        found.push((name.trim().to_ascii_lowercase(), value));
    }
    found
}

/// A quoted string from behind its opening quote, and what follows the next semicolon.
fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, text[at + 1..].split_once(';').map_or("", |(_, rest)| rest)),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            c => value.push(c),
        }
    }
    (value, "")
}

fn plain(text: &str) -> (String, &str) {
    let (value, rest) = text.split_once(';').unwrap_or((text, ""));
    (value.trim().to_owned(), rest)
}

/// `charset'language'percent-encoded`; only the two charsets that RFC 8187 and its ancestor require.
fn extended(value: &str) -> Option<String> {
    let mut parts = value.splitn(3, '\'');
    let (charset, _language, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = percent::decode(encoded);
    match charset.to_ascii_lowercase().as_str() {
        "utf-8" => String::from_utf8(bytes).ok(),
        "iso-8859-1" => Some(latin1(&bytes)),
        _ => None,
    }
}

fn latin1(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(value: &str) -> Option<String> {
        file_name(value.as_bytes()).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn plain_and_quoted_names_are_read() {
        assert_eq!(name("attachment; filename=a.txt").as_deref(), Some("a.txt"));
        assert_eq!(name("Attachment; FILENAME = \"a b.txt\" ; x=y").as_deref(), Some("a b.txt"));
        assert_eq!(name("inline;filename=\"a;b.txt\"").as_deref(), Some("a;b.txt"));
        assert_eq!(name("filename=a.txt").as_deref(), Some("a.txt"));
        assert_eq!(name("attachment; x=\"filename=no\"; filename=yes").as_deref(), Some("yes"));
    }

    #[test]
    fn quoted_pairs_are_unquoted() {
        assert_eq!(name(r#"attachment; filename="a\;b\c""#).as_deref(), Some("a;bc"));
        assert_eq!(name(r#"attachment; filename="..\\..\\a""#).as_deref(), Some("a"));
    }

    #[test]
    fn the_extended_name_wins_wherever_it_stands() {
        let value = "attachment; filename*=UTF-8'en'%e2%82%ac%20rates; filename=\"EURO rates\"";
        assert_eq!(name(value).as_deref(), Some("€ rates"));
        assert_eq!(name("attachment; filename=x; filename*=iso-8859-1''%A3").as_deref(), Some("£"));
    }

    #[test]
    fn a_broken_extended_name_falls_back() {
        for broken in ["utf-8''%ff", "koi8-r''x", "nothing", "utf-8''", "utf-8''%2e%2e"] {
            assert_eq!(
                name(&format!("attachment; filename*={broken}; filename=x")).as_deref(),
                Some("x"),
                "{broken}"
            );
        }
    }

    #[test]
    fn hostile_names_never_leave_the_directory() {
        assert_eq!(name("attachment; filename=\"../../../etc/cron.d/x\"").as_deref(), Some("x"));
        assert_eq!(name("attachment; filename*=utf-8''..%2f..%2Fx%00y").as_deref(), Some("x_y"));
        assert_eq!(name("attachment; filename=\"..\""), None);
        assert_eq!(name("attachment; filename=\"a\\"), Some("a".into()));
    }

    #[test]
    fn no_name_is_no_name() {
        for value in
            ["", "attachment", "attachment;", "inline; filename", "inline; filename=", ";;;==", "=", "\""]
        {
            assert_eq!(name(value), None, "{value:?}");
        }
    }

    #[test]
    fn raw_utf8_and_raw_latin1_are_both_understood() {
        assert_eq!(name("attachment; filename=\"é\"").as_deref(), Some("é"));
        let latin1 = file_name(b"attachment; filename=\"\xe9\"").unwrap();
        assert_eq!(latin1.as_str(), "é");
    }

    #[test]
    fn parameters_beyond_the_limit_are_not_read() {
        let many = "x=1;".repeat(MAX_PARAMETERS);
        assert_eq!(name(&format!("attachment;{many}filename=a")), None);
        let fewer = "x=1;".repeat(MAX_PARAMETERS - 1);
        assert_eq!(name(&format!("attachment;{fewer}filename=a")).as_deref(), Some("a"));
    }
}
