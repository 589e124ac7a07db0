//! Where calls may go, and what goes along on a redirect.

use super::server::{Reply, Server, answer};
use super::*;

async fn call(allow: &[&str], with: Value) -> Result<Value, Failure> {
    HttpConnector::new(allowing(allow)).unwrap().call(request("get", with)).await
}

fn to(location: &str) -> Reply {
    answer("302 Found", &[&format!("Location: {location}")], "")
}

#[tokio::test]
async fn by_default_this_machine_is_refused_by_address_and_by_name() {
    let mut server = Server::ok().await;
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "2130706433", "[::ffff:127.0.0.1]"] {
        let failure = call(&[], json!({"url": format!("http://{host}:{port}/x?token=hidden")})).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::EgressRefused, "{failure}");
        assert!(failure.message.contains("`egress.allow` in hence.yaml") && !failure.message.contains("hidden"), "{failure}");
    }
    assert!(server.saw_nothing());
}

#[tokio::test]
async fn the_allow_list_opens_just_what_it_names() {
    let server = Server::ok().await;
    let port = server.address.port();
    let check = async |allow: String, host: &str, expected: bool| {
        let outcome = call(&[&allow, "[::1]:1"], json!({"url": format!("http://{host}:{port}/")})).await;
        assert_eq!(outcome.as_ref().err().map(|failure| failure.kind), (!expected).then_some(FailureKind::EgressRefused), "{allow} {host}");
    };
    check("127.0.0.0/8".to_owned(), "127.0.0.1", true).await;
    check("127.0.0.1".to_owned(), "localhost", true).await;
    check("localhost".to_owned(), "localhost", true).await;
    check(format!("localhost:{port}"), "localhost", true).await;
    check(format!("127.0.0.1:{port}"), "localhost", true).await;
    check(format!("127.0.0.1:{port}"), "127.0.0.1", true).await;
    check("localhost:1".to_owned(), "localhost", false).await;
    check("127.0.0.1:1".to_owned(), "localhost", false).await;
    check("127.0.0.1:1".to_owned(), "127.0.0.1", false).await;
    check("localhost".to_owned(), "127.0.0.1", false).await;
}

#[tokio::test]
async fn ipv6_is_called_when_it_is_allowed() {
    let mut server = Server::on("[::1]:0", vec![answer("200 OK", &[], "six")], None).await;
    let with = json!({"url": server.url("/v6")});
    assert_eq!(call(&[], with.clone()).await.unwrap_err().kind, FailureKind::EgressRefused);
    assert_eq!(call(&["::1"], with).await.unwrap()["body"], "six");
    assert_eq!(server.seen().await.line, "GET /v6");
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    for target in
        ["http://169.254.169.254/latest/meta-data/", "http://127.0.0.2:1/", "//10.0.0.1/", "http://localhost/", "file:///etc/passwd"]
    {
        let server = Server::replying(vec![to(target)]).await;
        let failure = call(&["127.0.0.1", "[::1]:9"], json!({"url": server.url("/")})).await;
        // `localhost` is 127.0.0.1 too, which is allowed here, so it fails at the connection.
        let expected = match target {
            "http://localhost/" => FailureKind::Network,
            "file:///etc/passwd" => FailureKind::BadInput,
            _ => FailureKind::EgressRefused,
        };
        assert_eq!(failure.unwrap_err().kind, expected, "{target}");
    }
}

#[tokio::test]
async fn credentials_stay_with_the_host_they_are_for() {
    let mut other = Server::ok().await;
    let mut first = Server::replying(vec![to("/again"), to(&other.url("/b"))]).await;
    let with = json!({"url": first.url("/a"), "auth": {"bearer": "s"}, "headers": {"X-Api-Key": "s", "Accept": "x/y"}});
    local().call(request("get", with)).await.unwrap();
    for line in ["GET /a", "GET /again"] {
        let seen = first.seen().await;
        assert_eq!((seen.line.as_str(), seen.header("authorization"), seen.header("x-api-key")), (line, Some("Bearer s"), Some("s")));
    }
    let seen = other.seen().await;
    assert_eq!((seen.line.as_str(), seen.header("accept"), seen.header("referer")), ("GET /b", Some("x/y"), None));
    assert_eq!((seen.header("authorization"), seen.header("x-api-key")), (None, None));
}

#[tokio::test]
async fn method_and_body_follow_as_the_status_says() {
    for (action, status, line, body) in [
        ("post", "301 Moved", "GET /b", ""),
        ("post", "302 Found", "GET /b", ""),
        ("post", "303 See Other", "GET /b", ""),
        ("put", "302 Found", "PUT /b", "hi"),
        ("put", "303 See Other", "GET /b", ""),
        ("post", "307 Temporary Redirect", "POST /b", "hi"),
        ("post", "308 Permanent Redirect", "POST /b", "hi"),
    ] {
        let mut server = Server::replying(vec![answer(status, &["Location: b#top"], ""), answer("200 OK", &[], "")]).await;
        local().call(request(action, json!({"url": server.url("/a"), "text": "hi"}))).await.unwrap();
        assert_eq!(server.seen().await.text(), "hi");
        let seen = server.seen().await;
        assert_eq!((seen.line.as_str(), seen.text()), (line, body), "{action} {status}");
        assert_eq!(seen.header("idempotency-key").is_some(), !body.is_empty());
        assert_eq!(seen.header("content-type").is_some(), !body.is_empty());
    }
}

#[tokio::test]
async fn redirects_end() {
    let check = async |redirects: Value, hops: usize| {
        let mut server = Server::replying(vec![to("/round")]).await;
        let failure = local().call(request("get", json!({"url": server.url("/"), "redirects": redirects}))).await.unwrap_err();
        assert_eq!((failure.kind, failure.status), (FailureKind::Status, Some(302)), "{failure}");
        for _ in 0..hops {
            server.seen().await;
        }
        assert!(server.saw_nothing(), "{redirects}");
    };
    check(json!(true), 6).await;
    check(json!(2), 3).await;
    check(json!(0), 1).await;
    check(json!(false), 1).await;
}
