//! `schema` of a form: what does not fit is told where it was filled in.

use std::time::Duration;

use serde_json::json;

use super::files::{file, send};
use super::{PLAIN, app, count, fetch, html, output, part, post, stamp};

const SERVED: &str = "
when:
  - form:
      path: order
      fields:
        product: {required: true, label: Which product}
        amount: {type: number, required: true}
        colours: {type: checkbox, options: [red, green, blue]}
        from: {type: hidden, value: web}
      schema:
        required: [voucher]
        properties:
          product: {type: string, pattern: '^[A-Z]', maxLength: 4}
          amount: {multipleOf: 6, maximum: 60}
          colours: {maxItems: 1, items: {not: {const: blue}}}
          from: {const: shop}
steps:
  - stop: event.body
";

#[tokio::test]
async fn what_does_not_fit_is_shown_at_its_field() {
    let (app, _project) = app(SERVED).await;
    let stamp = stamp(&app, "order").await;
    app.clock.advance(Duration::from_secs(10));
    let fields = [("_form", stamp.as_str()), ("product", "apples & <b>"), ("amount", "61"), ("colours", "red"), ("colours", "blue")];
    let answer = post(&app, "order", &fields).await;
    let shown = html(&answer);
    assert_eq!((answer.status, count(&app).await), (422, 0));
    for part in [
        "<a href=\"#f-product\">Which product</a>: This has 12 characters, the most is 4.",
        "<a href=\"#f-product\">Which product</a>: This does not match the pattern `^[A-Z]`.",
        "<p class=\"wrong\" id=\"w-amount\">This is more than 60. This is no multiple of 6.</p>",
        "<a href=\"#f-colours-0\">Colours</a>: In this, `1` ",
        "<li>In what was sent, `/voucher` is missing.</li>",
        "<li>In what was sent, `/from` is not &quot;shop&quot;.</li>",
        "value=\"apples &amp; &lt;b&gt;\"",
        "aria-describedby=\"w-amount\"",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    assert!(!shown.contains("id=\"w-from\"") && !shown.contains("#f-from"), "{shown}");

    let problem = fetch(&app, "order", &fields).await;
    assert_eq!((problem.status, &problem.body["code"]), (422, &json!("invalid-form")), "{problem:?}");
    let told: Vec<(&str, &str)> = problem.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| (error["path"].as_str().unwrap(), error["field"].as_str().unwrap()))
        .collect();
    let expected = [
        ("/amount", "amount"),
        ("/amount", "amount"),
        ("/colours", "colours"),
        ("/colours/1", "colours"),
        ("/from", ""),
        ("/product", "product"),
        ("/product", "product"),
        ("/voucher", ""),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn fields_come_before_the_schema_and_what_fits_is_taken() {
    let workflow = SERVED.replace("required: [voucher]", "type: object").replace("{const: shop}", "{const: web}");
    let (app, _project) = app(&workflow).await;
    let stamp = stamp(&app, "order").await;
    app.clock.advance(Duration::from_secs(10));
    let problem = fetch(&app, "order", &[("_form", &stamp), ("product", "apples"), ("amount", "many")]).await;
    assert_eq!(problem.body["errors"], json!([{"field": "amount", "message": "Write a number, with digits and a point."}]));
    assert_eq!(fetch(&app, "order", &[("_form", &stamp), ("product", "Pear"), ("amount", "12"), ("colours", "red")]).await.status, 202);
    assert_eq!(output(&app).await, json!({"product": "Pear", "amount": 12, "colours": ["red"], "from": "web"}));
}

#[tokio::test]
async fn a_form_of_another_page_is_held_against_a_file_and_leaves_no_files() {
    let workflow = PLAIN.replace("      honeypot", "      schema: schemas/join.json\n      honeypot");
    let project = crate::support::Project::of(&workflow);
    project.write(
        "schemas/join.json",
        r#"{"required": ["email"], "properties": {"email": {"format": "email"}}, "additionalProperties": false}"#,
    );
    let app = crate::support::TestApp::start(&project, crate::support::Recorder::fine()).await;
    let photo = file("photo", "a.png", "image/png", &[7; 100]);
    let problem = send(&app, "application/json", &[part("a/b~c", "1").into_bytes(), photo.clone()]).await;
    let expected = json!([
        {"field": "a/b~c", "message": "This is not allowed here.", "path": "/a~1b~0c"},
        {"field": "email", "message": "This is missing.", "path": "/email"},
    ]);
    assert_eq!((problem.status, &problem.body["errors"]), (422, &expected), "{problem:?}");
    let page = post(&app, "join/news", &[("email", "nowhere")]).await;
    assert!(page.status == 422 && html(&page).contains("<li>email: This is not a valid email.</li>"), "{page:?}");
    assert!(app.store.pieces.lock().unwrap().is_empty());
    let answer = send(&app, "application/json", &[part("email", "ada@example.com").into_bytes(), photo]).await;
    assert_eq!((answer.status, count(&app).await), (202, 1), "{answer:?}");
}
