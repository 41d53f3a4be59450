//! Listings in pages: how long a page is, and where the next one begins.

use dray_api::server::MAX_PAGE_BYTES;
use dray_jobs::{Code, Failure, JobId, Timestamp};
use prost::Message;

/// Entries of a page when the client does not say.
const DEFAULT_PAGE: u32 = 100;
/// Entries of a page at most.
const MAX_PAGE: u32 = 1000;

/// How many entries a page may have.
pub(super) fn size(asked: u32) -> usize {
    let size = if asked == 0 { DEFAULT_PAGE } else { asked.min(MAX_PAGE) };
    size as usize
}

/// Fills a page; whether there was room for everything.
pub(super) fn fill<T: Message>(most: usize, entries: impl IntoIterator<Item = T>) -> (Vec<T>, bool) {
    let mut page = Vec::new();
    let mut bytes = 0;
    for entry in entries {
        bytes += entry.encoded_len();
        // One entry always fits: a file with every range is far smaller than a page.
        if page.len() >= most || bytes > MAX_PAGE_BYTES && !page.is_empty() {
            return (page, false);
        }
        page.push(entry);
    }
    (page, true)
}

/// Where a listing of jobs goes on: behind this job, and no further than those that were there at its first page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct JobsAfter {
    pub(super) last: (Timestamp, JobId),
    pub(super) until: Timestamp,
}

impl JobsAfter {
    pub(super) fn to_token(self) -> String {
        let (created, id) = self.last;
        format!("{:x}.{}.{:x}", created.unix_ms(), id.0.simple(), self.until.unix_ms())
    }

    /// `None` for the first page.
    pub(super) fn parse(token: &str) -> Result<Option<JobsAfter>, Failure> {
        if token.is_empty() {
            return Ok(None);
        }
        let time = |text: Option<&str>| {
            text.and_then(|text| u64::from_str_radix(text, 16).ok()).map(Timestamp::from_unix_ms)
        };
        let mut parts = token.split('.');
        let created = time(parts.next());
        let id = parts.next().and_then(|id| id.parse().ok());
        let until = time(parts.next());
        match (created, id, until, parts.next()) {
            (Some(created), Some(id), Some(until), None) => {
                Ok(Some(JobsAfter { last: (created, id), until }))
            }
            _ => Err(bad_token()),
        }
    }
}

/// Where a listing of files goes on.
pub(super) fn files_from(token: &str) -> Result<usize, Failure> {
    if token.is_empty() { Ok(0) } else { token.parse().map_err(|_| bad_token()) }
}

fn bad_token() -> Failure {
    let sentence = "The page token is not one of this daemon's; begin with the first page.";
    Failure::new(Code::E_INVALIDARG, sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_reads_back_and_anything_else_is_refused() {
        let after = JobsAfter {
            last: (Timestamp::from_unix_ms(1_700_000_000_000), JobId(uuid::Uuid::from_u128(7))),
            until: Timestamp::from_unix_ms(5),
        };
        assert_eq!(JobsAfter::parse(&after.to_token()), Ok(Some(after)));
        assert_eq!(JobsAfter::parse(""), Ok(None));
        for bad in ["x", "1.2.3", "1..3", &format!("{}.4", after.to_token())] {
            assert_eq!(JobsAfter::parse(bad).unwrap_err().code, Code::E_INVALIDARG, "{bad}");
        }
        assert_eq!(files_from("-1").unwrap_err().code, Code::E_INVALIDARG);
        assert_eq!(files_from("12"), Ok(12));
    }

    #[test]
    fn a_page_ends_at_its_number_and_at_its_bytes() {
        let entry = |bytes: usize| dray_api::v1::File { remote_url: "x".repeat(bytes), ..Default::default() };
        assert_eq!(fill(2, [entry(1), entry(1), entry(1)]).0.len(), 2);
        let (page, whole) = fill(2, [entry(1), entry(1)]);
        assert_eq!((page.len(), whole), (2, true));
        let (page, whole) = fill(10, [entry(MAX_PAGE_BYTES / 2), entry(MAX_PAGE_BYTES / 2), entry(1)]);
        assert_eq!((page.len(), whole), (1, false));
        assert_eq!((size(0), size(7), size(5000)), (100, 7, 1000));
    }
}
