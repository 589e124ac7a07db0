//! Forms with a page: what it shows, what it wants, and who is no person.

use std::time::Duration;

use serde_json::json;

use super::{SERVED, app, count, fetch, html, output, post, request, stamp, stamp_of};
use crate::support::TestApp;

/// All that has to be there.
const FINE: [(&str, &str); 3] = [("name", "Ada"), ("email", "ada@example.com"), ("agree", "yes")];

fn with<'f>(stamp: &'f str, fields: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    [("_form", stamp)].into_iter().chain(fields.iter().copied()).collect()
}

/// A page that was loaded a while ago.
async fn open(app: &TestApp) -> String {
    let stamp = stamp(app, "contact").await;
    app.clock.advance(Duration::from_secs(10));
    stamp
}

#[tokio::test]
async fn a_page_is_filled_in_sent_and_thanked_for() {
    let (app, _project) = app(SERVED).await;
    let page = app.send(request(&app, reqwest::Method::GET, "contact")).await;
    let shown = html(&page);
    for part in [
        "<title>Write to us</title>",
        "<label for=\"f-name\">Name <span class=\"must\" aria-hidden=\"true\">*</span></label>",
        "<input type=\"text\" id=\"f-name\" name=\"name\" value=\"\" maxlength=\"20\" required>",
        "<input type=\"email\" id=\"f-email\" name=\"email\" value=\"\" autocomplete=\"email\" required aria-describedby=\"h-email\">",
        "<p class=\"hint\" id=\"h-email\">We answer there.</p>",
        "<input type=\"number\" id=\"f-age\" name=\"age\" value=\"\" min=\"18\" step=\"any\">",
        "<legend>Topics</legend>",
        "<label for=\"f-topics-1\">Bees</label>",
        // Before any field, so that it comes before any file.
        "autocomplete=\"off\"></div>\n<p class=\"hint\">What is marked",
        "<button type=\"submit\">Send</button>",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("web\"") && !shown.contains("<script") && !shown.contains("multipart"), "{shown}");
    let policy = page.header("content-security-policy");
    assert!(policy.contains("form-action 'self'; frame-ancestors 'none'; base-uri 'none'"), "{policy}");

    app.clock.advance(Duration::from_secs(10));
    let more = [("age", "36"), ("topics", "b"), ("topics", "a"), ("origin", "changed"), ("admin", "1")];
    let answer = post(&app, "contact", &with(stamp_of(shown), &[&FINE[..], &more].concat())).await;
    assert_eq!((answer.status, answer.header("location")), (303, "?sent"), "{answer:?}");
    let expected = json!({"name": "Ada", "email": "ada@example.com", "age": 36, "topics": ["a", "b"], "agree": true, "origin": "web"});
    assert_eq!(output(&app).await, expected);
    let thanks = app.send(request(&app, reqwest::Method::GET, "contact?sent")).await;
    assert!(thanks.status == 200 && html(&thanks).contains("Thank you. We have received what you sent."), "{thanks:?}");
}

#[tokio::test]
async fn mistakes_are_shown_at_their_fields_and_what_was_written_stays() {
    let (app, _project) = app(SERVED).await;
    let stamp = open(&app).await;
    let fields = [("name", "<b>\"Ada\"</b> & a name that is too long"), ("email", "nowhere"), ("age", "17"), ("topics", "b")];
    let answer = post(&app, "contact", &with(&stamp, &fields)).await;
    assert_eq!(answer.status, 422);
    let shown = html(&answer);
    for part in [
        "<title>Not sent yet: Write to us</title>",
        "<a href=\"#f-name\">Name</a>: Write at most 20 characters; these are 38.",
        "<a href=\"#f-email\">Email</a>: Write an address such as ada@example.com.",
        "<p class=\"wrong\" id=\"w-age\">Write a number from 18 on.</p>",
        "value=\"&lt;b&gt;&quot;Ada&quot;&lt;/b&gt; &amp; a name that is too long\"",
        "aria-invalid=\"true\" aria-describedby=\"h-email w-email\"",
        "name=\"topics\" value=\"b\" checked",
        "<a href=\"#f-agree\">I agree</a>: Tick this box.",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert_eq!(count(&app).await, 0);
    // Mended at once: the page was open for long enough all the same.
    assert_eq!(stamp_of(shown), stamp);
    let answer = post(&app, "contact", &with(stamp_of(shown), &FINE)).await;
    assert_eq!(answer.status, 303, "{answer:?}");

    let problem = fetch(&app, "contact", &with(&stamp, &[("name", "Ada"), ("agree", "yes")])).await;
    assert_eq!((problem.status, &problem.body["code"]), (422, &json!("invalid-form")));
    assert_eq!(problem.body["errors"], json!([{"field": "email", "message": "Fill this in."}]));
}

#[tokio::test]
async fn who_is_too_quick_is_asked_to_send_it_once_more() {
    let (app, _project) = app(SERVED).await;
    let stamp = stamp(&app, "contact").await;
    let answer = post(&app, "contact", &with(&stamp, &FINE)).await;
    assert_eq!((answer.status, count(&app).await), (422, 0));
    app.clock.advance(Duration::from_millis(1_999));
    assert_eq!((post(&app, "contact", &with(&stamp, &FINE)).await.status, count(&app).await), (422, 0));
    assert_eq!(app.get("/stats").await.body["forms_not_taken"], json!({"honeypot": 0, "too_quick": 2}));
    // The page that asked for it knows that it was open for long enough; what was written is in it.
    assert!(html(&answer).contains("very quick") && html(&answer).contains("ada@example.com"), "{answer:?}");
    assert_eq!((post(&app, "contact", &with(stamp_of(html(&answer)), &FINE)).await.status, count(&app).await), (303, 1));
    app.clock.advance(Duration::from_millis(1));
    assert_eq!((post(&app, "contact", &with(&stamp, &FINE)).await.status, count(&app).await), (303, 2));
}

#[tokio::test]
async fn a_page_that_is_old_or_not_ours_is_shown_again_with_what_was_written() {
    let (app, _project) = app(SERVED).await;
    let stamp = open(&app).await;
    app.clock.advance(Duration::from_secs(24 * 3_600));
    let again = post(&app, "contact", &with(&stamp, &FINE)).await;
    assert!(again.status == 422 && html(&again).contains("This page was open for a long time."), "{again:?}");
    assert!(html(&again).contains("value=\"ada@example.com\""), "{again:?}");
    let sent = post(&app, "contact", &with(stamp_of(html(&again)), &FINE)).await;
    assert_eq!((sent.status, count(&app).await), (303, 1), "at once, since the person has written it before");

    for fields in [FINE.to_vec(), with("1.x", &FINE), with("", &FINE)] {
        let again = post(&app, "contact", &fields).await;
        assert!(again.status == 422 && html(&again).contains("send it once more"), "{again:?}");
        assert_eq!(count(&app).await, 1);
    }
    let problem = fetch(&app, "contact", &FINE).await;
    let error = &problem.body["errors"][0];
    assert_eq!((problem.status, &error["field"]), (422, &json!("_form")), "{problem:?}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("`_form` is missing") && message.contains("/forms/contact, which GET serves"), "{message}");
    assert_eq!(count(&app).await, 1);
    // A script sends what it was told to.
    let taken = fetch(&app, "contact", &with(error["value"].as_str().unwrap(), &FINE)).await;
    assert_eq!((taken.status, count(&app).await), (202, 2), "{taken:?}");
    let problem = fetch(&app, "contact", &[("name", "Ada")]).await;
    let fields: Vec<&str> = problem.body["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["email", "agree", "_form"], "all at once");
}

#[tokio::test]
async fn another_site_that_may_sends_its_own_page() {
    let (app, _project) = app(&SERVED.replace("title:", "cors: {origins: https://www.example.com}\n      title:")).await;
    let send = async |origin: &str| {
        let request = request(&app, reqwest::Method::POST, "contact").header("origin", origin);
        app.send(request.form(&FINE)).await.status
    };
    assert_eq!((send("https://www.example.com").await, count(&app).await), (303, 1));
    assert_eq!((send("https://evil.example").await, count(&app).await), (422, 1));
    let page = app.send(request(&app, reqwest::Method::GET, "contact")).await;
    assert!(page.header("content-security-policy").contains("frame-ancestors https://www.example.com;"), "{page:?}");
    assert_eq!(page.header("x-frame-options"), "");
}

#[tokio::test]
async fn a_redirect_to_another_site_is_allowed_by_the_pages_policy() {
    let (app, _project) = app(&SERVED.replace("title:", "redirect: https://www.example.com/thanks?a=1\n      title:")).await;
    let page = app.send(request(&app, reqwest::Method::GET, "contact?sent")).await;
    let policy = page.header("content-security-policy");
    assert!(html(&page).contains("f-name") && policy.contains("form-action 'self' https://www.example.com;"), "{policy}");
    let stamp = open(&app).await;
    let answer = post(&app, "contact", &with(&stamp, &FINE)).await;
    assert_eq!((answer.status, answer.header("location")), (303, "https://www.example.com/thanks?a=1"));
}
