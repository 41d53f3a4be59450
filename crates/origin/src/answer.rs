//! What the head of an answer means, decided from its status and headers alone.

use std::time::SystemTime;

use dray_content::{Published, published};
use dray_ranges::{ByteRange, http::ContentRange};
use http::header::{
    ACCEPT_RANGES, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, LAST_MODIFIED,
};
use http::{HeaderName, StatusCode};
use url::Url;

use crate::ask::{Ask, Wish};
use crate::coding::foreign_coding;
use crate::disposition;
use crate::error::OriginError;
use crate::retry_after::retry_after;
use crate::safe_name::SafeName;
use crate::sharing::Sharing;
use crate::shown::ShownUrl;
use crate::validators::{Validators, Verdict};

/// The head of an answer, as it came.
pub(crate) struct Received<'a> {
    pub(crate) url: &'a Url,
    pub(crate) status: StatusCode,
    pub(crate) headers: &'a HeaderMap,
    /// Length of the body in bytes, if it is known before the body.
    pub(crate) length: Option<u64>,
    /// When it came.
    pub(crate) now: SystemTime,
}

/// What it was an answer to.
pub(crate) struct Asked<'a> {
    pub(crate) ask: &'a Ask<'a>,
    pub(crate) is_conditional: bool,
    pub(crate) with_credentials: bool,
}

/// The head of an answer that brings bytes of the file.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) start: u64,
    pub(crate) range: Option<ByteRange>,
    /// Bytes that the body must have.
    pub(crate) promised: Option<u64>,
    pub(crate) size: Option<u64>,
    pub(crate) validators: Validators,
    pub(crate) last_modified: Option<SystemTime>,
    pub(crate) published: Published,
    pub(crate) file_name: Option<SafeName>,
    pub(crate) accepts_ranges: bool,
    pub(crate) refuses_ranges: bool,
    pub(crate) sharing: Sharing,
}

/// What an answer that is no error means.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one per request, and nearly always the large one")]
pub(crate) enum Meaning {
    Body(Head),
    Unchanged,
}

/// Decides what to make of an answer. Redirects are dealt with before.
pub(crate) fn judge(asked: &Asked<'_>, got: &Received<'_>) -> Result<Meaning, OriginError> {
    let head = match got.status {
        StatusCode::NOT_MODIFIED if asked.is_conditional => return Ok(Meaning::Unchanged),
        StatusCode::OK => got.whole(asked)?,
        StatusCode::PARTIAL_CONTENT => got.partial(asked)?,
        StatusCode::RANGE_NOT_SATISFIABLE if asked.ask.what.range_header().is_some() => {
            let size = got.content_range().ok().flatten().and_then(|range| range.complete);
            return Err(OriginError::RangeNotSatisfiable { url: got.shown(), size });
        }
        status => {
            let retry_after = retry_after(got.headers, got.now);
            return Err(OriginError::Status { url: got.shown(), status: status.as_u16(), retry_after });
        }
    };
    Ok(Meaning::Body(head))
}

impl Received<'_> {
    fn whole(&self, asked: &Asked<'_>) -> Result<Head, OriginError> {
        // Content-Range means nothing in a 200. But a server that writes one may have meant a 206.
        if let Some(ContentRange { range: Some(range), complete }) = self.content_range()?
            && (range.start() != 0 || complete != Some(range.end()))
        {
            return Err(self.bad_partial("it calls itself complete, and its Content-Range says it is not"));
        }
        let head = self.head(asked, None, self.length)?;
        let known = asked.ask.if_range.filter(|known| known.if_range().is_some());
        let is_other_version = known.is_some_and(|known| known.same_as(&head.validators) != Verdict::Same);
        let ignored_range = asked.ask.what.range_header().is_some() && !is_other_version;
        Ok(Head { refuses_ranges: head.refuses_ranges || ignored_range, ..head })
    }

    fn partial(&self, asked: &Asked<'_>) -> Result<Head, OriginError> {
        let Some(asked_text) = asked.ask.what.range_header() else {
            return Err(self.bad_partial("the whole file was asked for"));
        };
        if self
            .text(CONTENT_TYPE)
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/byteranges"))
        {
            return Err(OriginError::Multipart { url: self.shown() });
        }
        let Some(ContentRange { range: Some(range), complete }) = self.content_range()? else {
            return Err(self.bad_partial("it does not say which part it is"));
        };
        if !is_wanted(asked.ask.what, range) {
            let asked = asked_text.trim_start_matches("bytes=").to_owned();
            return Err(OriginError::WrongRange { url: self.shown(), asked, got: range });
        }
        if self.length.is_some_and(|length| length != range.len()) {
            return Err(self.bad_partial("its Content-Length is not the length of its Content-Range"));
        }
        let head = self.head(asked, Some(range), complete)?;
        match asked.ask.if_range.map(|known| known.same_as(&head.validators)) {
            Some(Verdict::Different(what)) => Err(OriginError::Changed { url: self.shown(), what }),
            Some(Verdict::Same | Verdict::Unknown) | None => Ok(head),
        }
    }

    fn head(
        &self,
        asked: &Asked<'_>,
        range: Option<ByteRange>,
        size: Option<u64>,
    ) -> Result<Head, OriginError> {
        if let Some(coding) = foreign_coding(self.url, self.headers, range.is_some()) {
            return Err(OriginError::Encoded { url: self.shown(), coding });
        }
        let ranges = self.text(ACCEPT_RANGES).unwrap_or("");
        let has = |unit: &str| ranges.split(',').any(|word| word.trim().eq_ignore_ascii_case(unit));
        let name = self.headers.get(CONTENT_DISPOSITION);
        Ok(Head {
            start: range.map_or(0, ByteRange::start),
            range,
            promised: range.map(ByteRange::len).or(self.length),
            size,
            validators: Validators::from_headers(self.headers, size, self.now),
            last_modified: self.text(LAST_MODIFIED).and_then(|date| httpdate::parse_http_date(date).ok()),
            published: self.published(range.is_some()),
            file_name: name.and_then(|name| disposition::file_name(name.as_bytes())),
            accepts_ranges: range.is_some() || has("bytes"),
            refuses_ranges: range.is_none() && has("none"),
            sharing: Sharing::of(self.headers, asked.with_credentials),
        })
    }

    /// `Content-MD5` is of the body, so in a partial answer it is not of the file. All the others are of the file.
    fn published(&self, is_partial: bool) -> Published {
        let headers = self.headers.iter().filter(|(name, _)| !(is_partial && name.as_str() == "content-md5"));
        published::from_headers(
            headers.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))),
        )
    }

    /// The one `Content-Range`, if there is one.
    fn content_range(&self) -> Result<Option<ContentRange>, OriginError> {
        let mut values = self.headers.get_all(CONTENT_RANGE).iter();
        let Some(value) = values.next() else { return Ok(None) };
        if values.any(|other| other != value) {
            return Err(self.bad_partial("it has several Content-Range headers"));
        }
        match value.to_str().ok().and_then(ContentRange::parse) {
            Some(range) => Ok(Some(range)),
            None => Err(self.bad_partial("its Content-Range makes no sense")),
        }
    }

    fn text(&self, name: HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    fn bad_partial(&self, why: &'static str) -> OriginError {
        OriginError::BadPartial { url: self.shown(), why }
    }

    fn shown(&self) -> ShownUrl {
        ShownUrl::from(self.url)
    }
}

/// A part may end before what was asked for (RFC 9110, 15.3.7), as it must at the end of the file; it may not begin elsewhere or go on longer.
fn is_wanted(what: Wish, range: ByteRange) -> bool {
    match what {
        Wish::Whole => false,
        Wish::From(start) => range.start() == start,
        Wish::Range(asked) => range.start() == asked.start() && range.end() <= asked.end(),
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
