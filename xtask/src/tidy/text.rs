//! Rules about the text of one file.

use super::{Finding, Source};

/// A file is one idea; one of this length hides several.
const MAX_LINES: usize = 700;

/// A crate's opening words have to say something. `//! x` does not.
const MIN_OPENING_CHARS: usize = 80;

/// Paths that exist on someone's machine and nowhere else. Cut in two, so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 2] = [concat!("/ro", "ot/"), concat!("/wo", "rk/")];

/// A test that is not run proves nothing and is believed all the same.
const IGNORED: [&str; 2] = [concat!("#[ig", "nore]"), concat!("#[ig", "nore =")];

/// Files that programs write: their form is not ours.
const GENERATED: [&str; 1] = ["Cargo.lock"];

pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for source in sources.iter().filter(|source| !GENERATED.contains(&source.path.as_str())) {
        each_line(source, &mut findings);
        if source.path.ends_with(".rs") {
            rust(source, &mut findings);
        }
    }
    findings
}

fn each_line(source: &Source, findings: &mut Vec<Finding>) {
    for (index, line) in source.text.lines().enumerate() {
        if line.ends_with([' ', '\t']) {
            findings.push(Finding::at(&source.path, index + 1, "trailing whitespace"));
        }
        if let Some(path) = MACHINE_PATHS.iter().find(|path| names_machine_path(line, path)) {
            findings.push(Finding::at(&source.path, index + 1, format!("a path of one machine: {path}")));
        }
    }
    if !source.text.is_empty() && !source.text.ends_with('\n') {
        findings.push(Finding::in_file(&source.path, "no newline at the end"));
    }
}

/// Whether the path starts here, and is not the middle of a longer one (`https://example.org` + path, say).
fn names_machine_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '*' | ')'))
    })
}

fn rust(source: &Source, findings: &mut Vec<Finding>) {
    let lines = source.text.lines().count();
    if lines > MAX_LINES {
        let what = format!("{lines} lines; at {MAX_LINES} look for the second idea");
        findings.push(Finding::in_file(&source.path, what));
    }
    for (index, line) in source.text.lines().enumerate() {
        if IGNORED.iter().any(|attribute| line.contains(attribute)) {
            findings.push(Finding::at(&source.path, index + 1, "an ignored test"));
        }
    }
    if opens_a_crate(&source.path) && opening(&source.text) < MIN_OPENING_CHARS {
        let what =
            "a crate opens with a //! paragraph: what it is, what it must never know, where to start reading";
        findings.push(Finding::in_file(&source.path, what));
    }
}

fn opens_a_crate(path: &str) -> bool {
    path.ends_with("src/lib.rs") || path.ends_with("src/main.rs")
}

/// Characters of the `//!` lines that the text begins with.
fn opening(text: &str) -> usize {
    text.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.trim().chars().count()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        check(&[Source { path: path.to_owned(), text: text.to_owned() }]).iter().map(Finding::shown).collect()
    }

    #[test]
    fn a_clean_file_is_not_reported() {
        assert!(found("a/b.rs", "fn main() {}\n").is_empty());
    }

    #[test]
    fn trailing_whitespace_is_reported_with_its_line() {
        assert_eq!(found("README.md", "good\nbad \n"), ["README.md:2: trailing whitespace"]);
    }

    #[test]
    fn a_machine_path_is_reported_but_not_a_longer_path_that_contains_it() {
        assert_eq!(found("a.md", concat!("see /wo", "rk/x\n")).len(), 1);
        assert_eq!(found("a.md", concat!("see https://example.org/wo", "rk/x\n")).len(), 0);
    }

    #[test]
    fn a_file_may_have_the_limit_of_lines_and_not_one_more() {
        assert!(found("a.rs", &"\n".repeat(MAX_LINES)).is_empty());
        assert_eq!(found("a.rs", &"\n".repeat(MAX_LINES + 1)).len(), 1);
    }

    #[test]
    fn an_ignored_test_is_reported() {
        assert_eq!(found("a.rs", concat!("#[ig", "nore = \"slow\"]\n")).len(), 1);
    }

    #[test]
    fn a_crate_without_an_opening_paragraph_is_reported() {
        assert_eq!(found("crates/x/src/lib.rs", "//! x\npub mod a;\n").len(), 1);
        let long = format!("//! {}\n", "word ".repeat(30).trim());
        assert!(found("crates/x/src/lib.rs", &long).is_empty());
        assert!(found("crates/x/src/other.rs", "//! x\n").is_empty());
    }
}
