//! Certificates, and servers that speak one version of HTTP or the other.

use dray_origin::{Client, ClientConfig, HttpVersion, OriginError, RedirectPolicy, Refusal};
use rcgen::date_time_ymd;
use url::Url;

use crate::hostile::{Hostile, client, get, ok, open_whole, read, redirect};
use crate::secure::{Authority, Server, Speaks, loopback};

fn tls_reason(error: &OriginError) -> &str {
    match error {
        OriginError::Tls { why, .. } => why,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn an_authority_of_the_configuration_is_trusted() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.certify(loopback(), &["http/1.1"])), Speaks::Http1).await;
    let client = authority.trusting_client();
    for host in ["127.0.0.1", "localhost"] {
        let response = open_whole(&client, &server.url(host)).await.unwrap();
        assert!(response.is_secure);
    }
    assert_eq!(get(&client, &server.url("127.0.0.1")).await.unwrap(), "HTTP/1.1");
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_refused_with_the_reason() {
    let authority = Authority::new();
    let mut expired = loopback();
    (expired.not_before, expired.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
    let mut early = loopback();
    (early.not_before, early.not_after) = (date_time_ymd(2900, 1, 1), date_time_ymd(2901, 1, 1));
    let elsewhere = rcgen::CertificateParams::new(vec!["other.example".into()]).unwrap();
    for (params, reason) in
        [(expired, "has expired"), (early, "is not valid yet"), (elsewhere, "is for another host")]
    {
        let server = Server::start(Some(authority.certify(params, &[])), Speaks::Http1).await;
        let error = open_whole(&authority.trusting_client(), &server.url("127.0.0.1")).await.unwrap_err();
        assert!(tls_reason(&error).contains(reason), "{error}");
        assert!(!error.is_transient());
    }
    let server = Server::start(Some(authority.certify(loopback(), &[])), Speaks::Http1).await;
    let error = open_whole(&client(), &server.url("127.0.0.1")).await.unwrap_err();
    assert!(tls_reason(&error).contains("not signed by an authority"), "{error}");
}

#[tokio::test]
async fn a_port_without_tls_is_named() {
    // What a plain server answers to the bytes of a handshake.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        std::future::pending::<()>().await;
    });
    let error = open_whole(&client(), &url).await.unwrap_err();
    assert!(tls_reason(&error).contains("no TLS"), "{error}");
}

#[tokio::test]
async fn a_server_with_only_http_2_is_served_and_remembered() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.certify(loopback(), &["h2"])), Speaks::Http2).await;
    let client = authority.trusting_client();
    assert_eq!(get(&client, &server.url("127.0.0.1")).await.unwrap(), "HTTP/2.0");
    let before = server.connections();
    for _ in 0..3 {
        assert_eq!(get(&client, &server.url("127.0.0.1")).await.unwrap(), "HTTP/2.0");
    }
    assert_eq!(server.connections(), before, "neither a new attempt with HTTP/1.1 nor a new connection");
}

#[tokio::test]
async fn a_plain_server_with_only_http_2_is_served() {
    let server = Server::start(None, Speaks::Http2).await;
    let client = client();
    for _ in 0..3 {
        assert_eq!(get(&client, &server.url("127.0.0.1")).await.unwrap(), "HTTP/2.0");
    }
    assert_eq!(server.connections(), 2);
    let told =
        Client::new(ClientConfig { http_version: HttpVersion::Http2, ..crate::hostile::config() }).unwrap();
    assert_eq!(get(&told, &server.url("127.0.0.1")).await.unwrap(), "HTTP/2.0");
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn http_1_is_taken_from_a_server_that_has_both_unless_it_may_choose() {
    let authority = Authority::new();
    let server =
        Server::start(Some(authority.certify(loopback(), &["h2", "http/1.1"])), Speaks::Either).await;
    let url = server.url("127.0.0.1");
    assert_eq!(get(&authority.trusting_client(), &url).await.unwrap(), "HTTP/1.1");
    let auto = ClientConfig { http_version: HttpVersion::Auto, ..authority.trusted() };
    assert_eq!(get(&Client::new(auto).unwrap(), &url).await.unwrap(), "HTTP/2.0");
}

#[tokio::test]
async fn a_redirect_out_of_tls_is_refused_unless_allowed() {
    let authority = Authority::new();
    let plain = Hostile::saying(ok("hello")).await;
    let secure = TlsRedirect::start(&authority, plain.url("/x")).await;
    let error = open_whole(&authority.trusting_client(), &secure).await.unwrap_err();
    assert!(matches!(error, OriginError::RedirectRefused { why: Refusal::Downgrade, .. }), "{error}");
    assert!(plain.seen().is_empty());
    let redirect = RedirectPolicy { allow_https_to_http: true, ..RedirectPolicy::default() };
    let client = Client::new(ClientConfig { redirect, ..authority.trusted() }).unwrap();
    let response = open_whole(&client, &secure).await.unwrap();
    assert!(!response.is_secure);
}

/// A TLS server that knows one answer.
struct TlsRedirect;

impl TlsRedirect {
    async fn start(authority: &Authority, target: Url) -> Url {
        let acceptor =
            tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(authority.certify(loopback(), &[])));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("https://{}/", listener.local_addr().unwrap())).unwrap();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                let answer = redirect(302, target.as_str());
                let _ = tokio::io::AsyncWriteExt::write_all(&mut stream, &answer).await;
                let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 4096]).await;
            }
        });
        url
    }
}

#[tokio::test]
async fn an_http_2_body_that_breaks_off_or_lies_about_its_length_is_truncated() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.certify(loopback(), &["h2"])), Speaks::Http2).await;
    let client = authority.trusting_client();
    for (path, want) in [("/cut", None), ("/lying", Some(10))] {
        let url = server.url("127.0.0.1").join(path).unwrap();
        let mut response = open_whole(&client, &url).await.unwrap();
        assert_eq!(response.promised(), want);
        server.may_break.notify_one();
        let (bytes, end) = read(&mut response).await;
        assert!(b"hello".starts_with(&bytes));
        assert!(
            matches!(end, Err(OriginError::Truncated { want: found, .. }) if found == want),
            "{path}: {end:?}"
        );
    }
}

#[tokio::test]
async fn an_http_2_stream_that_is_reset_gives_no_answer() {
    let authority = Authority::new();
    let server = Server::start(Some(authority.certify(loopback(), &["h2"])), Speaks::Http2).await;
    let url = server.url("127.0.0.1").join("/reset").unwrap();
    let error = get(&authority.trusting_client(), &url).await.unwrap_err();
    // Whether the head overtakes the reset is up to the server's buffers.
    assert!(matches!(error, OriginError::NoAnswer { .. } | OriginError::Truncated { .. }), "{error}");
    assert!(error.is_transient());
}
