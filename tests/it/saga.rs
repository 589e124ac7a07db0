//! What a run did is taken back when it fails: by which calls, in which order, with what in hand.

use std::sync::Arc;
use std::time::Duration;

use hence::clock::Clock as _;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::journal::Fact;
use hence::domain::run::Status;
use hence::store::Store;
use serde_json::{Value, json};

use crate::support::app::BEGIN;
use crate::support::{Life, Project, Recorder, TestApp};

const ORDER: &str = "
when: [{manual: }]
steps:
  - id: charge
    call: http.post
    with: {url: 'http://pay.test/charges', json: {amount: '${event.body.amount}'}}
    undo:
      - call: http.post
        with: {url: 'http://pay.test/refunds', json: {charge: '${steps.charge.body.id}', because: '${error.message}'}}
  - id: reserve
    call: http.post
    with: {url: 'http://stock.test/reservations', json: {item: '${event.body.item}'}}
    undo:
      - call: http.delete
        with: {url: 'http://stock.test/reservations/${steps.reserve.body.id}'}
  - id: ship
    call: http.post
    with: {url: 'http://post.test/parcels', json: {to: '${event.body.to}'}}
on_error:
  - call: http.post
    with: {url: 'http://chat.test/ops', json: {text: '${error.step} failed'}}
finally:
  - call: http.post
    with: {url: 'http://audit.test/orders'}
";

/// What was called, in order: the URL without its scheme, then the JSON that was sent.
pub(crate) fn called(recorder: &Recorder) -> Vec<String> {
    let one = |request: &hence::connector::Request| {
        let url = request.with["url"].as_str().unwrap().trim_start_matches("http://").to_owned();
        request.with.get("json").map_or_else(|| url.clone(), |json| format!("{url} {json}"))
    };
    recorder.calls().iter().map(one).collect()
}

pub(crate) fn refused(status: u16) -> Failure {
    Failure::new(FailureKind::Status, format!("answered {status}")).with_status(status)
}

/// Answers with an id that is the last word of the URL, but for URLs that hold one of these.
pub(crate) fn failing(bad: &'static [&'static str]) -> Arc<Recorder> {
    Recorder::answering(move |request, _| {
        let url = request.with["url"].as_str().unwrap();
        if bad.iter().any(|bad| url.contains(bad)) {
            return Err(refused(422));
        }
        Ok(json!({"status": 200, "body": {"id": url.rsplit('/').next().unwrap()}}))
    })
}

pub(crate) async fn run(workflow: &str, event: Value, recorder: Arc<Recorder>) -> (TestApp, RunId, Project) {
    let project = Project::of(workflow);
    let app = TestApp::start(&project, recorder).await;
    let run = app.begin("main", event).await;
    app.ended(run).await;
    (app, run, project)
}

fn order() -> Value {
    json!({"amount": 120, "item": "lamp", "to": "Ada"})
}

#[tokio::test]
async fn a_failed_order_is_taken_back_in_reverse_order_with_what_each_call_gave() {
    let (app, run, _project) = run(ORDER, order(), failing(&["parcels"])).await;
    assert_eq!(
        called(&app.recorder),
        [
            "pay.test/charges {\"amount\":120}",
            "stock.test/reservations {\"item\":\"lamp\"}",
            "post.test/parcels {\"to\":\"Ada\"}",
            "stock.test/reservations/reservations",
            "pay.test/refunds {\"because\":\"answered 422\",\"charge\":\"charges\"}",
            "chat.test/ops {\"text\":\"ship failed\"}",
            "audit.test/orders",
        ]
    );
    let keys: Vec<_> = app.recorder.calls().iter().map(|call| call.idempotency_key.clone()).collect();
    let expected = ["charge", "reserve", "ship", "reserve/undo/0", "charge/undo/0", "on_error/0", "finally/0"];
    assert_eq!(keys, expected.map(|step| format!("{run}/{step}")));
    let head = app.store.run(run).await.unwrap().unwrap();
    let error = head.error.unwrap();
    assert_eq!((head.status, error.step.unwrap().as_str()), (Status::Failed, "ship"));
}

#[tokio::test]
async fn an_order_that_works_takes_nothing_back() {
    let (app, run, _project) = run(ORDER, order(), failing(&[])).await;
    assert_eq!(app.store.run(run).await.unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 4, "three calls and `finally`");
}

#[tokio::test]
async fn an_undo_that_fails_does_not_keep_the_others_from_being_done() {
    let (app, run, _project) = run(ORDER, order(), failing(&["parcels", "reservations/"])).await;
    let urls = called(&app.recorder);
    assert!(urls.iter().any(|url| url.starts_with("pay.test/refunds")), "{urls:?}");
    let head = app.store.run(run).await.unwrap().unwrap();
    assert_eq!(head.error.unwrap().step.unwrap().as_str(), "ship", "the run failed where it failed first");
    let failed: Vec<_> = app.facts(run).await.into_iter().filter(|entry| matches!(entry.fact, Fact::StepFailed { .. })).collect();
    let failed: Vec<_> = failed.iter().filter_map(|entry| entry.fact.step()).map(hence::domain::journal::Address::as_str).collect();
    assert_eq!(failed, ["ship", "reserve/undo/0"], "the failed undo is in the history");
}

#[tokio::test]
async fn what_is_taken_back_in_a_loop_sees_its_own_item_and_its_own_output() {
    let workflow = "
when: [{manual: }]
steps:
  - id: lines
    foreach: event.body
    as: line
    steps:
      - id: pick
        call: http.post
        with: {url: 'http://stock.test/${line}'}
        undo:
          - {call: http.post, with: {url: 'http://stock.test/back', json: {item: '${item}', line: '${line}', index: '${index}', id: '${steps.pick.body.id}'}}}
      - script: 1
  - fail: no more
";
    let (app, run, _project) = run(workflow, json!(["a", "b", "c"]), failing(&[])).await;
    let back = |index: usize, name: &str| format!("stock.test/back {}", json!({"item": name, "line": name, "index": index, "id": name}));
    assert_eq!(called(&app.recorder)[3..], [back(2, "c"), back(1, "b"), back(0, "a")]);
    let keys: Vec<_> = app.recorder.calls()[3..].iter().map(|call| call.idempotency_key.clone()).collect();
    assert_eq!(keys, [2, 1, 0].map(|index| format!("{run}/lines[{index}]/pick/undo/0")));
}

#[tokio::test]
async fn taking_back_goes_on_after_a_restart() {
    let project = Project::of(ORDER);
    let held = Recorder::with(Box::new(|request, _| {
        let url = request.with["url"].as_str().unwrap().to_owned();
        Box::pin(async move {
            match url.rsplit('/').next().unwrap() {
                "parcels" => Err(refused(422)),
                // The first refund never comes to an end: the server is stopped meanwhile.
                "refunds" => std::future::pending().await,
                id => Ok(json!({"body": {"id": id}})),
            }
        })
    }));
    let life = Life::new(Arc::clone(&held));
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", order()).await;
    held.reached(5).await;
    let stopping = app.app.stop();
    tokio::pin!(stopping);
    tokio::select! {
        () = &mut stopping => {}
        // The call in hand does not end: its time is over in the end.
        () = async { loop { tokio::task::yield_now().await; life.clock.advance(Duration::from_secs(1)); } } => {}
    }
    let recorder = failing(&[]);
    let app = TestApp::resume(&project, Life { recorder: Arc::clone(&recorder), ..life }).await.unwrap();
    assert_eq!(app.ended(run).await.status, Status::Failed);
    assert_eq!(
        called(&recorder),
        [
            "pay.test/refunds {\"because\":\"answered 422\",\"charge\":\"charges\"}",
            "chat.test/ops {\"text\":\"ship failed\"}",
            "audit.test/orders",
        ],
        "the reservation was taken back before, and the charge is still known"
    );
}

/// Parcels are refused; a charge is answered once it is released.
fn slow_charge() -> (tokio::sync::watch::Sender<bool>, Arc<Recorder>) {
    let (release, released) = tokio::sync::watch::channel(false);
    let recorder = Recorder::with(Box::new(move |request, _| {
        let (url, mut released) = (request.with["url"].as_str().unwrap().to_owned(), released.clone());
        Box::pin(async move {
            match url.as_str() {
                "http://post.test/parcels" => Err(refused(422)),
                "http://pay.test/charges" => {
                    released.wait_for(|released| *released).await.unwrap();
                    Ok(json!({"body": {"id": "c1"}}))
                }
                _ => Ok(json!({})),
            }
        })
    }));
    (release, recorder)
}

#[tokio::test]
async fn a_charge_in_hand_when_the_run_fails_beside_it_is_waited_for_and_taken_back() {
    let workflow = "
when: [{manual: }]
steps:
  - parallel:
      pay:
        - id: charge
          call: http.post
          with: {url: 'http://pay.test/charges'}
          undo: [{call: http.post, with: {url: 'http://pay.test/refunds/${steps.charge.body.id}'}}]
      ship: [{call: http.post, with: {url: 'http://post.test/parcels'}}]
";
    let (release, recorder) = slow_charge();
    let project = Project::of(workflow);
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let run = app.begin("main", json!({})).await;
    let failed = |entry: &hence::domain::journal::Entry| matches!(entry.fact, Fact::StepFailed { .. });
    app.until(async |app| app.facts(run).await.iter().any(failed).then_some(())).await;
    release.send_replace(true);
    assert_eq!(app.ended(run).await.status, Status::Failed);
    assert_eq!(called(&recorder)[2..], ["pay.test/refunds/c1"]);
}

#[tokio::test]
async fn a_charge_in_hand_that_the_steps_went_past_is_not_given_up_for_a_wait() {
    let workflow = "
when: [{manual: }]
steps:
  - parallel:
      pay:
        - id: charge
          call: http.post
          with: {url: 'http://pay.test/charges'}
          undo: [{call: http.post, with: {url: 'http://pay.test/refunds/${steps.charge.body.id}'}}]
      ship: [{call: http.post, with: {url: 'http://post.test/parcels'}}]
    on_error: continue
  - wait: 1h
  - fail: no parcel
";
    let (release, recorder) = slow_charge();
    let project = Project::of(workflow);
    let app = TestApp::start(&project, Arc::clone(&recorder)).await;
    let run = app.begin("main", json!({})).await;
    app.stands(run, Status::Waiting).await;
    release.send_replace(true);
    let head = app.ended(run).await;
    assert_eq!((head.status, app.clock.now()), (Status::Failed, BEGIN.after(Duration::from_hours(1))));
    assert_eq!(called(&recorder)[2..], ["pay.test/refunds/c1"]);
}

#[tokio::test]
async fn a_cancel_is_followed_by_on_cancel_and_finally_and_takes_nothing_back() {
    let workflow = ORDER.replace("  - id: ship\n", "  - wait: 30d\n  - id: ship\n")
        + "on_cancel: [{call: http.post, with: {url: 'http://chat.test/canceled'}}]\n";
    let project = Project::of(&workflow);
    let app = TestApp::start(&project, failing(&[])).await;
    let run = app.begin("main", order()).await;
    app.stands(run, Status::Waiting).await;
    app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await;
    app.stands(run, Status::Canceled).await;
    assert_eq!(called(&app.recorder)[2..], ["chat.test/canceled", "audit.test/orders"]);
}

#[tokio::test]
async fn the_workflows_timeout_is_followed_by_undo_on_error_and_finally_which_are_not_timed() {
    let workflow =
        ORDER.replace("  - id: ship\n", "  - wait: 30d\n  - id: ship\n").replace("on_error:\n", "timeout: 2h\non_error:\n  - wait: 1d\n");
    let (app, run, _project) = run(&workflow, order(), failing(&[])).await;
    let urls = called(&app.recorder);
    let steps: Vec<_> = urls[2..].iter().map(|url| url.split(' ').next().unwrap()).collect();
    assert_eq!(steps, ["stock.test/reservations/reservations", "pay.test/refunds", "chat.test/ops", "audit.test/orders"]);
    assert_eq!(urls[4], "chat.test/ops {\"text\":\" failed\"}", "`error.step` is text, though it was no step");
    let head = app.store.run(run).await.unwrap().unwrap();
    assert!(head.error.unwrap().message.contains("timeout of 7200s"));
    assert_eq!(head.updated, BEGIN.after(Duration::from_secs(26 * 3600)), "two hours, and a day in `on_error`");
}

#[tokio::test]
async fn a_finally_that_takes_long_does_not_turn_a_success_into_a_failure() {
    let workflow = ORDER.replace("finally:\n", "timeout: 2h\nfinally:\n  - wait: 1d\n");
    let (app, run, _project) = run(&workflow, order(), failing(&[])).await;
    assert_eq!(app.store.run(run).await.unwrap().unwrap().status, Status::Succeeded);
    assert_eq!(app.recorder.calls().len(), 4, "nothing is taken back");
}

#[tokio::test]
async fn what_a_block_did_before_it_was_done_anew_is_taken_back_with_its_output() {
    let workflow = "
when: [{manual: }]
steps:
  - id: block
    retry: {attempts: 2, first: 1m}
    if: event.body.pays
    then:
      - id: charge
        call: http.post
        with: {url: 'http://pay.test/charges'}
        undo: [{call: http.post, with: {url: 'http://pay.test/refunds/${steps.charge.body.id}'}}]
      - {call: http.post, with: {url: 'http://post.test/parcels'}}
on_error:
  - call: http.post
    with: {url: 'http://chat.test/${steps.charge == ()}'}
";
    let recorder = Recorder::answering(|request, nth| match request.with["url"].as_str().unwrap() {
        "http://pay.test/charges" if nth == 1 => Ok(json!({"body": {"id": "c1"}})),
        "http://pay.test/charges" | "http://post.test/parcels" => Err(refused(422)),
        _ => Ok(json!({})),
    });
    let (app, _run, _project) = run(workflow, json!({"pays": true}), recorder).await;
    assert_eq!(
        called(&app.recorder),
        ["pay.test/charges", "post.test/parcels", "pay.test/charges", "pay.test/refunds/c1", "chat.test/true"],
        "the first charge took effect; the second try of the block has no charge"
    );
}

#[tokio::test]
async fn each_try_of_a_step_has_its_whole_timeout() {
    for step in [
        "{wait: {event: never}, TIMES}",
        "{foreach: '[1]', steps: [{wait: {event: never}}], TIMES}",
        "{repeat: {until: 'index == 999', every: 5m}, steps: [{set: {a: '1'}}], TIMES}",
        "{if: event.body.yes, then: [{wait: 1d}], TIMES}",
        "{parallel: {one: [{wait: 1d}]}, TIMES}",
    ] {
        let step = step.replace("TIMES", "timeout: 2h, retry: {attempts: 3, first: 1ms}");
        let (app, run, _project) = run(&format!("when: [{{manual: }}]\nsteps: [{step}]\n"), json!({"yes": true}), failing(&[])).await;
        let head = app.store.run(run).await.unwrap().unwrap();
        assert_eq!((head.status, head.updated.0 / 1_000), (Status::Failed, BEGIN.0 / 1_000 + 6 * 3_600), "{step}");
    }
}
