//! `hence plan` against a server.

use std::path::Path;

use http::StatusCode;
use serde_json::{Value, json};

use super::check_refused;
use crate::process::{Engine, Project, Ran, Receiver, Serve, Served, hence};

const SETTINGS: &str = "connections:\n  crm: {connector: http, base_url: \"https://crm.example.com\"}\n";
const LEAD: &str = "
when:
  - webhook: {path: leads, verify: none}
steps:
  - {id: contact, call: http.post, using: crm, with: {url: /contacts}, if: event.body.hot, timeout: 10s}
  - wait: 3d
";
const DIGEST: &str = "when:\n  - schedule: {at: \"2099-01-01T09:00:00\", timezone: Asia/Tokyo}\n  - webhook: {path: digest, verify: none}\nsteps:\n  - wait: 3d\n";
const IDLE: &str = "when: [manual]\nsteps:\n  - stop: 1\n";
const BAD: &str = "when: [manual]\nsteps:\n  - stops: 1\n";

/// What the server serves.
fn old() -> Project {
    let project = Project::new().file("hence.yaml", SETTINGS);
    project.file("workflows/lead.yaml", LEAD).file("workflows/digest.yaml", DIGEST).file("workflows/idle.yaml", IDLE)
}

/// The widest line of a plan.
const WIDTH_CHARS: usize = 80;

async fn plan(dir: &Path, served: &Served, data: &Path, more: &[&str]) -> Ran {
    let args = ["plan", dir.to_str().unwrap(), "--against", &served.url, "--data", data.to_str().unwrap()];
    let ran = hence(&[&args, more].concat()).await;
    // Names of folders are as long as they are, and above the plan stand problems as `hence check` shows them.
    let heading = format!("{} against {}", dir.display(), served.url);
    for line in ran.out.lines().skip_while(|line| *line != heading).skip(1) {
        assert!(line.chars().count() <= WIDTH_CHARS, "{line}");
    }
    ran
}

fn check_says(ran: &Ran, code: i32, lines: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    for line in lines {
        assert!(ran.out.lines().any(|said| said == *line), "`{line}` is missing:\n{}", ran.out);
    }
}

#[tokio::test]
async fn a_project_that_is_served_has_no_plan() {
    let project = old();
    let served = Serve::new(&project, Engine::Redb).start().await;
    let ran = plan(&project.dir(), &served, &project.data(), &[]).await;
    check_says(
        &ran,
        0,
        &[
            "Nothing would change: this is what the server serves.",
            "Workflows: 0 added, 0 changed, 0 removed, 3 unchanged",
            "Secrets: none needed",
            "Connections: 1 needed, all known to the server",
        ],
    );
}

#[tokio::test]
async fn a_plan_says_what_would_change_and_changes_nothing() {
    let project = old();
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();
    for (hook, count) in [("leads", 3), ("digest", 1)] {
        for _ in 0..count {
            assert_eq!(api.hook(hook, &[], r#"{"hot": false}"#).await.status, StatusCode::ACCEPTED);
        }
    }
    let before = api.get("workflows").await;
    let revision = |workflow: usize| before["workflows"][workflow]["revision"].as_str().unwrap()[..12].to_owned();

    let lead = LEAD.replace("none", "{scheme: github, secret: LEADS_SECRET}").replace("10s", "30s");
    let refunds = "
when:
  - webhook: {path: refunds, methods: [POST, PUT], verify: {bearer: {secret: PAY_TOKEN}}}
  - schedule: {at: \"2099-06-01T09:00:00\", timezone: Europe/Berlin}
steps:
  - {call: http.post, using: billing, with: {url: /refunds}}
";
    let billing = "  billing: {connector: http, base_url: \"https://pay.example.com\"}\n";
    let new = Project::new().file("hence.yaml", SETTINGS).file("hence.yaml", billing);
    let new = new.file("workflows/lead.yaml", &lead).file("workflows/refunds.yaml", refunds).file("workflows/idle.yaml", IDLE);
    let ran = plan(&new.dir(), &served, &project.data(), &[]).await;
    let runs =
        [format!("  3 runs of lead finish on revision {}", revision(2)), format!("  1 run of digest finishes on revision {}", revision(0))];
    let lines = [
        "Workflows: 1 added, 1 changed, 1 removed, 1 unchanged",
        "      ~ webhook POST /hooks/leads: verify none → github (LEADS_SECRET)",
        "      ~ step contact (call http.post): timeout 10s → 30s",
        "  - POST /hooks/digest: started digest; verify none",
        "      ! senders get 404 from then on",
        "  ~ POST /hooks/leads: starts lead; verify none → github (LEADS_SECRET)",
        "      ! senders that cannot be verified so get 401 from then on",
        "  + PUT /hooks/refunds: starts refunds; verify bearer (PAY_TOKEN)",
        "  - digest: at 2099-01-01T00:00:00.000Z",
        "  + refunds: at 2099-06-01T07:00:00.000Z",
        "Secrets: 2 needed, 2 not set at the server",
        "  ! LEADS_SECRET is not set; needed by lead",
        "  ! PAY_TOKEN is not set; needed by refunds",
        "Connections: 2 needed, 1 not known to the server",
        "  ! billing is not known; needed by refunds",
        "  ~ hence.yaml is not the one that the server has read",
        &runs[0],
        &runs[1],
    ];
    check_says(&ran, 0, &lines);
    assert_eq!(api.get("workflows").await, before);

    let json = plan(&new.dir(), &served, &project.data(), &["--format", "json"]).await;
    assert_eq!(json.code, Some(0));
    let shown = json.json();
    let names = |list: &Value| list.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    let workflows = &shown["workflows"];
    assert_eq!([&workflows["added"], &workflows["changed"], &workflows["removed"]].map(names), [["refunds"], ["lead"], ["digest"]]);
    assert_eq!(workflows["changed"][0]["steps"][0]["settings"], json!([{"key": "timeout", "before": "10s", "after": "30s"}]));
    assert_eq!(
        (names(&shown["secrets"]["missing"]), &shown["refused"]),
        (vec!["LEADS_SECRET".to_owned(), "PAY_TOKEN".to_owned()], &json!(["lead", "refunds"]))
    );
    assert_eq!((shown["runs"]["counts"].as_array().unwrap().len(), &shown["problems"]), (2, &json!([])));
    assert_eq!((&shown["against"]["url"], &shown["settings_differ"]), (&json!(served.url), &json!(true)));
}

#[tokio::test]
async fn a_secret_that_the_server_has_is_not_missing() {
    let hook = "when:\n  - webhook: {path: h, verify: {bearer: {secret: HOOK_TOKEN}}}\nsteps: []\n";
    let project = Project::new().file("workflows/h.yaml", hook);
    let served = Serve::new(&project, Engine::Redb).with("HENCE_SECRET_HOOK_TOKEN", "hunter2hunter2").start().await;
    let ran = plan(&project.dir(), &served, &project.data(), &[]).await;
    check_says(&ran, 0, &["Secrets: 1 needed, all set at the server"]);
    let gone = Project::new().file("workflows/h.yaml", "when:\n  - webhook: {path: h, verify: none}\nsteps: []\n");
    let ran = plan(&gone.dir(), &served, &project.data(), &[]).await;
    check_says(&ran, 0, &["  - HOOK_TOKEN is not used any more", "      ! anybody may call it from then on"]);
    assert!(!ran.out.contains("hunter2"));
}

#[tokio::test]
async fn a_bad_file_is_shown_first_and_keeps_what_is_served() {
    let project = old();
    let served = Serve::new(&project, Engine::Redb).start().await;
    let new = Project::new().file("hence.yaml", SETTINGS).file("workflows/lead.yaml", BAD).file("workflows/idle.yaml", IDLE);
    let new = new.file("workflows/digest.yaml", DIGEST).file("workflows/fresh.yaml", BAD);
    let ran = plan(&new.dir(), &served, &project.data(), &[]).await;
    assert!(ran.out.starts_with("workflows/fresh.yaml:3:5: error[unknown-step-kind]"), "{ran:?}");
    assert!(ran.out.contains(" 3 |   - stops: 1\n   |     ^^^^^\n"), "{ran:?}");
    check_says(
        &ran,
        1,
        &[
            "Workflows: 0 added, 0 changed, 0 removed, 2 unchanged, 1 kept",
            "  ! lead (workflows/lead.yaml) has an error: what is served of it stays",
        ],
    );
    assert!(ran.out.contains("1 workflow keeps its last good") && !ran.out.contains("Routes"), "{ran:?}");
    let json = plan(&new.dir(), &served, &project.data(), &["--format", "json"]).await;
    let shown = json.json();
    assert_eq!(
        (json.code, shown["problems"].as_array().unwrap().len(), &shown["workflows"]["kept"][0]["name"]),
        (Some(1), 2, &json!("lead"))
    );
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused() {
    let project = old();
    let (dir, data) = (project.dir(), project.data());
    let (dir, data) = (dir.to_str().unwrap(), data.to_str().unwrap());
    check_refused(&hence(&["plan", dir]).await, 2, &["--against"]);
    check_refused(&hence(&["plan", "/no/such/folder", "--against", "http://127.0.0.1:1"]).await, 2, &["/no/such/folder"]);

    let served = Serve::new(&project, Engine::Redb).start().await;
    let other = Project::new();
    std::fs::create_dir(other.data()).unwrap();
    std::fs::write(other.data().join("admin-token"), "guess").unwrap();
    check_refused(&plan(&project.dir(), &served, &other.data(), &[]).await, 2, &["admin token", "401"]);
    let against = async |url: &str| hence(&["plan", dir, "--data", data, "--against", url]).await;
    check_refused(&against("127.0.0.1:8787").await, 2, &["http://127.0.0.1:8787"]);

    check_refused(&against("http://127.0.0.1:1").await, 3, &["no hence server answers at http://127.0.0.1:1"]);
    // Another kind of server: it answers, and not so.
    for status in [StatusCode::OK, StatusCode::NOT_FOUND] {
        let receiver = Receiver::answering(move |_| std::future::ready(status)).await;
        let url = format!("http://{}", receiver.address);
        check_refused(&against(&url).await, 3, &[&url, "does not answer as a hence server"]);
    }
}
