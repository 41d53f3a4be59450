//! Bodies that are cut, lie about their length, hang, or are not the file at all.

use dray_origin::{OriginError, Phase};

use crate::hostile::{Hostile, Step, chunked, client, get, impatient, ok, open_whole, read};

async fn body_of(answer: impl Into<Vec<u8>>) -> (Vec<u8>, Result<(), OriginError>) {
    let server = Hostile::saying_and_closing(answer).await;
    let mut response = open_whole(&client(), &server.url("/f")).await.unwrap();
    read(&mut response).await
}

#[tokio::test]
async fn a_body_shorter_than_its_length_is_truncated() {
    let (bytes, end) = body_of("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello").await;
    assert_eq!(bytes, b"hello");
    assert!(matches!(end, Err(OriginError::Truncated { got: 5, want: Some(10), .. })), "{end:?}");
    assert!(end.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_reset_in_the_middle_is_truncated() {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec();
    let server = Hostile::start(move |_| vec![Step::Send(head.clone()), Step::Reset]).await;
    // The reset may come before the head was read; both are cuts that another attempt may mend.
    let error = get(&client(), &server.url("/f")).await.unwrap_err();
    assert!(matches!(error, OriginError::Truncated { .. } | OriginError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn a_body_longer_than_its_length_ends_at_its_length_and_spoils_no_later_answer() {
    let server = Hostile::start(|request| match request.path() {
        "/long" => vec![Step::Send([ok("hello"), b" and more\r\nHTTP/1.1 200 OK\r\n\r\n".to_vec()].concat())],
        _ => vec![Step::Send(ok("right"))],
    })
    .await;
    let client = client();
    assert_eq!(get(&client, &server.url("/long")).await.unwrap(), "hello");
    assert_eq!(get(&client, &server.url("/next")).await.unwrap(), "right");
}

#[tokio::test]
async fn a_chunked_body_has_no_size_and_ends_at_its_end_mark() {
    let server = Hostile::saying(chunked("200 OK", "hello")).await;
    let mut response = open_whole(&client(), &server.url("/f")).await.unwrap();
    assert_eq!((response.size, response.promised()), (None, None));
    assert_eq!(read(&mut response).await, (b"hello".to_vec(), Ok(())));
}

#[tokio::test]
async fn a_chunked_body_without_its_end_mark_is_truncated() {
    let answer = chunked("200 OK", "hello");
    let (bytes, end) = body_of(&answer[..answer.len() - 5]).await;
    assert_eq!(bytes, b"hello");
    assert!(matches!(end, Err(OriginError::Truncated { got: 5, want: None, .. })), "{end:?}");
}

#[tokio::test]
async fn a_chunk_without_a_length_is_not_http() {
    let (_, end) =
        body_of("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n").await;
    assert!(matches!(end, Err(OriginError::Protocol { .. })), "{end:?}");
    assert!(!end.unwrap_err().is_transient());
}

#[tokio::test]
async fn a_body_that_ends_with_its_connection_is_as_long_as_it_is() {
    assert_eq!(body_of("HTTP/1.0 200 OK\r\n\r\nhello").await, (b"hello".to_vec(), Ok(())));
}

#[tokio::test]
async fn a_body_that_hangs_stalls() {
    let server = Hostile::start(|_| {
        vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello".to_vec()), Step::Hang]
    })
    .await;
    let mut response = open_whole(&impatient(), &server.url("/f")).await.unwrap();
    let (bytes, end) = read(&mut response).await;
    assert_eq!(bytes, b"hello");
    assert!(matches!(end, Err(OriginError::Timeout { phase: Phase::Stall, .. })), "{end:?}");
}

#[tokio::test]
async fn waiting_for_a_chunk_can_be_given_up_and_taken_up_again() {
    let server = Hostile::saying(ok(&"x".repeat(100_000))).await;
    let mut response = open_whole(&client(), &server.url("/f")).await.unwrap();
    let mut all = 0;
    loop {
        tokio::select! {
            biased;
            () = tokio::task::yield_now() => {}
            chunk = response.chunk() => match chunk.unwrap() {
                Some(bytes) => all += bytes.len(),
                None => break,
            },
        }
    }
    assert_eq!(all, 100_000);
}

#[tokio::test]
async fn a_compressed_answer_is_refused_however_it_is_declared() {
    for header in ["Content-Encoding: gzip", "Content-Encoding: br", "Transfer-Encoding: gzip, chunked"] {
        let length = if header.starts_with('C') { "Content-Length: 5\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{header}\r\n{length}\r\nhello");
        let server = Hostile::saying_and_closing(answer).await;
        let error = open_whole(&client(), &server.url("/f")).await.unwrap_err();
        assert!(matches!(error, OriginError::Encoded { .. }), "{header}: {error}");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let server = Hostile::saying(ok("")).await;
    let mut response = open_whole(&client(), &server.url("/f")).await.unwrap();
    assert_eq!(response.size, Some(0));
    assert_eq!(read(&mut response).await, (Vec::new(), Ok(())));
}

#[tokio::test]
async fn a_large_body_comes_whole() {
    let body = "0123456789abcdef".repeat(1 << 19);
    let server = Hostile::saying(ok(&body)).await;
    assert!(get(&client(), &server.url("/f")).await.unwrap() == body);
}
