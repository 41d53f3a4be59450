//! A file, and how an honest server answers for it.

use std::sync::Arc;

use super::{Ask, Reply};

/// Bytes with their validators.
#[derive(Clone, Debug)]
pub struct Content {
    /// All of it.
    pub bytes: Arc<[u8]>,
    /// With its quotes.
    pub etag: Option<String>,
    /// As in the header.
    pub last_modified: Option<String>,
}

impl Content {
    /// Content with a strong ETag.
    pub fn new(bytes: impl Into<Arc<[u8]>>, etag: &str) -> Content {
        Content { bytes: bytes.into(), etag: Some(format!("\"{etag}\"")), last_modified: None }
    }

    /// Content without any validator.
    pub fn anonymous(bytes: impl Into<Arc<[u8]>>) -> Content {
        Content { bytes: bytes.into(), etag: None, last_modified: None }
    }

    /// Its length.
    pub fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The right answer: 200, 206, 304 or 416.
    pub fn answer(&self, ask: &Ask) -> Reply {
        let known = ask.header("if-none-match");
        if known.is_some() && known == self.etag.as_deref() {
            return self.validated(Reply::status(304));
        }
        let Some((first, last)) = ask.range().filter(|_| self.range_holds(ask)) else {
            return self.whole();
        };
        if first >= self.len() {
            let header = format!("bytes */{}", self.len());
            return self.validated(Reply::status(416)).header("Content-Range", &header);
        }
        let last = last.map_or(self.len() - 1, |last| last.min(self.len() - 1));
        self.part(first, last)
    }

    /// All of it, whatever was asked.
    pub fn whole(&self) -> Reply {
        self.validated(Reply::body(200, &self.bytes).header("Accept-Ranges", "bytes"))
    }

    /// 206 with the bytes from `first` to `last`, whatever was asked.
    pub fn part(&self, first: u64, last: u64) -> Reply {
        let header = format!("bytes {first}-{last}/{}", self.len());
        self.validated(Reply::body(206, self.slice(first, last)).header("Content-Range", &header))
    }

    /// The bytes from `first` to `last`.
    pub fn slice(&self, first: u64, last: u64) -> &[u8] {
        let index = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(self.bytes.len());
        &self.bytes[index(first)..index(last + 1)]
    }

    fn range_holds(&self, ask: &Ask) -> bool {
        let Some(condition) = ask.header("if-range") else { return true };
        [&self.etag, &self.last_modified].into_iter().flatten().any(|validator| validator == condition)
    }

    fn validated(&self, mut reply: Reply) -> Reply {
        if let Some(etag) = &self.etag {
            reply = reply.header("ETag", etag);
        }
        if let Some(time) = &self.last_modified {
            reply = reply.header("Last-Modified", time);
        }
        reply
    }
}
