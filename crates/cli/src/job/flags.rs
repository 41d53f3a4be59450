//! Sets of flags as people write them: names with commas, `none`, or the number itself.

/// A set of bits. Whether all of them are defined is the daemon's to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bits(pub(super) u32);

type Names = &'static [(&'static str, u32)];

const NOTIFY: Names = &[
    ("job-transferred", 0x01),
    ("job-error", 0x02),
    ("disable", 0x04),
    ("job-modification", 0x08),
    ("file-transferred", 0x10),
    ("file-ranges-transferred", 0x20),
];

const COST: Names = &[
    ("unrestricted", 0x01),
    ("capped-usage-unknown", 0x02),
    ("below-cap", 0x04),
    ("near-cap", 0x08),
    ("overcap-charged", 0x10),
    ("overcap-throttled", 0x20),
    ("usage-based", 0x40),
    ("roaming", 0x80),
    ("ignore-congestion", 0x8000_0000),
];

const PEER: Names = &[("enable-client", 1), ("enable-server", 2), ("disable-branch-cache", 4)];

const ACL: Names = &[("owner", 1), ("group", 2), ("dacl", 4), ("sacl", 8)];

pub(super) fn notify(text: &str) -> Result<Bits, String> {
    parse(text, NOTIFY)
}

pub(super) fn cost(text: &str) -> Result<Bits, String> {
    parse(text, COST)
}

pub(super) fn peer(text: &str) -> Result<Bits, String> {
    parse(text, PEER)
}

pub(super) fn acl(text: &str) -> Result<Bits, String> {
    parse(text, ACL)
}

pub(super) fn notify_names(bits: u32) -> String {
    names(bits, NOTIFY)
}

pub(super) fn cost_names(bits: u32) -> String {
    names(bits, COST)
}

pub(super) fn peer_names(bits: u32) -> String {
    names(bits, PEER)
}

pub(super) fn acl_names(bits: u32) -> String {
    names(bits, ACL)
}

fn parse(text: &str, names: Names) -> Result<Bits, String> {
    if text == "none" {
        return Ok(Bits(0));
    }
    let mut bits = 0;
    for word in text.split(',') {
        bits |= match names.iter().find(|(name, _)| *name == word) {
            Some((_, bit)) => *bit,
            None => number(word).ok_or_else(|| {
                let known: Vec<&str> = names.iter().map(|(name, _)| *name).collect();
                format!("{word:?} is none of {}, none, and no number", known.join(", "))
            })?,
        };
    }
    Ok(Bits(bits))
}

fn number(word: &str) -> Option<u32> {
    match word.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => word.parse().ok(),
    }
}

/// As they can be typed again.
fn names(bits: u32, names: Names) -> String {
    let mut words: Vec<String> =
        names.iter().filter(|(_, bit)| bits & bit != 0).map(|(name, _)| (*name).to_owned()).collect();
    let rest = names.iter().fold(bits, |rest, (_, bit)| rest & !bit);
    if rest != 0 {
        words.push(format!("{rest:#x}"));
    }
    if words.is_empty() { "none".to_owned() } else { words.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_typed_again() {
        for bits in [0, 1, 3, 0x3f, 0x40, 0x8000_0081] {
            assert_eq!(notify(&notify_names(bits)), Ok(Bits(bits)));
            assert_eq!(cost(&cost_names(bits)), Ok(Bits(bits)));
        }
        assert_eq!(acl_names(9), "owner,sacl");
        assert_eq!(peer("disable-branch-cache,0x1"), Ok(Bits(5)));
    }

    #[test]
    fn a_word_that_is_no_flag_is_refused_with_those_that_are() {
        assert!(peer("all").unwrap_err().contains("enable-client, enable-server"));
        for text in ["", "owner,", "0x1ffffffff", "-1"] {
            assert!(acl(text).is_err(), "{text:?}");
        }
    }
}
