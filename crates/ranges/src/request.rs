//! The ranges of a file that a caller may ask for: `BG_FILE_RANGE` and its rules (BITS reference, 8.1).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::ByteRange;

/// One range of a remote file, as a caller asks for it. A value of this type need not be valid:
/// [`check_request`] looks at the whole list. One that comes out of a stored record is valid by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Form", into = "Form")]
pub struct RangeSpec {
    /// Offset of the first byte in the remote file.
    pub offset: u64,
    /// Number of bytes; `None` is to the end of the file.
    pub length: Option<u64>,
}

/// What is wrong with the ranges that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// An empty list.
    #[error("at least one range is needed")]
    Empty,
    /// A length of zero.
    #[error("the range at offset {offset} has length 0; ask for at least one byte")]
    ZeroLength {
        /// Where the range starts.
        offset: u64,
    },
    /// A start of `u64::MAX`, which is no offset.
    #[error("a range cannot start at offset {}", u64::MAX)]
    BadStart,
    /// Offset and length together are not a number of 64 bits.
    #[error("the range at offset {offset} is longer than any file")]
    TooLong {
        /// Where the range starts.
        offset: u64,
    },
    /// Two ranges share a byte.
    #[error("the ranges at offsets {first} and {second} overlap")]
    Overlap {
        /// Where the earlier one starts.
        first: u64,
        /// Where the later one starts.
        second: u64,
    },
    /// A range needs bytes that the file, now that its size is known, does not have.
    #[error("the range {spec} reaches beyond the end of the file, which has {size} bytes")]
    BeyondEnd {
        /// The range.
        spec: RangeSpec,
        /// Size of the remote file in bytes.
        size: u64,
    },
    /// Text that is not `FIRST-LAST` or `FIRST-`.
    #[error("{text:?} is not a range; write FIRST-LAST or FIRST-, counting bytes from 0")]
    Syntax {
        /// What was written.
        text: String,
    },
}

impl RangeSpec {
    /// The length with which BITS writes "to the end of the file" (`BG_LENGTH_TO_EOF`).
    pub const LENGTH_TO_EOF: u64 = u64::MAX;

    /// From the two numbers of a `BG_FILE_RANGE`.
    pub const fn from_bits(offset: u64, length: u64) -> Self {
        let length = if length == Self::LENGTH_TO_EOF { None } else { Some(length) };
        Self { offset, length }
    }

    /// The length as BITS writes it.
    pub fn bits_length(self) -> u64 {
        self.length.unwrap_or(Self::LENGTH_TO_EOF)
    }

    /// Whether this range, looked at alone, could be asked for.
    fn check(self) -> Result<(), RangeError> {
        let offset = self.offset;
        match self.length {
            _ if offset == u64::MAX => Err(RangeError::BadStart),
            Some(0) => Err(RangeError::ZeroLength { offset }),
            Some(length) if offset.checked_add(length).is_none() => Err(RangeError::TooLong { offset }),
            _ => Ok(()),
        }
    }

    /// The bytes this is in a file of `size` bytes. A range of no byte is beyond the end as well: a server
    /// could only answer it with 416.
    pub(crate) fn resolve(self, size: u64) -> Result<ByteRange, RangeError> {
        let range = match self.length {
            Some(length) => ByteRange::with_len(self.offset, length),
            None => ByteRange::new(self.offset, size),
        };
        range.filter(|r| r.end() <= size).ok_or(RangeError::BeyondEnd { spec: self, size })
    }
}

/// Whether `specs` may be asked for together, in any order (BITS reference, 8.1): at least one, none empty, no
/// two that share a byte. Touching ranges are fine. A range to the end may stand anywhere in the list, but
/// every other one must lie wholly before it, so there can be only one.
pub fn check_request(specs: &[RangeSpec]) -> Result<(), RangeError> {
    if specs.is_empty() {
        return Err(RangeError::Empty);
    }
    specs.iter().try_for_each(|spec| spec.check())?;
    let mut sorted = specs.to_vec();
    sorted.sort_unstable_by_key(|spec| spec.offset);
    for pair in sorted.windows(2) {
        let (first, second) = (pair[0], pair[1]);
        let apart = first.length.is_some_and(|length| first.offset + length <= second.offset);
        if !apart {
            return Err(RangeError::Overlap { first: first.offset, second: second.offset });
        }
    }
    Ok(())
}

/// As the command line takes it: `100-199` or `100-`.
impl fmt::Display for RangeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.length.and_then(|length| ByteRange::with_len(self.offset, length)) {
            Some(range) => range.fmt(f),
            None => write!(f, "{}-", self.offset),
        }
    }
}

/// `FIRST-LAST`, both included, or `FIRST-` for everything from there on.
impl FromStr for RangeSpec {
    type Err = RangeError;

    fn from_str(text: &str) -> Result<Self, RangeError> {
        let syntax = || RangeError::Syntax { text: text.chars().take(64).collect() };
        let (first, last) = text.split_once('-').ok_or_else(syntax)?;
        let offset = crate::http::number(first).ok_or_else(syntax)?;
        let spec = if last.is_empty() {
            Self { offset, length: None }
        } else {
            let last = crate::http::number(last).ok_or_else(syntax)?;
            let length = last.checked_sub(offset).and_then(|less_one| less_one.checked_add(1));
            Self { offset, length: Some(length.ok_or_else(syntax)?) }
        };
        spec.check().map(|()| spec)
    }
}

/// How a [`RangeSpec`] is stored.
#[derive(Serialize, Deserialize)]
#[serde(rename = "RangeSpec")]
struct Form {
    offset: u64,
    length: Option<u64>,
}

impl From<RangeSpec> for Form {
    fn from(RangeSpec { offset, length }: RangeSpec) -> Self {
        Self { offset, length }
    }
}

impl TryFrom<Form> for RangeSpec {
    type Error = RangeError;

    fn try_from(Form { offset, length }: Form) -> Result<Self, RangeError> {
        let spec = Self { offset, length };
        spec.check().map(|()| spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(specs: &[(u64, u64)]) -> Result<(), RangeError> {
        let specs: Vec<_> =
            specs.iter().map(|&(offset, length)| RangeSpec::from_bits(offset, length)).collect();
        check_request(&specs)
    }

    const EOF: u64 = RangeSpec::LENGTH_TO_EOF;

    #[test]
    fn an_empty_list_an_empty_range_and_the_last_offset_are_refused() {
        assert_eq!(check(&[]), Err(RangeError::Empty));
        assert_eq!(check(&[(7, 0)]), Err(RangeError::ZeroLength { offset: 7 }));
        assert_eq!(check(&[(u64::MAX, EOF)]), Err(RangeError::BadStart));
        assert_eq!(check(&[(u64::MAX, 1)]), Err(RangeError::BadStart));
        assert_eq!(check(&[(2, u64::MAX - 1)]), Err(RangeError::TooLong { offset: 2 }));
        assert_eq!(check(&[(u64::MAX - 1, 1)]), Ok(()));
    }

    #[test]
    fn any_order_and_touching_ranges_are_fine() {
        assert_eq!(check(&[(100, 100), (900, 100), (400, 100), (200, 200)]), Ok(()));
    }

    #[test]
    fn the_same_offset_is_an_overlap_whatever_the_lengths() {
        assert_eq!(check(&[(100, 5), (100, 2)]), Err(RangeError::Overlap { first: 100, second: 100 }));
        assert_eq!(check(&[(100, 2), (100, 5)]), Err(RangeError::Overlap { first: 100, second: 100 }));
        assert_eq!(check(&[(50, 51), (100, 5)]), Err(RangeError::Overlap { first: 50, second: 100 }));
    }

    #[test]
    fn a_range_to_the_end_may_stand_anywhere_if_the_others_lie_before_it() {
        assert_eq!(check(&[(24, 17), (111, EOF), (83, 7)]), Ok(()));
        assert!(check(&[(24, 17), (111, EOF), (111, 1)]).is_err());
        assert_eq!(check(&[(111, EOF), (200, 1)]), Err(RangeError::Overlap { first: 111, second: 200 }));
        assert_eq!(check(&[(111, EOF), (200, EOF)]), Err(RangeError::Overlap { first: 111, second: 200 }));
        assert_eq!(check(&[(111, EOF), (110, 1)]), Ok(()));
        assert_eq!(check(&[(111, EOF), (110, 2)]), Err(RangeError::Overlap { first: 110, second: 111 }));
    }

    #[test]
    fn the_command_line_form_reads_back() {
        for (text, spec) in [("0-0", (0, 1)), ("100-199", (100, 100)), ("5-", (5, EOF))] {
            let parsed: RangeSpec = text.parse().unwrap();
            assert_eq!(parsed, RangeSpec::from_bits(spec.0, spec.1));
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn text_that_is_no_range_is_refused() {
        for text in [
            "",
            "-",
            "-5",
            "5",
            "9-5",
            "+1-2",
            "1-+2",
            " 1-2",
            "1-2-3",
            "0x1-2",
            "0-18446744073709551615",
            "1,2-3",
        ] {
            assert!(text.parse::<RangeSpec>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_stored_range_is_checked_when_read() {
        let json = |text| serde_json::from_str::<RangeSpec>(text);
        assert_eq!(json(r#"{"offset":5,"length":null}"#).unwrap(), RangeSpec { offset: 5, length: None });
        assert_eq!(serde_json::to_string(&RangeSpec::from_bits(5, 6)).unwrap(), r#"{"offset":5,"length":6}"#);
        assert!(json(r#"{"offset":5,"length":0}"#).is_err());
        assert!(json(r#"{"offset":18446744073709551615,"length":null}"#).is_err());
    }
}
