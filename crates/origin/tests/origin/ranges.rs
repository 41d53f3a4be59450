//! Servers that answer a part, another part, too many parts, or everything.

use dray_origin::{Ask, OriginError, Wish};

use crate::hostile::{Hostile, Step, chunked, client, ok, open, range, read, version};

const FILE: &str = "0123456789abcdefghijklmnopqrstuvwxyz";

fn part(content_range: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 206 Partial Content\r\nContent-Range: {content_range}\r\nETag: \"v1\"");
    format!("{head}\r\nContent-Length: {length}\r\n\r\n{body}").into_bytes()
}

async fn refused(answer: Vec<u8>) -> OriginError {
    let server = Hostile::saying(answer).await;
    let url = server.url("/f");
    open(&client(), Ask { what: range(10, 20), ..Ask::whole(&url) }).await.unwrap_err()
}

#[tokio::test]
async fn a_part_is_asked_for_with_its_version_and_comes_as_asked() {
    let server = Hostile::saying(part("bytes 10-19/36", &FILE[10..20])).await;
    let url = server.url("/f");
    let known = version("\"v1\"");
    let ask = Ask { what: range(10, 20), if_range: Some(&known), ..Ask::whole(&url) };
    let mut response = open(&client(), ask).await.unwrap();
    assert_eq!((response.start, response.size, response.promised()), (10, Some(36), Some(10)));
    let (bytes, end) = read(&mut response).await;
    assert_eq!((bytes.as_slice(), end), (&b"abcdefghij"[..], Ok(())));
    assert_eq!(response.received(), 10);
    let request = &server.seen()[0];
    assert_eq!(request.header("range"), Some("bytes=10-19"));
    assert_eq!(request.header("if-range"), Some("\"v1\""));
    assert_eq!(request.header("accept-encoding"), Some("identity"));
}

#[tokio::test]
async fn another_part_is_not_taken_for_the_asked_one() {
    for (content_range, body) in [
        ("bytes 0-9/36", &FILE[..10]),
        ("bytes 11-20/36", &FILE[11..21]),
        ("bytes 0-35/36", FILE),
        ("bytes 10-35/36", &FILE[10..]),
    ] {
        let error = refused(part(content_range, body)).await;
        assert!(matches!(error, OriginError::WrongRange { .. }), "{content_range}: {error}");
    }
}

#[tokio::test]
async fn several_parts_in_one_body_are_refused() {
    let body = "--x\r\nContent-Range: bytes 10-19/36\r\n\r\nabcdefghij\r\n--x--";
    let head = "206 Partial Content\r\nContent-Type: multipart/byteranges; boundary=x";
    assert!(matches!(refused(chunked(head, body)).await, OriginError::Multipart { .. }));
}

#[tokio::test]
async fn a_length_that_is_not_the_parts_is_refused() {
    let error = refused(part("bytes 10-19/36", &FILE[10..25])).await;
    assert!(matches!(error, OriginError::BadPartial { .. }), "{error}");
}

#[tokio::test]
async fn a_chunked_part_that_goes_on_too_long_yields_nothing_beyond_its_promise() {
    let head = "206 Partial Content\r\nContent-Range: bytes 10-19/36";
    let one_more = chunked(head, &FILE[10..21]);
    let later =
        String::from_utf8(chunked(head, &FILE[10..20])).unwrap().replace("\r\n0\r\n", "\r\n1\r\nk\r\n0\r\n");
    for answer in [one_more, later.into_bytes()] {
        let server = Hostile::saying(answer).await;
        let url = server.url("/f");
        let mut response = open(&client(), Ask { what: range(10, 20), ..Ask::whole(&url) }).await.unwrap();
        let (bytes, end) = read(&mut response).await;
        assert!(FILE.as_bytes()[10..20].starts_with(&bytes));
        assert!(matches!(end, Err(OriginError::TooLong { want: 10, .. })), "{end:?}");
    }
}

#[tokio::test]
async fn a_chunked_part_that_ends_too_early_is_truncated() {
    let head = "206 Partial Content\r\nContent-Range: bytes 10-19/36";
    let server = Hostile::saying(chunked(head, &FILE[10..15])).await;
    let url = server.url("/f");
    let mut response = open(&client(), Ask { what: range(10, 20), ..Ask::whole(&url) }).await.unwrap();
    let (bytes, end) = read(&mut response).await;
    assert_eq!(bytes, b"abcde");
    assert!(matches!(end, Err(OriginError::Truncated { got: 5, want: Some(10), .. })), "{end:?}");
}

#[tokio::test]
async fn a_chunked_part_without_its_end_mark_is_complete_all_the_same() {
    let answer = chunked("206 Partial Content\r\nContent-Range: bytes 10-19/36", &FILE[10..20]);
    let cut = answer[..answer.len() - 5].to_vec();
    for last in [|| Step::Hang, || Step::Close, || Step::Reset] {
        let cut = cut.clone();
        let server = Hostile::start(move |_| vec![Step::Send(cut.clone()), last()]).await;
        let url = server.url("/f");
        let mut response = open(&client(), Ask { what: range(10, 20), ..Ask::whole(&url) }).await.unwrap();
        let mut bytes = Vec::new();
        // A reset may overtake the last bytes, so only what was yielded is held to the promise.
        while let Ok(Some(more)) = response.chunk().await {
            bytes.extend_from_slice(&more);
        }
        assert!(FILE.as_bytes()[10..20].starts_with(&bytes));
    }
}

#[tokio::test]
async fn a_server_without_ranges_sends_everything_from_zero() {
    let server = Hostile::saying(ok(FILE)).await;
    let url = server.url("/f");
    let response = open(&client(), Ask { what: Wish::From(10), ..Ask::whole(&url) }).await.unwrap();
    assert_eq!((response.start, response.range, response.size), (0, None, Some(36)));
    assert!(response.refuses_ranges && !response.accepts_ranges);
}

#[tokio::test]
async fn beyond_the_end_is_an_error_with_the_size() {
    let error = refused(
        b"HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */36\r\nContent-Length: 0\r\n\r\n"
            .to_vec(),
    )
    .await;
    assert!(matches!(error, OriginError::RangeNotSatisfiable { size: Some(36), .. }), "{error}");
    let bare = refused(b"HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    assert!(matches!(bare, OriginError::RangeNotSatisfiable { size: None, .. }), "{bare}");
}

#[tokio::test]
async fn a_server_that_ignores_if_range_is_caught_by_its_own_etag() {
    let server = Hostile::saying(part("bytes 10-19/36", &FILE[10..20])).await;
    let url = server.url("/f");
    let known = version("\"v0\"");
    let ask = Ask { what: range(10, 20), if_range: Some(&known), ..Ask::whole(&url) };
    let error = open(&client(), ask).await.unwrap_err();
    assert!(matches!(error, OriginError::Changed { what: "ETag", .. }), "{error}");
    assert!(error.is_transient());
}
