//! `approve` over real HTTP: the link, the page, the answer, and what the run makes of it.

mod crash;
mod page;
mod process;

use std::sync::Arc;
use std::time::Duration;

use hence::domain::Value;
use hence::domain::failure::{Failure, FailureKind};
use hence::domain::id::RunId;
use hence::domain::run::Status;
use hence::intake::approve::{Decision, LinkParts, Standing};
use hence::store::Store;
use serde_json::json;

use crate::support::app::Answer;
use crate::support::{Life, Project, Recorder, TestApp, ok};

const ASK: &str = "
when: [manual]
steps:
  - id: ask
    approve:
      to: boss@example.com
      message: Refund ${event.body.amount}?
      within: 2d
      notify:
        - id: told
          call: http.post
          with: {url: 'http://chat.test/messages', json: {text: \"Please look at ${approval.link}\"}}
  - stop: steps.ask
";

/// With what follows a no or no answer.
const ASK_ELSE: &str = "
when: [manual]
steps:
  - id: ask
    approve:
      to: boss@example.com
      message: Refund?
      within: 2d
      else:
        - stop: '#{message: error.message, kind: error.kind, step: error.step, comment: error.detail?.comment, link: approval?.link}'
  - stop: steps.ask
";

async fn started(workflow: &str) -> (TestApp, Project, RunId) {
    let project = Project::of(workflow);
    let app = TestApp::start(&project, Recorder::fine()).await;
    let run = app.begin("main", json!({"amount": 250})).await;
    (app, project, run)
}

/// The links of the questions that a run waits for, by step.
async fn links(app: &TestApp, run: RunId) -> Vec<(String, String)> {
    let shown = app.get(&format!("/runs/{run}")).await.body;
    let link = |step: &Value| Some((step["step"].as_str()?.to_owned(), step.get("link")?.as_str()?.to_owned()));
    shown["steps"].as_array().into_iter().flatten().filter_map(link).collect()
}

/// The one link, once the run waits.
async fn link(app: &TestApp, run: RunId) -> String {
    app.stands(run, Status::Waiting).await;
    let links = links(app, run).await;
    assert_eq!(links.len(), 1, "{links:?}");
    links[0].1.clone()
}

async fn look(app: &TestApp, link: &str) -> Answer {
    app.send(app.http.get(link).header("accept", "application/json")).await
}

/// Answers as the page's form does.
async fn decide(app: &TestApp, link: &str, decision: &str, comment: &str) -> Answer {
    app.send(app.http.post(link).form(&[("comment", comment), ("who", ""), ("decision", decision)])).await
}

async fn output(app: &TestApp, run: RunId, status: Status) -> Value {
    app.stands(run, status).await;
    app.get(&format!("/runs/{run}")).await.body
}

#[tokio::test]
async fn an_approved_question_gives_who_when_and_what() {
    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    let calls = app.recorder.calls();
    assert_eq!(calls[0].with["json"]["text"], format!("Please look at {link}"), "the same link is sent and shown");
    assert!(link.starts_with(&format!("{}/approve/{run}/", app.url)), "{link}");

    let shown = look(&app, &link).await;
    assert_eq!((shown.status, &shown.body["status"], &shown.body["message"]), (200, &json!("open"), &json!("Refund 250?")));
    assert_eq!(shown.body["until"], "2026-03-03T09:00:00.000Z");
    assert_eq!(app.store.run(run).await.unwrap().unwrap().status, Status::Waiting, "to look decides nothing");

    app.clock.advance(Duration::from_secs(3600));
    assert_eq!(decide(&app, &link, "approve", "  fine\r\nwith me \u{7}").await.status, 200);
    let expected = json!({"who": "boss@example.com", "when": "2026-03-01T10:00:00.000Z", "what": "approved", "comment": "fine\nwith me"});
    assert_eq!(output(&app, run, Status::Succeeded).await["output"], expected);
    let events = app.get("/events").await.body;
    assert_eq!((&events["events"][0]["source"], &events["events"][0]["type"]), (&json!("approval"), &json!("approval")));
}

#[tokio::test]
async fn the_second_answer_changes_nothing_and_is_told_who_decided() {
    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    let answer = json!({"decision": "approve", "who": "Ada", "comment": "yes"});
    let first = app.send(app.http.post(&link).json(&answer)).await;
    assert_eq!((first.status, &first.body["status"], &first.body["who"]), (200, &json!("approved"), &json!("Ada")));
    for _ in 0..2 {
        let second = app.send(app.http.post(&link).json(&json!({"decision": "deny", "who": "Eve"}))).await;
        assert_eq!((second.status, second.body), (200, first.body.clone()));
    }
    assert_eq!(look(&app, &link).await.body, first.body);
    let page = decide(&app, &link, "deny", "").await;
    assert!(page.status == 200 && page.body.as_str().unwrap().contains("<dd>Ada</dd>"), "{page:?}");
    assert_eq!(output(&app, run, Status::Succeeded).await["output"]["who"], "Ada");
    let events = app.get("/events").await.body;
    assert_eq!(events["events"].as_array().unwrap().len(), 2, "the start and one answer");
}

#[tokio::test]
async fn of_answers_at_the_same_moment_one_counts() {
    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    let parts: Vec<&str> = link.rsplit('/').take(3).collect();
    let parts: LinkParts = serde_json::from_value(json!({"run": parts[2], "question": parts[1], "signature": parts[0]})).unwrap();
    // Each has found the question open before any is stored.
    let answers = (0..16).map(|n| {
        let decision = if n % 2 == 0 { Decision::Approve } else { Decision::Deny };
        app.app.intake.decide(&parts, hence::intake::approve::Answer { decision, who: format!("person {n}"), comment: String::new() })
    });
    let answers = futures_util::future::join_all(answers).await;
    let first = answers[0].as_ref().unwrap();
    assert!(matches!(&first.standing, Standing::Decided { .. }), "{first:?}");
    assert!(answers.iter().all(|answer| answer.as_ref().unwrap() == first), "{answers:?}");
    app.until(async |app| app.store.run(run).await.unwrap().filter(|head| head.status.is_final())).await;
    let events = app.get("/events").await.body;
    assert_eq!(events["events"].as_array().unwrap().len(), 2, "the start and one answer");
}

#[tokio::test]
async fn a_no_goes_to_else_with_its_comment_and_fails_the_run_where_there_is_none() {
    let (app, _project, run) = started(ASK_ELSE).await;
    decide(&app, &link(&app, run).await, "deny", "too much").await;
    let expected =
        json!({"message": "boss@example.com said no: too much", "kind": "denied", "step": "ask", "comment": "too much", "link": null});
    assert_eq!(output(&app, run, Status::Succeeded).await["output"], expected);

    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    assert_eq!(app.send(app.http.post(&link).json(&json!({"decision": "deny"}))).await.body["status"], "denied");
    let shown = output(&app, run, Status::Failed).await;
    assert_eq!(shown["error"], json!({"step": "ask", "message": "boss@example.com said no"}));
    assert_eq!(look(&app, &link).await.body["status"], "denied", "the decision is told after the run's end too");
}

#[tokio::test]
async fn a_question_that_nobody_answers_expires() {
    let (app, _project, run) = started(ASK_ELSE).await;
    let late = link(&app, run).await;
    app.clock.advance(Duration::from_secs(2 * 86_400));
    let shown = output(&app, run, Status::Succeeded).await["output"].take();
    assert_eq!((&shown["kind"], &shown["comment"]), (&json!("expired"), &Value::Null));
    assert_eq!(shown["message"], "nobody answered within 2d; `else` says what to do then");
    for answer in [look(&app, &late).await, app.send(app.http.post(&late).json(&json!({"decision": "approve"}))).await] {
        assert_eq!((answer.status, &answer.body["code"]), (410, &json!("question-over")), "{answer:?}");
        assert_eq!(answer.body["detail"], "The time to answer ended at 2026-03-03 09:00 UTC.");
    }

    let (app, _project, run) = started(ASK).await;
    link(&app, run).await;
    app.clock.advance(Duration::from_secs(2 * 86_400));
    assert_eq!(app.stands(run, Status::Failed).await.error.unwrap().step.unwrap().as_str(), "ask");
}

#[tokio::test]
async fn a_link_of_another_form_or_run_is_unknown() {
    let (app, _project, run) = started(ASK).await;
    let link = link(&app, run).await;
    let other = app.begin("main", json!({"amount": 1})).await;
    let others = self::link(&app, other).await;
    let (place, signature) = link.rsplit_once('/').unwrap();
    let (_, others_signature) = others.rsplit_once('/').unwrap();
    let (start, question) = place.rsplit_once('/').unwrap();
    let changed = if signature.starts_with('A') { signature.replacen('A', "B", 1) } else { format!("A{}", &signature[1..]) };
    for wrong in [
        format!("{place}/{changed}"),
        format!("{place}/{others_signature}"),
        format!("{place}/{}", &signature[1..]),
        format!("{start}/{}/{signature}", question.parse::<u32>().unwrap() + 1),
        format!("{start}/x/{signature}"),
        format!("{}/approve/run_x/{question}/{signature}", app.url),
    ] {
        for answer in [look(&app, &wrong).await, app.send(app.http.post(&wrong).json(&json!({"decision": "approve"}))).await] {
            assert_eq!((answer.status, &answer.body["code"]), (404, &json!("no-question")), "{wrong}");
        }
        let page = decide(&app, &wrong, "approve", "").await;
        assert!(page.status == 404 && page.header("content-type").starts_with("text/html"), "{page:?}");
    }
    assert_eq!(look(&app, &link).await.body["status"], "open");
}

#[tokio::test]
async fn a_run_that_has_ended_or_gone_on_takes_no_answer() {
    let over = async |app: &TestApp, link: &str, why: &str| {
        let answer = app.send(app.http.post(link).json(&json!({"decision": "approve"}))).await;
        assert_eq!((answer.status, &answer.body["code"]), (410, &json!("question-over")));
        assert!(answer.body["detail"].as_str().unwrap().contains(why), "{answer:?}");
    };
    let (app, _project, run) = started(ASK).await;
    let canceled = link(&app, run).await;
    app.api(reqwest::Method::POST, &format!("/runs/{run}/cancel"), None).await;
    app.stands(run, Status::Canceled).await;
    over(&app, &canceled, "was canceled").await;

    let (app, _project, run) = started(&format!("timeout: 1h{ASK}")).await;
    let timed = link(&app, run).await;
    app.clock.advance(Duration::from_secs(3600));
    app.stands(run, Status::Failed).await;
    over(&app, &timed, "has failed").await;

    let first = "
when: [manual]
steps:
  - parallel:
      ask: [{id: ask, approve: {to: boss, message: Well?}}]
      meanwhile: [{wait: 1h}]
    any: true
  - wait: 1h
";
    let (app, _project, run) = started(first).await;
    let passed = link(&app, run).await;
    app.clock.advance(Duration::from_secs(3600));
    app.until(async |app| app.facts(run).await.iter().filter(|entry| entry.fact.word() == "wait_began").nth(1).map(drop)).await;
    over(&app, &passed, "does not wait").await;
    assert_eq!(links(&app, run).await, [], "what is not waited for is not shown as waiting");
}

#[tokio::test]
async fn each_iteration_asks_for_itself() {
    let each = "
when: [manual]
steps:
  - id: each
    foreach: '[10, 20, 30]'
    parallel: 3
    steps:
      - id: ask
        approve:
          to: 'boss ${item}'
          message: Pay ${item}?
          notify: [{call: http.post, with: {url: 'http://chat.test/x', json: {link: '${approval.link}'}}}]
      - script: '`${item} ${steps.ask.comment}`'
  - stop: steps.each
";
    let (app, _project, run) = started(each).await;
    app.stands(run, Status::Waiting).await;
    let links = links(&app, run).await;
    let steps: Vec<_> = links.iter().map(|(step, _)| step.as_str()).collect();
    assert_eq!(steps, ["each[0]/ask", "each[1]/ask", "each[2]/ask"]);
    let mut sent: Vec<_> = app.recorder.calls().iter().map(|call| call.with["json"]["link"].as_str().unwrap().to_owned()).collect();
    let mut shown: Vec<_> = links.iter().map(|(_, link)| link.clone()).collect();
    sent.sort();
    shown.sort();
    assert_eq!(sent, shown);
    for (n, (_, link)) in links.iter().enumerate().rev() {
        assert_eq!(look(&app, link).await.body["message"], format!("Pay {}?", (n + 1) * 10));
        decide(&app, link, "approve", &format!("comment {n}")).await;
    }
    assert_eq!(output(&app, run, Status::Succeeded).await["output"], json!(["10 comment 0", "20 comment 1", "30 comment 2"]));
}

/// A chat that refuses to take messages.
fn deaf() -> Arc<Recorder> {
    Recorder::answering(|request, _| match request.with["url"].as_str() {
        Some("http://chat.test/messages") => Err(Failure::new(FailureKind::Status, "no such channel").with_status(404)),
        _ => Ok(ok(request)),
    })
}

#[tokio::test]
async fn a_question_that_reaches_nobody_fails() {
    let project = Project::of(ASK);
    let app = TestApp::start(&project, deaf()).await;
    let run = app.begin("main", json!({"amount": 250})).await;
    let error = app.stands(run, Status::Failed).await.error.unwrap();
    assert_eq!((error.step.unwrap().as_str(), &*error.message), ("ask/notify/told", "no such channel"));

    let on = ASK.replace("  - stop: steps.ask", "    on_error: continue\n  - wait: 3d\n  - stop: '\"went on\"'");
    let project = Project::of(&on);
    let app = TestApp::start(&project, deaf()).await;
    let run = app.begin("main", json!({"amount": 250})).await;
    app.stands(run, Status::Waiting).await;
    assert_eq!(links(&app, run).await, []);
    app.ended(run).await;
    assert_eq!(output(&app, run, Status::Succeeded).await["output"], "went on");
    let failed: Vec<_> = app.facts(run).await.into_iter().filter(|entry| entry.fact.word() == "step_failed").collect();
    assert_eq!(failed.len(), 1, "its time passes without a trace: {failed:?}");
}

#[tokio::test]
async fn retry_asks_anew_with_another_link_but_not_after_a_no() {
    let again = ASK.replace("  - stop: steps.ask", "    retry: {attempts: 2, first: 1ms}\n  - stop: steps.ask");
    let (app, _project, run) = started(&again).await;
    let first = link(&app, run).await;
    app.clock.advance(Duration::from_secs(2 * 86_400));
    app.recorder.reached(1).await;
    // The wait before the second try is drawn between nothing and 1 ms.
    app.until(async |app| app.facts(run).await.iter().any(|entry| entry.fact.word() == "step_retried").then_some(())).await;
    app.clock.advance(Duration::from_millis(1));
    app.recorder.reached(2).await;
    let second = link(&app, run).await;
    assert_ne!(first, second);
    assert_eq!(look(&app, &first).await.status, 410);
    decide(&app, &second, "deny", "no and no").await;
    app.stands(run, Status::Failed).await;
    assert_eq!(app.recorder.calls().len(), 2, "a no is not asked again");
}

#[tokio::test]
async fn the_link_is_masked_in_what_a_call_answers() {
    let echo = Recorder::answering(|request, nth| {
        let text = request.with["json"]["text"].as_str().unwrap_or_default();
        if nth == 1 {
            let detail = json!({"said": text});
            return Err(Failure::new(FailureKind::Status, format!("busy: {text}")).with_status(503).with_detail(detail));
        }
        Ok(json!({"status": 200, "headers": {}, "body": {"said": text, "escaped": text.replace('/', "%2F")}}))
    });
    let project = Project::of(ASK);
    let app = TestApp::start(&project, echo).await;
    let run = app.begin("main", json!({"amount": 250})).await;
    app.until(async |app| app.facts(run).await.iter().any(|entry| entry.fact.word() == "call_retried").then_some(())).await;
    app.clock.advance(Duration::from_secs(60));
    app.until(async |app| app.facts(run).await.iter().any(|entry| entry.fact.word() == "call_succeeded").then_some(())).await;
    let link = link(&app, run).await;
    let (_, signature) = link.rsplit_once('/').unwrap();
    let facts = serde_json::to_string(&app.facts(run).await).unwrap();
    assert!(!facts.contains(signature) && facts.contains("/***"), "{facts}");
    assert!(app.recorder.calls()[1].with["json"]["text"].as_str().unwrap().contains(signature));
}

#[tokio::test]
async fn a_question_has_bounds() {
    for (to, message, words) in [
        ("${\"x\".pad(501)}", "Well?", "`to` of `approve` has 501 characters"),
        ("boss", "${\"x\".pad(10001)}", "`message` of `approve` has 10001 characters"),
        ("boss", "${\"  \"}", "`message` of `approve` is empty"),
    ] {
        let pad = "fn pad(n) { let s = this; while s.len() < n { s += \"x\"; } s }";
        let (to, message) = (to.replace("\"x\".pad(", "pad::pad("), message.replace("\"x\".pad(", "pad::pad("));
        let workflow = format!("when: [manual]\nsteps:\n  - approve: {{to: '{to}', message: '{message}'}}\n");
        let script = pad.replace("pad(n) { let s = this;", "pad(n) { let s = \"\";");
        let project = Project::new(&[("workflows/main.yaml", &workflow), ("scripts/pad.rhai", &script)]);
        let app = TestApp::start(&project, Recorder::fine()).await;
        let run = app.begin("main", json!({})).await;
        let error = app.stands(run, Status::Failed).await.error.unwrap();
        assert!(error.message.contains(words), "{error:?}");
    }
}

#[tokio::test]
async fn links_carry_public_url_and_outlive_a_restart() {
    let project = Project::of(ASK);
    project.write("hence.yaml", "public_url: https://hence.example.com/auto/\n");
    let life = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    let run = app.begin("main", json!({"amount": 250})).await;
    let public = link(&app, run).await;
    let path = public.strip_prefix("https://hence.example.com/auto").unwrap().to_owned();
    app.app.stop().await;

    let key = project.dir().join(".hence/approval-key");
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let app = TestApp::resume(&project, life.clone()).await.unwrap();
    assert_eq!(link(&app, run).await, public);
    decide(&app, &format!("{}{path}", app.url), "approve", "").await;
    app.stands(run, Status::Succeeded).await;
    app.app.stop().await;

    std::fs::write(&key, "short").unwrap();
    let refused = TestApp::resume(&project, life).await.err().unwrap().to_string();
    assert!(refused.contains("approval-key holds no key of 32 bytes"), "{refused}");
}

#[test]
fn public_url_is_an_address_that_a_link_can_begin_with() {
    let load = |url: &str| {
        let project = Project::of(ASK);
        project.write("hence.yaml", &format!("public_url: \"{url}\"\n"));
        let (config, problems) = hence::config::load(project.dir(), hence::config::Flags::default());
        let wrong = problems.into_iter().find(|problem| problem.code == "bad-value").map(|problem| problem.message);
        (config.public_url, wrong)
    };
    for (fine, read) in [("https://hence.example.com", "https://hence.example.com"), ("http://[::1]:8787/auto/", "http://[::1]:8787/auto")]
    {
        assert_eq!(load(fine), (Some(read.to_owned()), None), "{fine}");
    }
    for wrong in
        ["hence.example.com", "ftp://a.b", "https://", "https://me:pw@a.b", "https://a.b?x=1", "https://a.b/#x", "/approve", "https://a b"]
    {
        let (url, why) = load(wrong);
        assert_eq!((url, why), (None, Some(format!("`{wrong}` cannot be `public_url`"))));
    }
}
