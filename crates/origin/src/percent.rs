//! Percent decoding, as URLs and RFC 8187 have it.

/// Decodes `%XX`; a percent sign that is not followed by two hex digits stands for itself.
pub(crate) fn decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| Some((hex(bytes.get(at + 1))?, hex(bytes.get(at + 2))?)));
        if let Some(Some((high, low))) = pair {
            decoded.push(high << 4 | low);
            at += 3;
        } else {
            decoded.push(bytes[at]);
            at += 1;
        }
    }
    decoded
}

fn hex(digit: Option<&u8>) -> Option<u8> {
    match *digit? {
        digit @ b'0'..=b'9' => Some(digit - b'0'),
        digit @ b'a'..=b'f' => Some(digit - b'a' + 10),
        digit @ b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_decoded_and_stray_percent_signs_are_kept() {
        assert_eq!(decode("a%20b%2fc%2F"), b"a b/c/");
        assert_eq!(decode("100%"), b"100%");
        assert_eq!(decode("%4"), b"%4");
        assert_eq!(decode("%zz%00"), b"%zz\0");
        assert_eq!(decode("%C3%a9"), "é".as_bytes());
    }
}
