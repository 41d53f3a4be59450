//! Text that comes from a client, checked once at the border (reference 1.5, 3.1, 3.2).

mod local;
mod remote;

pub use local::{LocalName, PathRules};
pub use remote::RemoteName;

use crate::limits::{MAX_DESCRIPTION, MAX_DISPLAY_NAME};
use crate::{Code, Failure};

/// Checks a display name: at most 256 characters. An empty one is accepted.
pub(crate) fn check_display_name(text: &str) -> Result<(), Failure> {
    check_text("display name", text, MAX_DISPLAY_NAME)
}

/// Checks a description: at most 1,024 characters.
pub(crate) fn check_description(text: &str) -> Result<(), Failure> {
    check_text("description", text, MAX_DESCRIPTION)
}

fn check_text(what: &str, text: &str, limit: usize) -> Result<(), Failure> {
    let length = text.chars().count();
    if length > limit {
        let sentence = format!("The {what} has {length} characters; shorten it to {limit}.");
        return Err(Failure::new(Code::BG_E_STRING_TOO_LONG, sentence));
    }
    if text.contains('\0') {
        return Err(Failure::new(Code::E_INVALIDARG, format!("The {what} contains a NUL; remove it.")));
    }
    Ok(())
}

/// The start of `text`, for a sentence: short, on one line.
pub(crate) fn excerpt(text: &str) -> String {
    const LONGEST: usize = 80;
    let mut short: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push_str("...");
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_display_name_of_256_characters_is_the_longest() {
        assert_eq!(check_display_name(""), Ok(()));
        assert_eq!(check_display_name(&"ä".repeat(256)), Ok(()));
        let failure = check_display_name(&"ä".repeat(257)).unwrap_err();
        assert_eq!(failure.code, Code::BG_E_STRING_TOO_LONG);
        assert!(failure.sentence.contains("257"), "{failure}");
    }

    #[test]
    fn a_description_of_1024_characters_is_the_longest() {
        assert_eq!(check_description(&"x".repeat(1024)), Ok(()));
        assert_eq!(check_description(&"x".repeat(1025)).unwrap_err().code, Code::BG_E_STRING_TOO_LONG);
        assert_eq!(check_description("a\0b").unwrap_err().code, Code::E_INVALIDARG);
    }
}
