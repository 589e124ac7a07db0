//! Whatever bytes come: an answer, and the server goes on.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::{PLAIN, app, fetch};

/// Parts, whole and torn, and bytes between them.
fn bodies() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"--x\r\n".to_vec()),
        Just(b"--x--\r\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r\n\r\n".to_vec()),
        Just(b"Content-Disposition: form-data; name=\"a\"".to_vec()),
        Just(b"Content-Disposition: form-data; name=\"f\"; filename=\"a.png\"\r\nContent-Type: image/png".to_vec()),
        Just(b"content-disposition: form-data; name=\"\\\"; filename=\"".to_vec()),
        Just(b"Content-Disposition: form-data; name=; filename=\xff\xfe".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
        "[ -~]{0,20}".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

#[test]
fn no_bytes_are_too_much_for_it() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (app, _project) = runtime.block_on(app(PLAIN));
    let types = ["multipart/form-data; boundary=x", "multipart/form-data; boundary=\"x\"; boundary=y", "application/x-www-form-urlencoded"];
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    let sent = runner.run(&(bodies(), 0..types.len()), |(body, kind)| {
        let request = app.http.post(format!("{}/forms/join/news", app.url)).header("content-type", types[kind]);
        let answer = runtime.block_on(app.send(request.header("accept", "application/json").body(body)));
        prop_assert!([202, 400, 413, 422].contains(&answer.status), "{:?}", answer);
        Ok(())
    });
    sent.unwrap();
    assert_eq!(runtime.block_on(fetch(&app, "join/news", &[("email", "ada@example.com")])).status, 202);
}

#[tokio::test]
async fn what_is_said_of_a_body_does_not_depend_on_its_pieces() {
    let (app, _project) = app(PLAIN).await;
    let door = app.app.intake.form("join/news").unwrap();
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("multipart/form-data; boundary=x"))]);
    for (body, is_form) in
        [("--x--", true), ("--x--A\r\n", true), ("--x--\r\nand more", true), ("before\r\n--x--", false), ("--y--\r\n", false)]
    {
        for length in [1, 5, body.len()] {
            let pieces: Vec<_> = body.as_bytes().chunks(length).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))).collect();
            let read = app.app.intake.read_form(&door, "", &headers, futures_util::stream::iter(pieces)).await;
            assert_eq!(read.is_ok(), is_form, "{body:?} in pieces of {length}: {:?}", read.err());
        }
    }
}
