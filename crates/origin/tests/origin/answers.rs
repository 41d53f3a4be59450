//! Servers that do not answer, answer something else than HTTP, or answer that there is no file.

use std::time::Duration;

use dray_origin::{Answer, Ask, OriginError, Phase};

use crate::hostile::{Hostile, Step, client, impatient, ok, open, open_whole, version};

async fn error_of(answer: impl Into<Vec<u8>>) -> OriginError {
    let server = Hostile::saying_and_closing(answer).await;
    open_whole(&client(), &server.url("/f")).await.unwrap_err()
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    let server = Hostile::start(|_| vec![Step::Hang]).await;
    let error = open_whole(&impatient(), &server.url("/f?secret")).await.unwrap_err();
    assert!(matches!(error, OriginError::Timeout { phase: Phase::FirstByte, .. }), "{error}");
    assert_eq!(error.to_string(), format!("no answer for http://{}/f within 0.3 s", server.address));
}

#[tokio::test]
async fn a_server_that_hangs_up_gives_no_answer() {
    for last in [|| Step::Close, || Step::Reset] {
        let server = Hostile::start(move |_| vec![last()]).await;
        let error = open_whole(&client(), &server.url("/f")).await.unwrap_err();
        assert!(matches!(error, OriginError::NoAnswer { .. }), "{error}");
        assert!(error.is_transient());
    }
}

#[tokio::test]
async fn a_head_that_is_cut_gives_no_answer() {
    let error = error_of("HTTP/1.1 200 OK\r\nContent-Le").await;
    assert!(matches!(error, OriginError::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn what_is_not_http_is_named() {
    for garbage in
        ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\n\r\n", "\r\n\r\n\r\n\0\0\0", "<html>404</html>\r\n\r\n"]
    {
        let error = error_of(garbage).await;
        assert!(matches!(error, OriginError::Protocol { .. }), "{garbage:?}: {error}");
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn headers_without_end_are_refused() {
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(8 << 20));
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(100_000));
    for answer in [long, many] {
        let error = error_of(answer).await;
        assert!(matches!(error, OriginError::Protocol { .. }), "{error}");
    }
}

#[tokio::test]
async fn two_lengths_that_differ_are_refused() {
    let error = error_of("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!").await;
    assert!(matches!(error, OriginError::Protocol { .. }), "{error}");
}

#[tokio::test]
async fn a_length_that_is_no_number_is_refused() {
    for length in ["-5", "5x", "99999999999999999999999"] {
        let error = error_of(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello")).await;
        assert!(matches!(error, OriginError::Protocol { .. }), "{length}: {error}");
    }
}

#[tokio::test]
async fn no_content_is_no_file() {
    for status in [204, 205] {
        let error = error_of(format!("HTTP/1.1 {status} Empty\r\n\r\n")).await;
        assert_eq!(error.status(), Some(status));
        assert!(!error.is_transient());
    }
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let error = error_of("HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 4\r\n\r\nbusy").await;
    assert_eq!((error.status(), error.retry_after()), (Some(503), Some(Duration::from_secs(7))));
    assert!(error.is_transient());
}

#[tokio::test]
async fn unchanged_is_the_answer_to_a_condition_only() {
    let server = Hostile::saying("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n").await;
    let url = server.url("/f");
    let known = version("\"v1\"");
    let answer = client().open(Ask { unless: Some(&known), ..Ask::whole(&url) }).await.unwrap();
    assert!(matches!(answer, Answer::Unchanged));
    assert_eq!(server.seen()[0].header("if-none-match"), Some("\"v1\""));
    assert_eq!(open(&client(), Ask::whole(&url)).await.unwrap_err().status(), Some(304));
}

#[tokio::test]
async fn interim_answers_are_passed_over() {
    let answer = [b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_vec(), ok("hello")].concat();
    let server = Hostile::saying(answer).await;
    assert_eq!(open_whole(&client(), &server.url("/f")).await.unwrap().size, Some(5));
}

#[tokio::test]
async fn garbage_from_a_host_that_spoke_http_before_is_not_asked_about_http_2() {
    let server = Hostile::start(|request| match request.path() {
        "/good" => vec![Step::Send(ok("hello"))],
        _ => vec![Step::Send(b"garbage\r\n\r\n".to_vec()), Step::Close],
    })
    .await;
    let client = client();
    open_whole(&client, &server.url("/good")).await.unwrap().finish().await;
    assert!(open_whole(&client, &server.url("/bad")).await.is_err());
    assert_eq!(server.seen().len(), 2);
    // What was learned is given up with the failure: the server may have been replaced.
    assert!(open_whole(&client, &server.url("/bad")).await.is_err());
    assert_eq!(server.seen().iter().filter(|seen| seen.head.starts_with("PRI * HTTP/2.0")).count(), 1);
}
