//! What the page says and refuses, without a browser.

use serde_json::json;

use super::{ASK, decide, link, look, started};

#[tokio::test]
async fn the_page_runs_nothing_loads_nothing_and_is_kept_nowhere() {
    let hostile = ASK.replace("Refund ${event.body.amount}?", "<script>alert(1)</script>\\n\"two\" & three");
    let hostile = hostile.replace("message: <", "message: \"<").replace("\"two\" & three", "'two' & three\"");
    let (app, _project, run) = started(&hostile).await;
    let link = link(&app, run).await;
    let page = app.send(app.http.get(&link).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8")).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert!(policy.ends_with("form-action 'self'; frame-ancestors 'none'; base-uri 'none'"), "{policy}");
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), ("no-store", "no-referrer"));
    let html = page.body.as_str().unwrap();
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;\n&#39;two&#39; &amp; three"), "{html}");
    assert!(!html.contains("<script") && !html.contains("src=") && !html.contains("http"), "{html}");
    assert!(html.contains("boss@example.com") && html.contains(&run.to_string()) && html.contains("2026-03-03 09:00 UTC"), "{html}");

    let (_, style) = html.split_once("<style>").unwrap();
    let (style, _) = style.split_once("</style>").unwrap();
    use base64::Engine as _;
    let hash = ring::digest::digest(&ring::digest::SHA256, style.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(hash);
    assert!(policy.contains(&format!("'sha256-{hash}'")), "the style that is allowed is the one that is there");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_decides_nothing() {
    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    let form =
        async |body: String| app.send(app.http.post(&link).header("content-type", "application/x-www-form-urlencoded").body(body)).await;
    let long = "x".repeat(2001);
    for (body, status, words) in [
        ("comment=hm".to_owned(), 400, "Nothing was decided: send `decision=approve` or `decision=deny`"),
        ("decision=maybe".to_owned(), 400, "Nothing was decided"),
        ("decision=approve&admin=1".to_owned(), 400, "no field `admin`"),
        (
            format!("decision=approve&comment={long}"),
            400,
            "the comment has 2001 characters, and 2000 is the most".replace("the c", "The c").leak(),
        ),
        (format!("decision=approve&who={}", &long[..201]), 400, "The name has 201 characters"),
        (format!("decision=approve&comment={}", "x".repeat(40_000)), 413, "larger than 32768 bytes"),
    ] {
        let page = form(body).await;
        assert!(page.status == status && page.body.as_str().unwrap().contains(words), "{words}: {page:?}");
        assert!(page.header("content-security-policy").contains("default-src 'none'"));
    }
    for body in ["{", r#"{"decision": "maybe"}"#, r#"{"decision": "approve", "admin": true}"#, "[]"] {
        let answer = app.send(app.http.post(&link).header("content-type", "application/json").body(body)).await;
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("bad-request")), "{body}");
    }
    assert_eq!(app.send(app.http.put(&link)).await.status, 405);
    assert_eq!(look(&app, &link).await.body["status"], "open");
    let longest = decide(&app, &link, "approve", &"é\r\n".repeat(1000)).await;
    assert_eq!(longest.status, 200, "2,000 characters, line ends counted once: {longest:?}");
}
