//! What is sent.

use proptest::prelude::*;

use super::input::WITH_KEYS;
use super::server::Server;
use super::*;

async fn sent(action: &str, with: Value) -> server::Seen {
    let mut server = Server::ok().await;
    let mut with = map(with);
    with.entry("url").or_insert_with(|| json!(server.url("/in")));
    local().call(request(action, Value::Object(with))).await.unwrap();
    server.seen().await
}

fn problem(action: &str, with: Value) -> String {
    let failure = prepare(&request(action, with)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::BadInput);
    failure.message
}

fn prepared(connection: Value, with: Value) -> Result<Prepared, String> {
    prepare(&using(connection, request("post", with))).map_err(|failure| failure.message)
}

#[tokio::test]
async fn every_kind_of_body_arrives_exactly() {
    for (with, content_type, body) in [
        (json!({"json": {"b": [1, null], "a": "ü"}}), "application/json", r#"{"a":"ü","b":[1,null]}"#),
        (json!({"json": null}), "application/json", "null"),
        (
            json!({"form": {"To": "+44 1", "M": ["a&b", 2, null], "meta": {"k": true}, "items": [{"p": 1}], "no": null}}),
            "application/x-www-form-urlencoded",
            "M=a%26b&M=2&To=%2B44+1&items%5B0%5D%5Bp%5D=1&meta%5Bk%5D=true",
        ),
        (json!({"text": "hé\r\n"}), "text/plain; charset=utf-8", "hé\r\n"),
        (json!({"text": "<a/>", "headers": {"Content-Type": "application/xml"}}), "application/xml", "<a/>"),
        (json!({"xml": "<a/>"}), "application/xml", "<a/>"),
        (
            json!({"xml": {"order": {"@id": 7, "item": ["a", "b & c"]}}}),
            "application/xml",
            r#"<?xml version="1.0" encoding="UTF-8"?><order id="7"><item>a</item><item>b &amp; c</item></order>"#,
        ),
        (json!({"body": " raw "}), "application/octet-stream", " raw "),
        (json!({"body": {"base64": "AAEC"}}), "application/octet-stream", "\0\u{1}\u{2}"),
    ] {
        let seen = sent("post", with).await;
        assert_eq!((seen.header("content-type"), seen.text()), (Some(content_type), body));
        assert_eq!(seen.header("content-length"), Some(body.len().to_string().as_str()));
    }
}

#[tokio::test]
async fn multipart_carries_fields_and_files() {
    let with = json!({"multipart": {
        "note": "hi", "tag": ["a", 2],
        "doc \"x\"\r\n": {"filename": "a\".txt", "content_type": "text/plain", "content": "--boundary\r\n"},
        "raw": {"base64": "/wA="},
    }});
    let seen = sent("put", with.clone()).await;
    let content_type = seen.header("content-type").unwrap();
    let boundary = content_type.strip_prefix("multipart/form-data; boundary=").unwrap();
    let part = |head: &str, content: &[u8]| {
        [format!("--{boundary}\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(), content, b"\r\n"].concat()
    };
    let expected = [
        part("name=\"doc %22x%22%0D%0A\"; filename=\"a%22.txt\"\r\nContent-Type: text/plain", b"--boundary\r\n"),
        part("name=\"note\"", b"hi"),
        part("name=\"raw\"\r\nContent-Type: application/octet-stream", b"\xff\0"),
        part("name=\"tag\"", b"a"),
        part("name=\"tag\"", b"2"),
        format!("--{boundary}--\r\n").into_bytes(),
    ]
    .concat();
    assert_eq!(String::from_utf8_lossy(&seen.body), String::from_utf8_lossy(&expected));
    assert_eq!(seen.body, sent("put", with).await.body, "a repeated attempt sends the same bytes");
}

#[tokio::test]
async fn every_method_but_get_and_head_has_the_idempotency_key() {
    for (action, with, expected) in [
        ("get", json!({}), None),
        ("request", json!({"method": "head"}), None),
        ("post", json!({}), Some("run_1/pay/0")),
        ("put", json!({"json": 1}), Some("run_1/pay/0")),
        ("delete", json!({}), Some("run_1/pay/0")),
        ("request", json!({"method": "PATCH"}), Some("run_1/pay/0")),
        ("post", json!({"headers": {"idempotency-key": "mine"}}), Some("mine")),
        ("get", json!({"headers": {"Idempotency-Key": "mine"}}), Some("mine")),
    ] {
        let seen = sent(action, with.clone()).await;
        assert_eq!(seen.header("idempotency-key"), expected, "{action} {with}");
        assert_eq!(seen.header("user-agent"), Some(concat!("hence/", env!("CARGO_PKG_VERSION"))));
        assert!(seen.line.ends_with(" /in") && seen.header("cookie").is_none(), "{}", seen.line);
    }
}

#[tokio::test]
async fn credentials_and_queries_are_put_in() {
    let url = "http://127.0.0.1/in?a=1#top";
    for (auth, header, expected) in [
        (json!({"bearer": "t0k"}), "authorization", "Bearer t0k"),
        (json!({"basic": {"user": "ada", "password": "pa:ss"}}), "authorization", "Basic YWRhOnBhOnNz"),
        (json!({"basic": {"user": "key"}}), "authorization", "Basic a2V5Og=="),
        (json!({"header": {"name": "X-Api-Key", "value": "k"}}), "x-api-key", "k"),
    ] {
        assert_eq!(sent("get", json!({"auth": auth})).await.header(header), Some(expected));
    }
    let with = json!({"url": url, "query": {"q": "x y", "l": [1, 2], "n": null}, "auth": {"query": {"name": "key", "value": "s&"}}});
    assert_eq!(prepared(json!({}), with).unwrap().url.as_str(), "http://127.0.0.1/in?a=1&l=1&l=2&q=x+y&key=s%26");
    let user = prepared(json!({}), json!({"url": "http://ada:p%40+@127.0.0.1/"})).unwrap();
    assert_eq!((user.url.as_str(), user.headers["authorization"].to_str().unwrap()), ("http://127.0.0.1/", "Basic YWRhOnBAKw=="));
}

#[test]
fn what_is_nearer_to_the_call_wins() {
    let connection = json!({"auth": {"bearer": "connection"}, "headers": {"X-A": "1", "X-B": "2", "User-Agent": "own"}});
    let shown = |with: Value| {
        let headers = prepared(connection.clone(), with).unwrap().headers;
        ["authorization", "x-a", "x-b", "user-agent"].map(|name| headers.get(name).map(|value| value.to_str().unwrap().to_owned()))
    };
    let some = |text: &str| Some(text.to_owned());
    let url = "https://example.com/";
    assert_eq!(shown(json!({"url": url})), [some("Bearer connection"), some("1"), some("2"), some("own")]);
    assert_eq!(
        shown(json!({"url": url, "auth": {"bearer": "step"}, "headers": {"x-a": null, "X-B": 3}})),
        [some("Bearer step"), None, some("3"), some("own")]
    );
    assert_eq!(shown(json!({"url": url, "headers": {"authorization": "Own"}}))[0], some("Own"));
}

#[test]
fn relative_urls_go_below_the_base() {
    let check = |base: &str, url: &str, expected: Result<&str, &str>| match (
        prepared(json!({"base_url": base}), json!({"url": url})).map(|p| p.url.to_string()),
        expected,
    ) {
        (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{base} {url}"),
        (Err(said), Err(part)) => assert!(said.contains(part), "{said}"),
        (found, _) => panic!("{base} {url}: {found:?}"),
    };
    let base = "https://api.example.com/v1/";
    check(base, "/users", Ok("https://api.example.com/v1/users"));
    check(base, "users?x=1", Ok("https://api.example.com/v1/users?x=1"));
    check(base, "?x=https://y", Ok("https://api.example.com/v1?x=https://y"));
    check(base, "", Ok("https://api.example.com/v1"));
    check(base, "@evil.com", Ok("https://api.example.com/v1/@evil.com"));
    check(base, "//evil.com", Ok("https://api.example.com/v1//evil.com"));
    check(base, "https://api.example.com/v2", Ok("https://api.example.com/v2"));
    check(base, "https://evil.com/v1", Err("leads to https://evil.com/v1"));
    check(base, "http://api.example.com/v1", Err("leads to http://"));
    check(base, "/../admin", Err("leads out"));
    check(base, "/%2e%2E/v12", Err("leads out"));
    check(base, "/\t..\\admin", Err("leads out"));
    check("https://api.example.com/?a=b", "/x", Err("query"));
    check("api.example.com", "/x", Err("`base_url` cannot be read"));
}

#[test]
fn an_input_that_cannot_be_used_is_named_with_what_would_be_right() {
    let url = "https://example.com/?secret=1";
    for (action, with, part) in [
        ("get", json!("x"), "`with` is a text"),
        ("get", json!({}), "`with` needs `url`"),
        ("get", json!({"url": "/users"}), "`base_url`"),
        ("get", json!({"url": "localhost:80/x"}), "http://localhost"),
        ("get", json!({"url": ["x"]}), "expected a text"),
        ("get", json!({"url": "https://"}), "`url`"),
        ("get", json!({"url": url, "header": {}}), "unknown key `header`; did you mean `headers`?"),
        ("get", json!({"url": url, "zzz": 1}), "it may have url, method"),
        ("get", json!({"url": url, "pages": 1}), "`pages` is not supported yet"),
        ("post", json!({"url": url, "xml": {"a": 1, "b": 2}}), "one root element"),
        ("post", json!({"url": url, "xml": ["a"]}), "`xml` is a list"),
        ("post", json!({"url": url, "json": 1, "text": "x"}), "both `json` and `text`"),
        ("post", json!({"url": url, "body": [1]}), "`body` is a list"),
        ("post", json!({"url": url, "body": {"base64": "?"}}), "`base64`"),
        ("post", json!({"url": url, "multipart": {"f": {"filename": "x"}}}), "`multipart.f` needs one of"),
        ("post", json!({"url": url, "multipart": {"f": {"content": "", "content_type": "a\r\nb"}}}), "line break"),
        ("post", json!({"url": url, "multipart": {}, "headers": {"content-type": "x/y"}}), "Content-Type"),
        ("get", json!({"url": url, "headers": {"a b": 1}}), "`a b` is not a header name"),
        ("get", json!({"url": url, "headers": {"A": "1\r\nB: 2"}}), "line break"),
        ("get", json!({"url": url, "headers": {"Content-Length": 1}}), "leave `Content-Length` out"),
        ("get", json!({"url": url, "auth": {"beare": "x"}}), "did you mean `bearer`?"),
        ("get", json!({"url": url, "auth": {"bearer": "x", "basic": {}}}), "exactly one"),
        ("get", json!({"url": url, "auth": {"basic": {"user": "a:b"}}}), "colon"),
        ("get", json!({"url": url, "redirects": 21}), "0 to 20"),
        ("get", json!({"url": url, "max_body": "big"}), "`max_body` is a text"),
        ("get", json!({"url": url, "method": "GET"}), "does not go with `http.get`"),
        ("request", json!({"url": url}), "needs `method`"),
        ("request", json!({"url": url, "method": "PSOT"}), "did you mean `POST`?"),
        ("get", json!({"url": url, "expect": "fine"}), "`fine` is not a status"),
    ] {
        let said = problem(action, with);
        assert!(said.contains(part) && !said.contains("secret"), "{said}");
    }
    let failure = prepare(&using(json!({"token": 1}), request("get", json!({"url": url})))).unwrap_err();
    assert!(failure.message.contains("the connection has an unknown key `token`"), "{failure}");
}

#[test]
fn a_dry_run_shows_the_request_and_debug_does_not() {
    let with = json!({"url": "https://example.com/x?k=secret", "json": {"a": 1}, "auth": {"bearer": "secret"}});
    let prepared = prepared(json!({}), with).unwrap();
    let agent = concat!("hence/", env!("CARGO_PKG_VERSION"));
    let headers = json!({
        "authorization": "Bearer secret", "content-type": "application/json", "idempotency-key": "run_1/pay/0", "user-agent": agent,
    });
    let expected = json!({"method": "POST", "url": "https://example.com/x?k=secret", "headers": headers, "body": {"a": 1}});
    assert_eq!(prepared.to_value(), expected);
    assert_eq!(format!("{prepared:?}"), "Prepared(\"POST https://example.com/x\")");
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf =
        prop_oneof![Just(json!(null)), any::<bool>().prop_map(Value::from), any::<i64>().prop_map(Value::from), ".*".prop_map(Value::from)];
    leaf.prop_recursive(3, 12, 4, |inner| {
        let key = prop_oneof!["bearer|basic|header|query|user|password|name|value|content|base64", ".*"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_input_panics(key in proptest::sample::select(&WITH_KEYS[..]), value in any_value()) {
        let mut with = map(json!({"url": "https://example.com/"}));
        with.insert(key.to_owned(), value);
        if let Ok(prepared) = prepare(&request("post", Value::Object(with))) {
            prop_assert!(prepared.to_value().is_object());
        }
    }

    #[test]
    fn no_relative_url_leaves_its_base(url in "[./\\\\%2eE@:?#a\t -]{0,12}|.*") {
        let connection = json!({"base_url": "https://api.example.com/v1", "auth": {"bearer": "s"}});
        if let Ok(prepared) = prepared(connection, json!({"url": url})) {
            let found = prepared.url.as_str();
            prop_assert!(found.starts_with("https://api.example.com/v1"), "{}", found);
            prop_assert!(matches!(found.as_bytes().get(26), None | Some(b'/' | b'?')), "{}", found);
        }
    }
}
