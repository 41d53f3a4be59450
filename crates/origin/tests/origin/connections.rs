//! Making connections, keeping them, and failing to get one.

use dray_origin::{Ask, OriginError, Phase, Wish};
use tokio::net::TcpListener;
use url::Url;

use crate::hostile::{Hostile, Step, client, get, impatient, ok, open, open_whole};

fn connections(server: &Hostile) -> Vec<usize> {
    server.seen().iter().map(|request| request.connection).collect()
}

#[tokio::test]
async fn many_files_of_one_host_come_over_one_connection() {
    let server = Hostile::saying(ok("hello")).await;
    let client = client();
    for n in 0..20 {
        assert_eq!(get(&client, &server.url(&format!("/{n}"))).await.unwrap(), "hello");
    }
    assert_eq!(connections(&server), [0; 20]);
}

#[tokio::test]
async fn an_error_page_does_not_cost_the_connection() {
    let server = Hostile::saying("HTTP/1.1 404 Gone\r\nContent-Length: 5\r\n\r\nsorry").await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(open_whole(&client, &server.url("/")).await.unwrap_err().status(), Some(404));
    }
    assert_eq!(connections(&server), [0; 3]);
}

#[tokio::test]
async fn a_short_rest_is_read_and_a_long_one_costs_the_connection() {
    let server = Hostile::start(|request| {
        let length = if request.path() == "/long" { 100_000_000 } else { 1000 };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        vec![Step::Send([head.into_bytes(), vec![b'x'; 1000]].concat())]
    })
    .await;
    let client = client();
    for path in ["/short", "/short", "/long", "/short"] {
        let response = open_whole(&client, &server.url(path)).await.unwrap();
        response.finish().await;
    }
    assert_eq!(connections(&server), [0, 0, 0, 1]);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    let server = Hostile::saying_and_closing(
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello".to_vec(),
    )
    .await;
    let client = client();
    for _ in 0..5 {
        assert_eq!(get(&client, &server.url("/")).await.unwrap(), "hello");
    }
    assert_eq!(connections(&server), [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn a_port_where_nobody_listens_refuses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/f?secret", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let error = open_whole(&client(), &url).await.unwrap_err();
    assert!(matches!(error, OriginError::Refused { .. }) && error.is_transient(), "{error}");
    assert!(!error.to_string().contains("secret"));
}

#[tokio::test]
async fn an_unknown_host_is_named() {
    let url = Url::parse("http://no-such-host.invalid/file?secret").unwrap();
    let error = open_whole(&client(), &url).await.unwrap_err();
    assert!(matches!(&error, OriginError::Dns { host, .. } if host == "no-such-host.invalid"), "{error}");
    let text = error.to_string();
    assert!(
        text.starts_with(
            "cannot find the host no-such-host.invalid (for http://no-such-host.invalid/file): "
        )
    );
    assert!(!text.contains("secret"));
}

#[tokio::test]
async fn a_handshake_that_hangs_is_given_up() {
    let server = Hostile::start(|_| vec![Step::Hang]).await;
    let url = Url::parse(&format!("https://{}/", server.address)).unwrap();
    let error = open_whole(&impatient(), &url).await.unwrap_err();
    assert!(matches!(error, OriginError::Timeout { phase: Phase::Connect, .. }), "{error}");
}

#[tokio::test]
async fn a_url_that_is_not_http_never_leaves_the_house() {
    let url = Url::parse("file:///etc/passwd").unwrap();
    let error = open(&client(), Ask { what: Wish::From(5), ..Ask::whole(&url) }).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot fetch file:///etc/passwd: only http and https are supported, not file"
    );
}
