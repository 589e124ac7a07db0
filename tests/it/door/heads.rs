//! Requests that cannot be read, or whose head is too large.

use super::{app, check_raw, hook, raw};

#[tokio::test]
async fn what_is_no_request_is_answered_as_a_problem() {
    let (app, _project) = app(&hook(""), "").await;
    for nonsense in ["hello\r\n\r\n", "GET / HTTP/3.7\r\n\r\n", "GET /\u{1}x HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nno colon\r\n\r\n"] {
        check_raw(&raw(&app, nonsense.as_bytes()).await, "400 ", "bad-head");
    }
    let counts = app.get("/events/refused").await.body["counts"].clone();
    assert_eq!(counts, serde_json::json!([{"reason": "bad-head", "hook": null, "count": 4}]));
}

#[tokio::test]
async fn a_head_beyond_its_bounds_is_431() {
    let (app, _project) = app(&hook(""), "limits: {headers: 16KiB}\n").await;
    let many: String = (0..101).map(|number| format!("x-{number}: 1\r\n")).collect();
    check_raw(&raw(&app, format!("GET /healthz HTTP/1.1\r\n{many}\r\n").as_bytes()).await, "431 ", "head-too-large");
    let large = format!("GET /healthz HTTP/1.1\r\nx-large: {}\r\n\r\n", "x".repeat(17 << 10));
    check_raw(&raw(&app, large.as_bytes()).await, "431 ", "head-too-large");
    // Also when it does not end.
    let endless = format!("GET /healthz HTTP/1.1\r\nx-large: {}", "x".repeat(200 << 10));
    check_raw(&raw(&app, endless.as_bytes()).await, "431 ", "head-too-large");
    let fits = format!("GET /healthz HTTP/1.1\r\nconnection: close\r\nx-large: {}\r\n\r\n", "x".repeat(15 << 10));
    assert!(raw(&app, fits.as_bytes()).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_target_beyond_its_bound_is_414() {
    let (app, _project) = app(&hook(""), "limits: {uri: 1KiB, headers: 256KiB}\n").await;
    let get = |target: String| raw_get(target);
    check_raw(&raw(&app, &get(format!("/hooks/open?q={}", "x".repeat(1_024)))).await, "414 ", "uri-too-long");
    check_raw(&raw(&app, &get(format!("/{}", "x".repeat(70_000)))).await, "414 ", "uri-too-long");
    check_raw(&raw(&app, &get(format!("/hooks/{}", "x".repeat(1_000)))).await, "404 ", "no-hook");
}

#[tokio::test]
async fn a_path_with_a_bad_escape_is_told_so() {
    let (app, _project) = app(&hook(""), "").await;
    for path in ["/hooks/%", "/hooks/%zz", "/hooks/%ff", "/hooks/a%00b", "/nowhere/%c3", "/api/runs/%e0"] {
        check_raw(&raw(&app, &raw_get(path.to_owned())).await, "400 ", "bad-path");
    }
    check_raw(&raw(&app, &raw_get("/hooks/%C3%A9".to_owned())).await, "404 ", "no-hook");
    check_raw(&raw(&app, &raw_get("/nothing".to_owned())).await, "404 ", "not-found");
    check_raw(&raw(&app, b"DELETE /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await, "405 ", "wrong-method");
}

#[tokio::test]
async fn a_path_is_the_route_or_it_is_not() {
    let workflow = "when:\n  - webhook: {path: open, methods: [GET], verify: none}\n  - webhook: {path: 'orders/{id}/paid', methods: [GET], verify: none}\n  - form: {path: 'ask/{topic}', fields: {email: {type: email}}}\nsteps:\n  - stop: 1\n";
    let (app, _project) = app(workflow, "").await;
    let get = async |target: &str| raw(&app, &raw_get(target.to_owned())).await;
    for path in ["/hooks/open", "/hooks/o%70en", "/hooks/orders/7/paid", "/hooks/orders/..7/paid"] {
        assert!(get(path).await.starts_with("HTTP/1.1 202 "), "{path}");
    }
    assert!(get("/forms/ask/help").await.starts_with("HTTP/1.1 200 "));
    for path in [
        "//open",
        "///open",
        "/./open",
        "/open/",
        "/open//",
        "/open/.",
        "/x/../open",
        "/%2e/open",
        "/orders/7//paid",
        "/orders//paid",
        "/orders/./paid",
        "/orders/%2E%2e/paid",
    ] {
        check_raw(&get(&format!("/hooks{path}")).await, "404 ", "no-hook");
    }
    for path in ["//ask/help", "/ask//help", "/ask/..", "/ask/%2e", "/ask/help/"] {
        assert!(get(&format!("/forms{path}")).await.starts_with("HTTP/1.1 404 "), "{path}");
    }
    for path in ["/hooks/%2Fopen", "/hooks/orders%2f7/paid", "/forms/ask%2Fhelp"] {
        check_raw(&get(path).await, "400 ", "bad-path");
    }
    assert_eq!(app.all_runs().await.len(), 4);
}

fn raw_get(target: String) -> Vec<u8> {
    format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").into_bytes()
}
