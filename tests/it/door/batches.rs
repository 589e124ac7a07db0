//! Batches of CloudEvents: what comes in one request is bounded like what comes in many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::poll;
use serde_json::{Value, json};

use super::{app, check_problem, hook};
use crate::support::TestApp;
use crate::support::app::Answer;

/// So many events, none of which was there before.
fn batch(events: usize) -> String {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let event = |_: usize| {
        let id = SENT.fetch_add(1, Ordering::Relaxed).to_string();
        json!({"specversion": "1.0", "id": id, "source": "/shop", "type": "order.paid", "data": {"n": 1}})
    };
    (0..events).map(event).collect::<Value>().to_string()
}

async fn send(app: &TestApp, events: usize, headers: &[(&str, &str)]) -> Answer {
    let request = app.http.post(format!("{}/hooks/open", app.url)).header("content-type", "application/cloudevents-batch+json");
    app.send(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(batch(events))).await
}

#[tokio::test]
async fn each_event_of_a_batch_counts() {
    let (app, _project) = app(&hook(", limits: {rate: {limit: 60, per: 1m}, burst: 5}"), "").await;
    let first = send(&app, 4, &[]).await;
    assert_eq!((first.status, first.header("ratelimit")), (202, "\"hook\";r=1;t=4"), "{first:?}");
    let refused = send(&app, 2, &[]).await;
    check_problem(&refused, 429, "rate-limited", "more requests than this hook takes");
    // A second for the one that is missing, and one for the request that was counted.
    assert_eq!(refused.header("retry-after"), "2");
    app.clock.advance(Duration::from_secs(2));
    assert_eq!(send(&app, 2, &[]).await.status, 202, "it is let in when it was told to come");
    app.clock.advance(Duration::from_secs(60));
    let all = send(&app, 5, &[]).await;
    assert_eq!((all.status, all.header("ratelimit")), (202, "\"hook\";r=0;t=5"));
    assert_eq!(app.all_runs().await.len(), 4 + 2 + 5, "all of a batch or none");
}

#[tokio::test]
async fn a_batch_that_can_never_come_in_is_told_so() {
    let (app, _project) = app(&hook(", limits: {rate: {limit: 60, per: 1m}, burst: 5}"), "").await;
    check_problem(
        &send(&app, 6, &[]).await,
        413,
        "batch-too-large",
        "a batch of 6 events, each of which counts: this hook takes 5 at once",
    );
    assert_eq!(app.all_runs().await.len(), 0);
    assert_eq!(send(&app, 0, &[]).await.header("ratelimit"), "\"hook\";r=3;t=2", "one without events counts as a request");
}

#[tokio::test]
async fn what_is_stored_with_each_event_is_bounded_together() {
    let padding = "x".repeat(20 << 10);
    let (app, _project) = app(&hook(""), "limits: {uri: 32KiB}\n").await;
    check_problem(&send(&app, 100, &[("x-padding", &padding)]).await, 413, "batch-too-large", "a batch of 100 events: headers and query");
    let request = app.http.post(format!("{}/hooks/open?q={padding}", app.url)).header("content-type", "application/cloudevents-batch+json");
    check_problem(&app.send(request.body(batch(100))).await, 413, "batch-too-large", "headers and query");
    assert_eq!(app.get("/events").await.body["events"], json!([]));
    assert_eq!(send(&app, 50, &[("x-padding", &padding)]).await.status, 202, "a MiB of it");
    assert_eq!(send(&app, 1_000, &[("x-usual", &"x".repeat(500))]).await.status, 202);
}

#[tokio::test]
async fn a_hook_that_takes_more_takes_more_beside_it() {
    let (app, _project) = app(&hook(", limits: {body: 3MiB}"), "").await;
    assert_eq!(send(&app, 100, &[("x-padding", &"x".repeat(20 << 10))]).await.status, 202);
}

#[tokio::test]
async fn others_are_served_between_the_events_of_a_batch() {
    const EVENTS: usize = 100;
    let (app, _project) = app(&hook(""), "").await;
    let intake = &app.app.intake;
    let headers = http::HeaderMap::from_iter([(http::header::CONTENT_TYPE, "application/cloudevents-batch+json".parse().unwrap())]);
    let admitted = intake.admit(intake.hook("POST", "open").unwrap(), "127.0.0.1".parse().unwrap(), &headers).unwrap();
    let receiving = intake.receive(admitted, "/hooks/open", &headers, batch(EVENTS).into());
    tokio::pin!(receiving);
    for event in 0..EVENTS {
        assert!(poll!(receiving.as_mut()).is_pending(), "event {event}");
        assert_eq!(intake.journal.waiting(), 0, "event {event}: nothing is on its way to the store yet");
    }
    receiving.await.unwrap();
    assert_eq!(app.all_runs().await.len(), EVENTS);
}
