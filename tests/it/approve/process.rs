//! `approve` with the program itself: a chat that gets the link, a client, a browser, and what `hence show` says.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::process::{Engine, Project, Receiver, Serve, Served, hence, must, skip};

const REFUND: &str = r#"
when: [manual]
steps:
  - id: ask
    approve:
      to: boss@example.com
      message: |-
        Refund ${event.body.amount} € to ${event.body.customer}?
        Order ${event.body.order}: "arrived broken".
      notify:
        - call: http.post
          using: there
          with: {url: /chat, json: {link: "${approval.link}"}}
  - id: refund
    call: http.post
    using: there
    with: {url: /refunds, json: {by: "${steps.ask.who}", because: "${steps.ask.comment}"}}
"#;

/// A server that asks, and what came of it so far.
struct Asked {
    served: Served,
    receiver: Receiver,
    project: Project,
    run: String,
    link: String,
}

async fn asked() -> Asked {
    let receiver = Receiver::start().await;
    let project = Project::calling(receiver.address, "refund", REFUND);
    let event = json!({"amount": 250, "customer": "Ada Lovelace", "order": "o-1"});
    let project = project.file("event.json", &event.to_string());
    let served = Serve::new(&project, Engine::Redb).start().await;
    let (dir, data) = (project.dir(), project.data());
    let event = dir.join("event.json");
    let args = ["run", "refund", "--event", event.to_str().unwrap(), "--detach", "--project", dir.to_str().unwrap()];
    let started = hence(&[&args[..], &["--data", data.to_str().unwrap()]].concat()).await;
    let run = started.out.trim().to_owned();
    receiver.arrived(1).await;
    let link = receiver.seen()[0].body["link"].as_str().unwrap().to_owned();
    Asked { served, receiver, project, run, link }
}

#[tokio::test]
async fn a_person_is_asked_shown_and_heard() {
    let Asked { served, receiver, project, run, link } = asked().await;
    assert!(link.starts_with(&format!("{}/approve/{run}/", served.url)), "{link}");
    served.says("set `public_url` in hence.yaml").await;

    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let args = [&["show", &run][..], &server].concat();
    let shown = must("the run waits", async {
        loop {
            let shown = hence(&args).await;
            if shown.out.contains("  waiting\n") {
                return shown.out;
            }
        }
    });
    let shown = shown.await;
    let waits = shown.lines().find(|line| line.starts_with("waiting for boss@example.com until ")).unwrap_or_else(|| panic!("{shown}"));
    assert!(waits.ends_with(&format!(": {link}")), "{waits}");

    let http = hence::connector::http::api_client(std::time::Duration::from_secs(30)).unwrap();
    let page = http.get(&link).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Refund 250 € to Ada Lovelace?\nOrder o-1: &quot;arrived broken&quot;."), "{page}");
    let answer = http.post(&link).form(&[("decision", "approve"), ("who", "Eve"), ("comment", "so be it")]).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("<h1 class=\"yes\">Approved</h1>"));
    receiver.arrived(2).await;
    assert_eq!(receiver.seen()[1].body, json!({"by": "Eve", "because": "so be it"}));
    assert_eq!(served.api().ended(&run).await["status"], "succeeded");
    assert!(!hence(&args).await.out.contains("waiting for"));

    let (_, signature) = link.rsplit_once('/').unwrap();
    assert!(!served.log().iter().any(|line| line.contains(signature) || line.contains("so be it")), "no link and no answer in the log");
    assert_eq!(served.stop().await, Some(0));
}

/// What `tests/tools/approve.mjs` saw; or why it could not look.
fn browse(link: &str) -> Result<Value, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    if !Path::new("/usr/bin/chromium").exists() {
        return Err("there is no Chromium: `apt-get install chromium`".to_owned());
    }
    if !tools.join("node_modules/playwright-core").is_dir() {
        return Err("the packages are not there: run `npm ci` in tests/tools".to_owned());
    }
    let args = ["approve.mjs", link, "approve", "Fine with me.\nPay it.", "Grace"];
    let printed = Command::new("node").args(args).args(pictures()).current_dir(tools).output();
    let printed = printed.map_err(|error| format!("node cannot be started: {error}"))?;
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    Ok(serde_json::from_slice(&printed.stdout).unwrap())
}

/// Where to keep pictures of the pages, if somebody wants to look at them.
#[expect(clippy::disallowed_methods, reason = "the tests' own switch is no setting of hence")]
fn pictures() -> Option<String> {
    std::env::var("HENCE_TEST_PICTURES").ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_shows_the_page_and_sends_the_answer() {
    let Asked { served, receiver, run, link, project: _project } = asked().await;
    let seen = match tokio::task::spawn_blocking(move || browse(&link)).await.unwrap() {
        Ok(seen) => seen,
        Err(why) => return skip("the page of `approve` in a browser", &why),
    };
    assert_eq!((&seen["status"], &seen["heading"]), (&json!(200), &json!("Your decision is needed")), "{seen}");
    assert_eq!(seen["message"], "Refund 250 € to Ada Lovelace?\nOrder o-1: \"arrived broken\".");
    assert_eq!(seen["after_enter"], "Your decision is needed", "Enter in a field decides nothing");
    assert_eq!(seen["tabs"], json!(["comment", "who", "approve", "deny"]));
    assert_eq!((&seen["result"], &seen["facts"]["Decided by"]), (&json!("Approved"), &json!("Grace")), "{seen}");
    assert_eq!(seen["facts"]["Comment"], "Fine with me.\nPay it.");
    assert_eq!(seen["complaints"], json!([]), "the browser has nothing to say against the page");
    assert_eq!(seen["loaded"], json!(["GET page", "POST page"]), "nothing else is loaded");
    for (place, over) in seen["widths"].as_object().unwrap() {
        assert!(over.as_i64().unwrap() <= 0, "{place} is {over} pixels too wide");
    }
    for (place, lowest) in seen["lowest_contrast"].as_object().unwrap() {
        assert!(4.5 <= lowest[1].as_f64().unwrap(), "{place}: {lowest}");
    }
    receiver.arrived(2).await;
    assert_eq!(receiver.seen()[1].body, json!({"by": "Grace", "because": "Fine with me.\nPay it."}));
    assert_eq!(served.api().ended(&run).await["status"], "succeeded");
}
