//! A request as it came in.

use std::time::Duration;

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// How many requests for this path came before it.
    pub nth: usize,
    /// When it came, counted from the server's start.
    pub at: Duration,
    /// `GET`, mostly.
    pub method: String,
    /// Without the query.
    pub path: String,
    /// Names in lower case, in the order of their coming.
    pub headers: Vec<(String, String)>,
}

impl Ask {
    /// Reads a request's header.
    pub(super) fn parse(header: &str) -> Option<Ask> {
        let mut lines = header.split("\r\n");
        let mut words = lines.next()?.split(' ');
        let method = words.next()?.to_owned();
        let path = words.next()?.split('?').next()?.to_owned();
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Ask { nth: 0, at: Duration::ZERO, method, path, headers })
    }

    /// The first header of this name, which is given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The `Range` header, if it asks for one range by its first byte: that, and the last one if it names it.
    pub fn range(&self) -> Option<(u64, Option<u64>)> {
        let (first, last) = self.header("range")?.strip_prefix("bytes=")?.split_once('-')?;
        let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
        Some((first.parse().ok()?, last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_read_with_its_range() {
        let ask = Ask::parse("GET /a?b HTTP/1.1\r\nHost: x\r\nRange: bytes=5-\r\n").unwrap();
        assert_eq!((ask.method.as_str(), ask.path.as_str()), ("GET", "/a"));
        assert_eq!(ask.range(), Some((5, None)));
    }
}
