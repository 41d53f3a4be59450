//! One test per thing that a server may say.

use std::time::{Duration, UNIX_EPOCH};

use super::*;

const ETAG: &str = "\"v1\"";

struct Case {
    what: Wish,
    known: Option<Validators>,
    is_conditional: bool,
}

fn range(start: u64, end: u64) -> Wish {
    Wish::Range(ByteRange::new(start, end).unwrap())
}

fn asking(what: Wish) -> Case {
    Case { what, known: None, is_conditional: false }
}

fn resuming(what: Wish, etag: &str) -> Case {
    Case {
        known: Some(Validators { size: Some(1000), etag: Some(etag.into()), last_modified: None }),
        ..asking(what)
    }
}

impl Case {
    fn judged(
        &self,
        status: u16,
        headers: &[(&str, &str)],
        length: Option<u64>,
    ) -> Result<Meaning, OriginError> {
        let url = Url::parse("http://host/file.bin").unwrap();
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let ask = Ask { what: self.what, if_range: self.known.as_ref(), ..Ask::whole(&url) };
        let asked = Asked { ask: &ask, is_conditional: self.is_conditional, with_credentials: false };
        let status = StatusCode::from_u16(status).unwrap();
        let now = UNIX_EPOCH + Duration::from_secs(2_000_000_000);
        judge(&asked, &Received { url: &url, status, headers: &map, length, now })
    }

    fn head(&self, status: u16, headers: &[(&str, &str)], length: Option<u64>) -> Head {
        match self.judged(status, headers, length) {
            Ok(Meaning::Body(head)) => head,
            other => panic!("{other:?}"),
        }
    }

    fn error(&self, status: u16, headers: &[(&str, &str)], length: Option<u64>) -> OriginError {
        self.judged(status, headers, length).unwrap_err()
    }
}

fn part(content_range: &str) -> Vec<(&str, &str)> {
    vec![("content-range", content_range), ("etag", ETAG)]
}

#[test]
fn a_whole_file_has_its_size_and_what_the_origin_says_about_it() {
    let headers = [
        ("etag", ETAG),
        ("accept-ranges", "bytes"),
        ("cache-control", "private"),
        ("last-modified", "Mon, 01 Jun 2026 12:00:00 GMT"),
        ("content-disposition", "attachment; filename=\"../x.bin\""),
        ("repr-digest", "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"),
    ];
    let head = asking(Wish::Whole).head(200, &headers, Some(1000));
    assert_eq!((head.start, head.range, head.size, head.promised), (0, None, Some(1000), Some(1000)));
    assert_eq!(head.validators.etag.as_deref(), Some(ETAG));
    assert!(head.validators.last_modified.is_some() && head.last_modified.is_some());
    assert_eq!(head.file_name.unwrap().as_str(), "x.bin");
    assert_eq!(head.published.digests.len(), 1);
    assert_eq!(head.sharing, Sharing::Private);
    assert!(head.accepts_ranges && !head.refuses_ranges);
}

#[test]
fn without_a_length_neither_size_nor_promise_is_known() {
    let head = asking(Wish::Whole).head(200, &[], None);
    assert_eq!((head.size, head.promised), (None, None));
    assert!(!head.accepts_ranges && !head.refuses_ranges);
    assert!(asking(Wish::Whole).head(200, &[("accept-ranges", "none")], None).refuses_ranges);
}

#[test]
fn the_asked_part_is_a_body_from_its_start() {
    let head = asking(range(100, 200)).head(206, &part("bytes 100-199/1000"), Some(100));
    assert_eq!((head.start, head.range), (100, ByteRange::new(100, 200)));
    assert_eq!((head.size, head.promised, head.accepts_ranges), (Some(1000), Some(100), true));
    let to_the_end = asking(Wish::From(100)).head(206, &part("bytes 100-999/1000"), None);
    assert_eq!((to_the_end.promised, to_the_end.size), (Some(900), Some(1000)));
}

#[test]
fn a_part_of_a_file_of_unknown_size_has_no_size() {
    assert_eq!(asking(range(0, 10)).head(206, &part("bytes 0-9/*"), Some(10)).size, None);
}

#[test]
fn a_part_may_end_early_but_not_begin_elsewhere_nor_end_late() {
    assert_eq!(asking(range(100, 200)).head(206, &part("bytes 100-149/1000"), Some(50)).promised, Some(50));
    for other in ["bytes 0-199/1000", "bytes 101-199/1000", "bytes 100-200/1000", "bytes 0-999/1000"] {
        let error = asking(range(100, 200)).error(206, &part(other), None);
        assert!(
            matches!(&error, OriginError::WrongRange { asked, .. } if asked == "100-199"),
            "{other}: {error}"
        );
        assert!(error.needs_whole());
    }
}

#[test]
fn a_part_that_contradicts_itself_is_broken() {
    let case = asking(range(100, 200));
    for broken in
        ["bytes */1000", "bytes 199-100/1000", "bytes 100-199/150", "bytes 100-199", "rows 1-2/3", ""]
    {
        let error = case.error(206, &part(broken), None);
        assert!(matches!(error, OriginError::BadPartial { .. }), "{broken}: {error}");
        assert!(error.needs_whole());
    }
    let lying = case.error(206, &part("bytes 100-199/1000"), Some(101));
    assert!(matches!(lying, OriginError::BadPartial { .. }), "{lying}");
    let twice = [("content-range", "bytes 100-199/1000"), ("content-range", "bytes 100-198/1000")];
    assert!(matches!(case.error(206, &twice, None), OriginError::BadPartial { .. }));
    assert!(matches!(case.error(206, &[], Some(100)), OriginError::BadPartial { .. }));
}

#[test]
fn a_part_that_nobody_asked_for_is_broken() {
    for what in [Wish::Whole, Wish::From(0)] {
        let error = asking(what).error(206, &part("bytes 0-999/1000"), Some(1000));
        assert!(matches!(error, OriginError::BadPartial { .. }), "{error}");
    }
}

#[test]
fn several_parts_in_one_answer_are_named() {
    let headers = [("content-type", "Multipart/ByteRanges; boundary=x")];
    let error = asking(range(0, 10)).error(206, &headers, Some(500));
    assert!(matches!(error, OriginError::Multipart { .. }) && error.needs_whole());
}

#[test]
fn the_whole_file_instead_of_a_part_starts_at_zero() {
    let head = asking(range(100, 200)).head(200, &[("etag", ETAG)], Some(1000));
    assert_eq!((head.start, head.range, head.size), (0, None, Some(1000)));
    assert!(head.refuses_ranges);
}

#[test]
fn a_whole_file_that_came_because_it_changed_says_nothing_about_ranges() {
    let changed = resuming(Wish::From(100), "\"v0\"").head(200, &[("etag", ETAG)], Some(1000));
    assert!(!changed.refuses_ranges);
    let ignored = resuming(Wish::From(100), ETAG).head(200, &[("etag", ETAG)], Some(1000));
    assert!(ignored.refuses_ranges);
}

#[test]
fn a_complete_answer_whose_content_range_is_a_part_is_broken() {
    let error = asking(range(100, 200)).error(200, &part("bytes 100-199/1000"), Some(100));
    assert!(matches!(error, OriginError::BadPartial { .. }), "{error}");
    assert_eq!(asking(Wish::Whole).head(200, &part("bytes 0-999/1000"), Some(1000)).size, Some(1000));
}

#[test]
fn a_part_of_another_version_is_a_change() {
    let changed = |case: Case, headers: &[(&str, &str)]| match case.error(206, headers, None) {
        OriginError::Changed { what, .. } => what,
        other => panic!("{other}"),
    };
    assert_eq!(changed(resuming(Wish::From(100), "\"v0\""), &part("bytes 100-999/1000")), "ETag");
    assert_eq!(changed(resuming(Wish::From(100), ETAG), &part("bytes 100-1000/1001")), "size");
    assert_eq!(changed(resuming(Wish::From(100), "W/\"v0\""), &part("bytes 100-999/1000")), "ETag");
    resuming(Wish::From(100), ETAG).head(206, &part("bytes 100-999/1000"), None);
    resuming(Wish::From(100), ETAG).head(206, &[("content-range", "bytes 100-999/1000")], None);
}

#[test]
fn beyond_the_end_names_the_size_if_the_server_does() {
    let size = |headers: &[(&str, &str)]| match asking(Wish::From(5000)).error(416, headers, Some(0)) {
        OriginError::RangeNotSatisfiable { size, .. } => size,
        other => panic!("{other}"),
    };
    assert_eq!(size(&[("content-range", "bytes */1000")]), Some(1000));
    assert_eq!(size(&[]), None);
    assert_eq!(size(&[("content-range", "nonsense")]), None);
    assert_eq!(asking(Wish::Whole).error(416, &[], None).status(), Some(416));
}

#[test]
fn unchanged_is_an_answer_only_to_who_asked_for_it() {
    let conditional = Case { is_conditional: true, ..asking(Wish::Whole) };
    assert!(matches!(conditional.judged(304, &[], None), Ok(Meaning::Unchanged)));
    assert_eq!(asking(Wish::Whole).error(304, &[], None).status(), Some(304));
}

#[test]
fn other_statuses_are_errors_with_their_number_and_wait() {
    for status in [201, 202, 203, 204, 205, 226, 300, 305, 401, 403, 404, 410, 500, 503] {
        assert_eq!(asking(Wish::Whole).error(status, &[], None).status(), Some(status));
    }
    let busy = asking(Wish::Whole).error(503, &[("retry-after", "7")], None);
    assert_eq!(busy.retry_after(), Some(Duration::from_secs(7)));
}

#[test]
fn an_encoded_body_is_never_taken_for_the_file() {
    for status in [200, 206] {
        let headers = [("content-encoding", "gzip"), ("content-range", "bytes 0-999/1000")];
        let error = asking(range(0, 1000)).error(status, &headers, None);
        assert!(matches!(&error, OriginError::Encoded { coding, .. } if coding == "gzip"), "{error}");
    }
}

#[test]
fn the_md5_of_a_part_is_not_taken_for_the_files() {
    let mut headers = part("bytes 0-9/1000");
    headers.push(("content-md5", "JfnnlDI7RTiF9RgfG2JNCw=="));
    assert_eq!(asking(range(0, 10)).head(206, &headers, None).published.md5, None);
    assert!(asking(range(0, 10)).head(200, &headers[1..], None).published.md5.is_some());
}
