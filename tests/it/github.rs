//! The shipped `issue-triage` on every payload that GitHub's own examples hold, signed by GitHub's own
//! library for it.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::process::{Api, Engine, Project, Receiver, Serve, hence, skip, steps};

const SECRET: &str = "It's a Secret to Everybody";

/// As `tests/tools/github.mjs` prints it.
#[derive(Deserialize)]
struct Delivery {
    event: String,
    delivery: String,
    body: String,
    signature: String,
}

impl Delivery {
    async fn post(&self, api: &Api, body: &str) -> crate::process::Answer {
        let headers = [
            ("x-github-event", &*self.event),
            ("x-github-delivery", &*self.delivery),
            ("x-hub-signature-256", &*self.signature),
            ("user-agent", "GitHub-Hookshot/044aadd"),
        ];
        api.hook("github", &headers, body).await
    }

    /// What the chat is to be told, or nothing when the workflow is not about it.
    fn message(&self) -> Option<Value> {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        if self.event != "issues" || body["action"] != "opened" {
            return None;
        }
        let issue = &body["issue"];
        let labels: Vec<_> = issue["labels"].as_array().unwrap().iter().map(|label| label["name"].as_str().unwrap()).collect();
        let labels = if labels.is_empty() { "no label".to_owned() } else { labels.join(", ") };
        let repository = body["repository"]["full_name"].as_str().unwrap();
        let text = format!("{repository}#{}: {} ({labels})", issue["number"], issue["title"].as_str().unwrap());
        Some(json!({"channel": "#triage", "text": text, "link": issue["html_url"]}))
    }
}

/// Every example, signed; or why there are none.
fn deliveries() -> Result<Vec<Delivery>, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    if !tools.join("node_modules/@octokit/webhooks-examples").is_dir() {
        return Err("the packages are not there: run `npm ci` in tests/tools".to_owned());
    }
    let printed = Command::new("node").arg("github.mjs").arg(SECRET).current_dir(tools).output();
    let printed = printed.map_err(|error| format!("node cannot be started: {error}"))?;
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let text = String::from_utf8(printed.stdout).unwrap();
    Ok(text.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_github_example_is_accepted_and_only_opened_issues_are_told() {
    let deliveries = match deliveries() {
        Ok(deliveries) => deliveries,
        Err(why) => return skip("the GitHub examples", &why),
    };
    assert_eq!(deliveries.len(), 726, "@octokit/webhooks-examples 7.6.1 has 329 of github.com and 397 of Enterprise Server");
    let receiver = Receiver::start().await;
    let project = Project::shipped(receiver.address);
    let served = Serve::new(&project, Engine::Redb).with("HENCE_SECRET_GITHUB_SECRET", SECRET).start().await;
    let api = served.api();

    // By run: what it is to tell.
    let mut expected = BTreeMap::new();
    let mut events = BTreeMap::new();
    for delivery in &deliveries {
        let answer = delivery.post(&api, &delivery.body).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{}: {answer:?}", delivery.delivery);
        let runs = answer.runs();
        match delivery.message() {
            Some(message) => assert_eq!(expected.insert(runs.first().unwrap().clone(), message), None),
            None => assert_eq!(runs, Vec::<String>::new(), "{}", delivery.delivery),
        }
        events.insert(answer.event().to_owned(), delivery.event.clone());
    }
    assert_eq!((events.len(), expected.len()), (726, 6));

    for run in expected.keys() {
        api.ended(run).await;
    }
    let told: BTreeMap<_, _> = receiver.seen().into_iter().map(|seen| (seen.key, (seen.method, seen.path, seen.body))).collect();
    let call = |(run, message): (&String, &Value)| (format!("{run}/post"), ("POST".into(), "/chat/messages".into(), message.clone()));
    assert_eq!(told, expected.iter().map(call).collect());
    assert_eq!(receiver.count(), expected.len());

    check_listings(&project, &events, &expected).await;
    check_repeats(&api, &deliveries).await;
    assert_eq!((api.all("events").await.len(), receiver.count()), (726, 6));
    assert_eq!(served.stop().await, Some(0));
}

/// What the commands show of it.
async fn check_listings(project: &Project, events: &BTreeMap<String, String>, expected: &BTreeMap<String, Value>) {
    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap(), "--format", "json"];
    let asked = |args: &[&'static str]| [args, &server].concat();

    let listed = hence(&asked(&["events", "--limit", "1000"])).await.json();
    let field = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let kinds = listed["events"].as_array().unwrap().iter().map(|event| (field(event, "id"), field(event, "type"))).collect();
    assert_eq!(events, &kinds);

    let listed = hence(&asked(&["runs", "--limit", "1000"])).await.json();
    let runs: BTreeMap<_, _> =
        listed["runs"].as_array().unwrap().iter().map(|run| (field(run, "id"), (field(run, "workflow"), field(run, "status")))).collect();
    let succeeded = ("issue-triage".to_owned(), "succeeded".to_owned());
    assert_eq!(runs, expected.keys().map(|run| (run.clone(), succeeded.clone())).collect());

    for run in expected.keys() {
        let args: Vec<&str> = ["show", run].into_iter().chain(server).collect();
        let shown = hence(&args).await.json();
        assert_eq!(steps(&shown), [("labels", "done", 0), ("post", "done", 1)]);
        assert_eq!(shown["steps"][1]["output"]["status"], 200);
    }
}

/// A redelivery is known; a body that was changed, or signed with another secret, is refused.
async fn check_repeats(api: &Api, deliveries: &[Delivery]) {
    let opened = deliveries.iter().find(|delivery| delivery.message().is_some()).unwrap();
    let first = opened.post(api, &opened.body).await;
    assert_eq!((first.status, &first.body["duplicate"]), (StatusCode::OK, &Value::Bool(true)));
    assert_eq!(first.runs().len(), 1);

    let tampered = opened.body.replacen("opened", "closed", 1);
    assert_ne!(tampered, opened.body);
    assert_eq!(opened.post(api, &tampered).await.status, StatusCode::UNAUTHORIZED);
    let headers = [("x-github-event", "issues"), ("x-github-delivery", "new")];
    assert_eq!(api.hook("github", &headers, &*opened.body).await.status, StatusCode::UNAUTHORIZED, "no signature");
}
