//! An answer, and what is wrong with it.

use std::sync::Arc;

/// How the receiver learns where the body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    /// `Content-Length`, and it is true.
    Length,
    /// `Content-Length` with a number of the test's choice.
    Claimed(u64),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The connection ends.
    Close,
}

/// One answer. Made by [`super::Content`] or [`Reply::status`], then bent.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Arc<[u8]>,
    pub(super) framing: Framing,
    pub(super) cut_after: Option<u64>,
    pub(super) stall_after: Option<u64>,
    pub(super) bytes_per_s: Option<u64>,
}

impl Reply {
    /// A status with a sentence for a body.
    pub fn status(status: u16) -> Reply {
        let without_body = status == 304 || status == 204;
        let text = if without_body { String::new() } else { format!("status {status}\n") };
        Reply::body(status, text.as_bytes())
    }

    /// A status with a body.
    pub fn body(status: u16, body: &[u8]) -> Reply {
        Reply {
            status,
            headers: Vec::new(),
            body: body.into(),
            framing: Framing::Length,
            cut_after: None,
            stall_after: None,
            bytes_per_s: None,
        }
    }

    /// A redirect.
    pub fn redirect(status: u16, location: &str) -> Reply {
        Reply::status(status).header("Location", location)
    }

    /// One more header.
    #[must_use]
    pub fn header(self, name: &str, value: &str) -> Reply {
        self.raw_header(name, value.as_bytes())
    }

    /// One more header, whose value may be what no header may be.
    #[must_use]
    pub fn raw_header(mut self, name: &str, value: &[u8]) -> Reply {
        self.headers.push((name.to_owned(), value.to_vec()));
        self
    }

    /// Without the headers of this name.
    #[must_use]
    pub fn without(mut self, name: &str) -> Reply {
        self.headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self
    }

    /// Another body under the same header.
    #[must_use]
    pub fn with_body(mut self, body: &[u8]) -> Reply {
        self.body = body.into();
        self
    }

    /// `Content-Length` says this, whatever is sent.
    #[must_use]
    pub fn claiming(mut self, bytes: u64) -> Reply {
        self.framing = Framing::Claimed(bytes);
        self
    }

    /// In chunks, with no length.
    #[must_use]
    pub fn chunked(mut self) -> Reply {
        self.framing = Framing::Chunked;
        self
    }

    /// With no length at all: the body ends with the connection.
    #[must_use]
    pub fn until_close(mut self) -> Reply {
        self.framing = Framing::Close;
        self
    }

    /// The connection ends after so many bytes of the body.
    #[must_use]
    pub fn cut_after(mut self, bytes: u64) -> Reply {
        self.cut_after = Some(bytes);
        self
    }

    /// Nothing more comes after so many bytes of the body, and the connection stays.
    #[must_use]
    pub fn stall_after(mut self, bytes: u64) -> Reply {
        self.stall_after = Some(bytes);
        self
    }

    /// Not faster than this.
    #[must_use]
    pub fn at_rate(mut self, bytes_per_s: u64) -> Reply {
        self.bytes_per_s = Some(bytes_per_s);
        self
    }

    /// Whether the connection can serve another request afterwards.
    pub(super) fn keeps_connection(&self) -> bool {
        matches!(self.framing, Framing::Length | Framing::Chunked)
            && self.cut_after.is_none()
            && self.stall_after.is_none()
    }
}
