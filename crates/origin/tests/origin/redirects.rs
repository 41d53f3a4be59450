//! Redirects: where they lead, what they take along, and where they end.

use dray_origin::{Ask, Client, ClientConfig, OriginError, RedirectPolicy, Refusal, Sharing};
use url::Url;

use crate::hostile::{Hostile, Step, client, config, get, ok, open, open_whole, range, redirect, version};

/// A server whose every answer leads to `target`.
async fn leading_to(target: &Url) -> Hostile {
    let answer = redirect(302, target.as_str());
    Hostile::saying(answer).await
}

fn secret_headers() -> Vec<(String, String)> {
    [("Authorization", "Bearer x"), ("Cookie", "a=b"), ("X-Api-Key", "k"), ("User-Agent", "7")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

#[tokio::test]
async fn every_kind_of_redirect_is_followed_on_the_same_connection() {
    let server = Hostile::start(|request| {
        let step = |answer| vec![Step::Send(answer)];
        match request.path() {
            "/301" => step(redirect(301, "/302")),
            "/302" => step(redirect(302, "303")),
            "/303" => step(redirect(303, "./307?q=1")),
            "/307?q=1" => step(redirect(307, "?q=2")),
            "/307?q=2" => step(redirect(308, "/end#part")),
            _ => step(ok("hello")),
        }
    })
    .await;
    let response = open_whole(&client(), &server.url("/301")).await.unwrap();
    assert_eq!(response.final_url, server.url("/end"));
    let seen = server.seen();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|request| request.connection == 0), "{seen:?}");
}

#[tokio::test]
async fn a_loop_ends_at_the_limit() {
    let server = Hostile::start(|_| vec![Step::Send(redirect(302, "/again"))]).await;
    let error = open_whole(&client(), &server.url("/again")).await.unwrap_err();
    assert!(matches!(error, OriginError::TooManyRedirects { limit: 10, .. }), "{error}");
    assert_eq!(server.seen().len(), 11);
}

#[tokio::test]
async fn credentials_stay_with_their_host() {
    let other = Hostile::saying(ok("hello")).await;
    let first = leading_to(&other.url("/file")).await;
    let mut url = first.url("/file");
    url.set_username("me").unwrap();
    url.set_password(Some("pw")).unwrap();
    for headers in [secret_headers(), secret_headers().split_off(1)] {
        let response = open(&client(), Ask { headers: &headers, ..Ask::whole(&url) }).await.unwrap();
        assert_eq!(response.sharing, Sharing::Private);
        assert_eq!(response.final_url, other.url("/file"));
    }
    let authorizations: Vec<_> =
        first.seen().iter().map(|seen| seen.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(authorizations, ["Bearer x", "Basic bWU6cHc="]);
    for request in other.seen() {
        for secret in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(request.header(secret), None, "{request:?}");
        }
        assert_eq!(request.header("user-agent"), Some("7"));
    }
}

#[tokio::test]
async fn credentials_do_not_come_back_with_a_redirect_that_does() {
    let home = Hostile::start(|request| match request.path().strip_prefix("/via/") {
        Some(other) => vec![Step::Send(redirect(302, &format!("http://{other}/x")))],
        None => vec![Step::Send(ok("hello"))],
    })
    .await;
    let away = leading_to(&home.url("/back")).await;
    let url = home.url(&format!("/via/{}", away.address));
    let headers = secret_headers();
    open(&client(), Ask { headers: &headers, ..Ask::whole(&url) }).await.unwrap();
    let seen = home.seen();
    assert_eq!(
        seen.iter().map(|request| request.header("cookie").is_some()).collect::<Vec<_>>(),
        [true, false]
    );
}

#[tokio::test]
async fn credentials_are_kept_on_the_same_host() {
    let server = Hostile::start(|request| match request.path() {
        "/a" => vec![Step::Send(redirect(302, "/b"))],
        _ => vec![Step::Send(ok("hello"))],
    })
    .await;
    let (url, headers) = (server.url("/a"), secret_headers());
    open(&client(), Ask { headers: &headers, ..Ask::whole(&url) }).await.unwrap();
    assert_eq!(server.seen()[1].header("authorization"), Some("Bearer x"));
}

#[tokio::test]
async fn user_and_password_in_a_location_are_not_used() {
    let other = Hostile::saying(ok("hello")).await;
    let first = leading_to(&Url::parse(&format!("http://you:pw@{}/x", other.address)).unwrap()).await;
    assert_eq!(get(&client(), &first.url("/")).await.unwrap(), "hello");
    assert_eq!(other.seen()[0].header("authorization"), None);
}

#[tokio::test]
async fn the_range_goes_along() {
    let part =
        "HTTP/1.1 206 Part\r\nContent-Range: bytes 1-2/5\r\nETag: \"v1\"\r\nContent-Length: 2\r\n\r\nel";
    let other = Hostile::saying(part).await;
    let first = leading_to(&other.url("/x")).await;
    let (url, known) = (first.url("/"), version("\"v1\""));
    let ask = Ask { what: range(1, 3), if_range: Some(&known), ..Ask::whole(&url) };
    assert_eq!(open(&client(), ask).await.unwrap().start, 1);
    assert_eq!(other.seen()[0].header("range"), Some("bytes=1-2"));
    assert_eq!(other.seen()[0].header("if-range"), Some("\"v1\""));
}

#[tokio::test]
async fn a_client_that_follows_none_says_where_it_was_sent() {
    let redirect = RedirectPolicy { limit: 0, ..RedirectPolicy::default() };
    let client = Client::new(ClientConfig { redirect, ..config() }).unwrap();
    let server = Hostile::saying(crate::hostile::redirect(307, "/else?token=secret")).await;
    let error = open_whole(&client, &server.url("/")).await.unwrap_err();
    assert!(!error.to_string().contains("secret"), "{error}");
    let OriginError::RedirectRefused { status: 307, target: Some(target), why: Refusal::Disallowed, .. } =
        error
    else {
        panic!("{error}");
    };
    assert_eq!(target.url(), &server.url("/else?token=secret"));
}

#[tokio::test]
async fn other_schemes_are_not_followed() {
    for target in ["file:///etc/passwd", "ftp://host/x", "smb://host/share"] {
        let server = Hostile::saying(redirect(302, target)).await;
        let error = open_whole(&client(), &server.url("/")).await.unwrap_err();
        assert!(matches!(error, OriginError::RedirectRefused { why: Refusal::NotHttp, .. }), "{error}");
    }
}
