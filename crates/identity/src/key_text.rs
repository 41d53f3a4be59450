//! The text form of a group's key: a prefix with a version, 64 hex digits of key, 8 hex digits that catch a typing error.

use zeroize::Zeroizing;

use crate::GroupError;

const PREFIX: &str = "dray-group-1:";
const KEY_LEN: usize = 32;
const CHECK_LEN: usize = 4;
const CHECK_CONTEXT: &str = "dray 2026-11 group key check digits";

pub(crate) fn generate() -> Zeroizing<String> {
    // The key library's generator is the system's; a fresh ed25519 secret is 32 random bytes.
    let secret = libp2p_identity::ed25519::SecretKey::generate();
    let mut key = Zeroizing::new([0; KEY_LEN]);
    key.copy_from_slice(secret.as_ref());
    write(&key)
}

pub(crate) fn write(key: &[u8; KEY_LEN]) -> Zeroizing<String> {
    use std::fmt::Write as _;
    let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + 2 * (KEY_LEN + CHECK_LEN)));
    text.push_str(PREFIX);
    for byte in key.iter().chain(&check(key)) {
        write!(text, "{byte:02x}").expect("a string takes all text");
    }
    text
}

pub(crate) fn parse(text: &str) -> Result<Zeroizing<[u8; KEY_LEN]>, GroupError> {
    let digits = text.trim().strip_prefix(PREFIX).ok_or(GroupError::Form)?.as_bytes();
    if digits.len() != 2 * (KEY_LEN + CHECK_LEN) {
        return Err(GroupError::Form);
    }
    let mut bytes = Zeroizing::new([0; KEY_LEN + CHECK_LEN]);
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
        let value = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
        *byte =
            value(pair[0]).zip(value(pair[1])).map(|(high, low)| high << 4 | low).ok_or(GroupError::Form)?;
    }
    let mut key = Zeroizing::new([0; KEY_LEN]);
    key.copy_from_slice(&bytes[..KEY_LEN]);
    if bytes[KEY_LEN..] != check(&key) {
        return Err(GroupError::Check);
    }
    Ok(key)
}

fn check(key: &[u8; KEY_LEN]) -> [u8; CHECK_LEN] {
    let whole = blake3::derive_key(CHECK_CONTEXT, key);
    [whole[0], whole[1], whole[2], whole[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_as_it_is_written_in_either_case_and_with_space_around() {
        let text = generate();
        let key = parse(&text).unwrap();
        assert_eq!(write(&key), text);
        let loud = format!("  {PREFIX}{}\n", text[PREFIX.len()..].to_uppercase());
        assert_eq!(parse(&loud).unwrap(), key);
        assert_ne!(generate(), text);
    }

    #[test]
    fn each_wrong_digit_is_noticed() {
        let text = generate();
        for at in PREFIX.len()..text.len() {
            let mut wrong = text.to_string().into_bytes();
            wrong[at] = if wrong[at] == b'0' { b'1' } else { b'0' };
            let wrong = String::from_utf8(wrong).unwrap();
            assert_eq!(parse(&wrong).unwrap_err(), GroupError::Check, "digit {at}");
        }
        for form in ["", "dray-group-1:", &text[..text.len() - 1], &text[1..], &text.replace(':', ":é")] {
            assert_eq!(parse(form).unwrap_err(), GroupError::Form);
        }
    }
}
