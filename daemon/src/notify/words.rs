//! A command line as words, without a shell: nothing is expanded, and only blanks and double quotes mean something.

/// The words of a line. Quotes hold blanks together and vanish; `\"` is a quote.
pub(super) fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quoted = false;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if letters.peek() == Some(&'"') => {
                word.get_or_insert_default().push('"');
                letters.next();
            }
            blank if blank.is_whitespace() && !quoted => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_part_words_and_quotes_hold_them_together() {
        for (line, expected) in [
            ("", vec![]),
            ("  /bin/a  b\tc ", vec!["/bin/a", "b", "c"]),
            (r#""/my bin/a" "b  c" d"e f"g"#, vec!["/my bin/a", "b  c", "de fg"]),
            (r#"a "" "open"#, vec!["a", "", "open"]),
            (r#"a \"b\" c\d"#, vec!["a", "\"b\"", r"c\d"]),
            ("a $HOME `b` ; c | d *", vec!["a", "$HOME", "`b`", ";", "c", "|", "d", "*"]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
