//! Whatever bytes come: an answer, and the server goes on.

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
