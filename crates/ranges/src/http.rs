//! How HTTP writes ranges: `Range` as we send it, `Content-Range` as servers answer (RFC 9110, 14).

use crate::ByteRange;

/// Digits of the largest number of 64 bits; more than that is padding or an overflow, and neither is honest.
const MAX_DIGITS: usize = 20;

/// The value of a `Range` header: from the byte `first` up to but not including `end`, or to the end of the
/// file. An `end` at or before `first` asks for the byte `first` alone, because HTTP cannot ask for nothing.
pub fn http_range(first: u64, end: Option<u64>) -> String {
    match end {
        Some(end) => format!("bytes={first}-{}", end.saturating_sub(1).max(first)),
        None => format!("bytes={first}-"),
    }
}

/// What a `Content-Range` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentRange {
    /// The bytes that follow; `None` in a 416, which has none (`bytes */1234`).
    pub range: Option<ByteRange>,
    /// Size of the whole file in bytes; `None` when the server does not know it (`*`).
    pub complete: Option<u64>,
}

impl ContentRange {
    /// Reads the header's value. Anything that is not exactly the grammar is refused, and so is what the grammar
    /// allows but no true answer says: a last byte before the first, a last byte at or beyond the size, a number
    /// that overflows, another unit than bytes. A `None` is to be treated as a broken answer, never as "no header".
    pub fn parse(value: &str) -> Option<Self> {
        let (unit, rest) = value.trim_matches([' ', '\t']).split_once(' ')?;
        if !unit.eq_ignore_ascii_case("bytes") {
            return None;
        }
        let (range, complete) = rest.split_once('/')?;
        let complete = match complete {
            "*" => None,
            size => Some(number(size)?),
        };
        if range == "*" {
            // `*/*` says nothing at all.
            return complete.map(|size| Self { range: None, complete: Some(size) });
        }
        let (first, last) = range.split_once('-')?;
        let range = ByteRange::new(number(first)?, number(last)?.checked_add(1)?)?;
        let fits = complete.is_none_or(|size| range.end() <= size);
        fits.then_some(Self { range: Some(range), complete })
    }
}

/// Decimal digits only: `u64::from_str` would take a plus sign as well.
pub(crate) fn number(text: &str) -> Option<u64> {
    let digits = (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Pair = (u64, u64);

    fn parse(text: &str) -> Option<(Option<Pair>, Option<u64>)> {
        ContentRange::parse(text).map(|c| (c.range.map(Into::into), c.complete))
    }

    #[test]
    fn a_request_names_its_last_byte() {
        assert_eq!(http_range(0, Some(100)), "bytes=0-99");
        assert_eq!(http_range(5, None), "bytes=5-");
        assert_eq!(http_range(7, Some(7)), "bytes=7-7");
    }

    #[test]
    fn the_three_forms_are_read() {
        assert_eq!(parse("bytes 0-99/200"), Some((Some((0, 100)), Some(200))));
        assert_eq!(parse("bytes 100-199/200"), Some((Some((100, 200)), Some(200))));
        assert_eq!(parse("bytes 0-99/*"), Some((Some((0, 100)), None)));
        assert_eq!(parse("bytes */200"), Some((None, Some(200))));
        assert_eq!(parse("Bytes 0-0/1"), Some((Some((0, 1)), Some(1))));
        assert_eq!(parse(" bytes 0-0/1\t"), Some((Some((0, 1)), Some(1))));
    }

    #[test]
    fn answers_that_cannot_be_true_are_refused() {
        for text in [
            "bytes 99-0/200",
            "bytes 0-200/200",
            "bytes 0-0/0",
            "bytes 0-18446744073709551615/*",
            "bytes 0-18446744073709551616/*",
            "bytes 0-99/18446744073709551616",
            "bytes */*",
            "bytes 0-99",
            "bytes -99/200",
            "bytes 0-/200",
            "bytes 0-99/",
            "bytes 0-99/200/300",
            "bytes 0-9-99/200",
            "bytes 0-99,100-199/200",
            "bytes  0-99/200",
            "bytes 0 -99/200",
            "bytes +0-99/200",
            "bytes 0-+99/200",
            "bytes 000000000000000000000-99/200",
            "bytes=0-99/200",
            "bytes:0-99/200",
            "items 0-99/200",
            "0-99/200",
            "bytes \u{661}-99/200",
            "",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic_or_lie(text in "(bytes |)[0-9*/ -]{0,48}") {
            if let Some(ContentRange { range: Some(range), complete: Some(size) }) = ContentRange::parse(&text) {
                prop_assert!(range.end() <= size);
            }
        }

        #[test]
        fn what_an_honest_server_writes_is_read(first: u64, last: u64, size: u64) {
            let read = ContentRange::parse(&format!("bytes {first}-{last}/{size}"));
            prop_assert_eq!(read.is_some(), first <= last && last < size);
            if let Some(read) = read {
                prop_assert_eq!(read.range.map(|r| (r.start(), r.last())), Some((first, last)));
                prop_assert_eq!(read.complete, Some(size));
            }
        }
    }
}
