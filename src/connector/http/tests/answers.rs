//! What comes back, or does not.

use super::server::{Reply, Server, answer};
use super::*;
use crate::clock::ManualClock;
use crate::domain::time::Timestamp;

/// `{"a":1}`, as `gzip -9n` writes it.
const ZIPPED: &[u8] = &[31, 139, 8, 0, 0, 0, 0, 0, 2, 3, 171, 86, 74, 84, 178, 50, 172, 5, 0, 175, 172, 27, 86, 7, 0, 0, 0];

async fn get(server: &Server, with: Value) -> Result<Value, Failure> {
    let mut with = map(with);
    with.insert("url".to_owned(), json!(server.url("/a?token=hidden")));
    let outcome = local().call(request("get", Value::Object(with))).await;
    if let Err(failure) = &outcome {
        assert!(failure.message.contains(&server.url("/a")) && !failure.message.contains("hidden"), "{failure}");
    }
    outcome
}

async fn check(headers: &[&str], body: impl AsRef<[u8]>, expected: Value) {
    let output = get(&Server::answering("200 OK", headers, body).await, json!({})).await.unwrap();
    assert_eq!((&output["status"], &output["body"]), (&json!(200), &expected));
}

#[tokio::test]
async fn the_output_is_what_the_answer_was() {
    check(&["content-type: application/json"], "{\"a\": [1, null]}", json!({"a": [1, null]})).await;
    check(&["content-type: application/vnd.api+json; charset=utf-8"], "1", json!(1)).await;
    check(&["content-type: text/plain"], "1", json!("1")).await;
    check(&[], b"\xff\0", json!("/wA=")).await;
    check(&[], "", json!(null)).await;
    check(&["content-type: application/json", "content-encoding: gzip"], ZIPPED, json!({"a": 1})).await;
    let server = Server::answering("201 Created", &["X-Id: 7", "Via: a", "Via: b"], "").await;
    let output = get(&server, json!({})).await.unwrap();
    assert_eq!((&output["status"], &output["headers"]["x-id"], &output["headers"]["via"]), (&json!(201), &json!("7"), &json!("a, b")));
}

#[tokio::test]
async fn a_head_request_has_no_body_to_read() {
    for encoding in ["identity", "gzip"] {
        let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-encoding: {encoding}\r\ncontent-length: 99999999\r\n\r\n");
        let server = Server::replying(vec![Reply::Bytes(head.into_bytes())]).await;
        let output = local().call(request("request", json!({"method": "HEAD", "url": server.url("/")}))).await.unwrap();
        assert_eq!(output["body"], json!(null), "{encoding}");
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let kept = Reply::Kept(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1".to_vec());
    let server = Server::replying(vec![kept, answer("500 Second Connection", &[], "")]).await;
    let connector = local();
    for _ in 0..3 {
        assert_eq!(connector.call(request("get", json!({"url": server.url("/")}))).await.unwrap()["body"], "1");
    }
}

#[tokio::test]
async fn an_unexpected_status_says_what_the_other_side_said() {
    let server = Server::answering("422 Unprocessable Entity", &["content-type: application/json"], "{\"why\":\n  \"no phone\"}").await;
    let failure = get(&server, json!({})).await.unwrap_err();
    assert_eq!(failure.message, format!("GET {} answered 422 Unprocessable Entity: {{\"why\": \"no phone\"}}", server.url("/a")));
    assert_eq!((failure.kind, failure.status, failure.is_transient()), (FailureKind::Status, Some(422), false));
    assert_eq!(failure.detail, Some(json!({"why": "no phone"})));
    assert_eq!(get(&server, json!({"expect": ["2xx", 422]})).await.unwrap()["body"]["why"], json!("no phone"));
    let failure = get(&Server::ok().await, json!({"expect": 204})).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::Status, Some(200)));
    assert!(failure.message.contains("200 OK, which `expect` does not name"), "{failure}");
}

#[tokio::test]
async fn a_long_error_is_cut_in_message_and_detail() {
    let server = Server::answering("500 Oops", &["content-type: application/json"], format!("[\"{}\"]", "ü".repeat(100_000))).await;
    let failure = get(&server, json!({})).await.unwrap_err();
    assert!(failure.is_transient() && failure.message.chars().count() < EXCERPT_CHARS + 100, "{failure}");
    let detail = failure.detail.unwrap();
    assert!((8_000..=8_200).contains(&detail.as_str().unwrap().len()));
}

#[tokio::test]
async fn retry_after_is_passed_on_in_both_forms() {
    for (headers, expected_ms) in [
        (&["Retry-After: 7"][..], 7_000),
        (&["Retry-After: Sun, 01 Mar 2026 09:01:00 GMT"], 60_000),
        (&["Retry-After: Sun, 01 Mar 2026 10:00:05 GMT", "Date: Sun, 01 Mar 2026 10:00:00 GMT"], 5_000),
    ] {
        let server = Server::answering("429 Too Many Requests", headers, "").await;
        let now: Timestamp = "2026-03-01T09:00:00Z".parse().unwrap();
        let settings = HttpSettings { clock: Arc::new(ManualClock::new(now)), ..allowing(&["127.0.0.1"]) };
        let failure = HttpConnector::new(settings).unwrap().call(request("get", json!({"url": server.url("/")}))).await.unwrap_err();
        assert_eq!((failure.status, failure.retry_after_ms, failure.is_transient()), (Some(429), Some(expected_ms), true));
    }
}

#[tokio::test]
async fn a_receiver_that_never_answers_is_a_timeout() {
    let mut server = Server::replying(vec![Reply::Never]).await;
    let with = json!({"url": server.url("/slow?token=hidden")});
    let failure = local().call(Request { timeout: Duration::from_millis(50), ..request("post", with) }).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Timeout);
    assert!(failure.message.contains("/slow gave no whole answer within 50ms") && !failure.message.contains("hidden"), "{failure}");
    assert_eq!(server.seen().await.line, "POST /slow?token=hidden");
}

#[tokio::test]
async fn a_connection_that_breaks_is_a_network_failure() {
    let check = async |bytes: &[u8], part: &str| {
        let failure = get(&Server::replying(vec![Reply::Bytes(bytes.to_vec())]).await, json!({})).await.unwrap_err();
        assert_eq!(failure.kind, FailureKind::Network, "{failure}");
        assert!(failure.message.contains(part), "{failure}");
    };
    check(b"", "no answer").await;
    check(b"HTTP/1.1 200 OK\r\ncontent-le", "no answer").await;
    check(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc", "broke off").await;
    check(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nab", "broke off").await;
    let half = &ZIPPED[..ZIPPED.len() / 2];
    check(&[b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 27\r\n\r\n", half].concat(), "broke off").await;
    check(b"220 smtp ready\r\n", "no answer").await;
}

#[tokio::test]
async fn nobody_listening_is_said_in_words() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let failure = local().call(request("get", json!({"url": url}))).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Network);
    assert!(failure.message.contains("nothing listens"), "{failure}");
}

#[tokio::test]
async fn an_answer_beyond_the_limit_is_not_read() {
    let too_large = async |server: Server, with: Value| {
        let failure = get(&server, with).await.unwrap_err();
        assert_eq!((failure.kind, failure.status), (FailureKind::AnswerTooLarge, Some(200)), "{failure}");
    };
    too_large(Server::answering("200 OK", &[], vec![b'x'; 11]).await, json!({"max_body": 10})).await;
    let streamed = [b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n".as_slice(), &[b'x'; 100_000]].concat();
    too_large(Server::replying(vec![Reply::Bytes(streamed)]).await, json!({"max_body": 50_000})).await;
    assert_eq!(get(&Server::answering("200 OK", &[], "0123456789").await, json!({"max_body": 10})).await.unwrap()["body"], "0123456789");
    let more = json!({"url": "http://127.0.0.1/", "max_body": DEFAULT_MAX_ANSWER_BYTES + 1});
    let failure = local().call(request("get", more)).await.unwrap_err();
    assert!(failure.kind == FailureKind::BadInput && failure.message.contains("this server's limit"), "{failure}");
}

#[tokio::test]
async fn a_gzip_bomb_is_stopped_at_the_limit() {
    let bomb = bomb(1 << 28);
    assert!(bomb.len() < 2 << 20);
    let server = Server::answering("200 OK", &["content-encoding: gzip"], bomb).await;
    assert_eq!(get(&server, json!({})).await.unwrap_err().kind, FailureKind::AnswerTooLarge);
}

#[tokio::test]
async fn broken_compression_is_a_bad_answer() {
    for (at, byte) in [(0, 0), (10, 0xff), (ZIPPED.len() - 5, 0xff)] {
        let mut broken = ZIPPED.to_vec();
        broken[at] = byte;
        let server = Server::answering("200 OK", &["content-encoding: gzip"], broken).await;
        let failure = get(&server, json!({})).await.unwrap_err();
        assert_eq!((failure.kind, failure.is_transient()), (FailureKind::BadAnswer, false), "{failure}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_when_it_is_expected_or_not_followed() {
    let server = Server::replying(vec![answer("302 Found", &["Location: /b"], "")]).await;
    assert_eq!(get(&server, json!({"expect": "3xx"})).await.unwrap()["headers"]["location"], "/b");
    let failure = get(&server, json!({"redirects": false})).await.unwrap_err();
    assert_eq!((failure.kind, failure.status), (FailureKind::Status, Some(302)));
}

/// A gzip stream of that many zeros: one fixed-Huffman block (RFC 1951, 3.2.6) of "258 times the byte before".
fn bomb(bytes: usize) -> Vec<u8> {
    let mut bits = vec![1, 1, 0];
    bits.extend([0, 0, 1, 1, 0, 0, 0, 0]);
    let again = [1, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0];
    bits.extend(std::iter::repeat_n(again, bytes / 258).flatten());
    bits.extend([0; 7]);
    let packed = bits.chunks(8).map(|byte| byte.iter().rev().fold(0, |sum: u8, bit| sum << 1 | bit));
    [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter().chain(packed).collect()
}
