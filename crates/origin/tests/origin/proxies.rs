//! Through a proxy, past it, and when it says no.

use dray_origin::{Client, ClientConfig, OriginError, ProxyChoice};
use url::Url;

use crate::hostile::{Hostile, get, ok, open_whole};

fn through(proxy: &Hostile, bypass: &str) -> Client {
    let proxy = Url::parse(&format!("http://me:pw@{}", proxy.address)).unwrap();
    let proxy = ProxyChoice::Explicit { proxy, bypass: bypass.into() };
    Client::new(ClientConfig { proxy, ..ClientConfig::default() }).unwrap()
}

#[tokio::test]
async fn a_proxy_is_asked_for_the_whole_url_with_its_own_credentials() {
    let proxy = Hostile::saying(ok("hello")).await;
    let url = Url::parse("http://origin.invalid/file").unwrap();
    assert_eq!(get(&through(&proxy, ""), &url).await.unwrap(), "hello");
    let request = &proxy.seen()[0];
    assert_eq!(request.path(), "http://origin.invalid/file");
    assert_eq!(request.header("proxy-authorization"), Some("Basic bWU6cHc="));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn hosts_on_the_bypass_list_are_asked_directly() {
    let proxy = Hostile::saying(ok("proxy")).await;
    let origin = Hostile::saying(ok("origin")).await;
    assert_eq!(get(&through(&proxy, "example.org, 127.0.0.0/8"), &origin.url("/")).await.unwrap(), "origin");
    assert_eq!(get(&through(&proxy, "example.org"), &origin.url("/")).await.unwrap(), "proxy");
}

#[tokio::test]
async fn a_proxy_that_opens_no_tunnel_is_blamed() {
    let url = Url::parse("https://origin.invalid/file?secret").unwrap();
    for status in ["407 Proxy Authentication Required", "502 Bad Gateway", "403 Forbidden"] {
        let proxy = Hostile::saying(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n")).await;
        let error = open_whole(&through(&proxy, ""), &url).await.unwrap_err();
        assert!(matches!(error, OriginError::Proxy { .. }), "{status}: {error}");
        let text = error.to_string();
        assert!(!text.contains("secret") && !text.contains("pw"), "{text}");
        assert!(proxy.seen()[0].head.starts_with("CONNECT origin.invalid:443 "));
    }
}
