//! `hence test` and `hence run --dry`.

use std::process::Command;

use serde_json::json;

use super::check_refused;
use crate::process::{Project, Ran, hence, skip};

const GREET: &str = "
when: [manual]
steps:
  - {id: tell, call: http.post, with: {url: https://example.com/m, json: {text: 'Hi ${event.body.name}'}}}
  - {if: event.body.vip, then: [{wait: 30d}, {call: http.get, with: {url: https://example.com/v}}]}
";
const CASES: &str = "
cases:
  - name: Ada is <greeted> & \"told\"
    event: {body: {name: Ada, vip: false}}
    mock: {http.post: {output: {status: 200}}}
    expect: {with: {http.post: {json: {text: Hi Bob}}}, calls: [http.post, http.get]}
  - name: nobody wrote the mock
    event: {body: {name: Ada}}
    expect: {}
  - name: fine
    event: {body: {name: Ada, vip: false}}
    mock: {http.post: {output: {status: 200}}}
    expect: {status: succeeded}
";

fn project() -> Project {
    Project::new().file("workflows/greet.yaml", GREET).file("workflows/greet.test.yaml", CASES)
}

async fn test(project: &Project, args: &[&str]) -> Ran {
    hence(&[&["test", project.dir().to_str().unwrap()], args].concat()).await
}

#[tokio::test]
async fn every_shipped_workflow_has_tests_that_pass_and_reach_all_of_it() {
    let ran = hence(&["test", env!("CARGO_MANIFEST_DIR"), "--coverage", "--format", "json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let workflows = ran.json()["workflows"].as_array().unwrap().clone();
    assert!(!workflows.is_empty());
    for workflow in workflows {
        let coverage = &workflow["coverage"];
        assert_eq!(coverage["missed"], json!([]), "{workflow}");
        assert_eq!(coverage["reached"], coverage["of"], "{workflow}");
        assert_ne!(workflow["cases"], json!([]), "{workflow}");
    }
}

#[tokio::test]
async fn a_failed_case_shows_both_sides_and_what_to_write() {
    let ran = test(&project(), &["--coverage"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    insta::assert_snapshot!(ran.out, @r#"
    ✗ greet: Ada is <greeted> & "told"
        workflows/greet.test.yaml:3
                                     EXPECTED                  GOT
        calls                        ["http.post","http.get"]  ["http.post"]
        with.http.post[0].json.text  "Hi Bob"                  "Hi Ada"
    ✗ greet: nobody wrote the mock
        workflows/greet.test.yaml:7
        step `tell` calls `http.post`, which the case does not mock; add
          mock:
            http.post: {output: {status: 200, body: {}}}
    ✓ greet: fine

    WORKFLOW  REACHED  NOT REACHED
    greet     3 of 6   1 (then), 1/then/0, 1/then/1

    1 passed, 2 failed
    "#);
}

#[tokio::test]
async fn only_takes_cases_and_workflows_by_their_names() {
    let project = project().file("workflows/idle.yaml", "when: [manual]\nsteps: []\n");
    let count = |ran: &Ran| (ran.code, ran.json()["passed"].clone(), ran.json()["failed"].clone());
    let only = async |text: &str| count(&test(&project, &["--format", "json", "--only", text]).await);
    assert_eq!(only("fine").await, (Some(0), json!(1), json!(0)));
    assert_eq!(only("greet").await, (Some(1), json!(1), json!(2)));
    assert_eq!(only("no such case").await, (Some(0), json!(0), json!(0)));
    assert!(test(&project, &["--only", "no such case"]).await.out.contains("no test has this in its name"));
    assert!(test(&project, &["--coverage"]).await.out.contains("no tests"));
}

#[tokio::test]
async fn a_project_without_tests_says_where_they_would_be() {
    let ran = test(&Project::new().file("workflows/greet.yaml", GREET), &[]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("`workflows/NAME.test.yaml`"), "{ran:?}");
}

#[tokio::test]
async fn a_bad_test_file_is_a_failure_with_its_place_and_stops_no_other() {
    let project = project().file("workflows/a.yaml", GREET).file("workflows/a.test.yaml", "cases:\n  - nam: x\n    expect: {}\n");
    let ran = test(&project, &["--only", "fine"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for said in
        ["workflows/a.test.yaml:2:5: error[unknown-key]", "did you mean `name`?", "✓ greet: fine", "1 passed, 0 failed, 2 errors in files"]
    {
        assert!(ran.out.contains(said), "`{said}` is missing: {ran:?}");
    }
    assert_eq!(hence(&["check", project.dir().to_str().unwrap()]).await.code, Some(1), "check looks at test files too");
    check_refused(&hence(&["test", "/no/such/folder"]).await, 2, &["/no/such/folder"]);
}

/// Read by an XML parser that is not ours.
#[tokio::test]
async fn junit_output_is_xml_that_counts_right() {
    let project = project().file("workflows/lost.test.yaml", "cases: []\n");
    let ran = test(&project, &["--format", "junit"]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let script = "
import sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.argv[1].encode())
print(root.tag, root.get('tests'), root.get('failures'), root.get('errors'), len(root.findall('.//testcase')),
      len(root.findall('.//failure')), len(root.findall('.//error')), root.findall('.//testcase')[1].get('name'))
";
    let Ok(read) = Command::new("python3").args(["-c", script, &ran.out]).output() else {
        return skip("junit_output_is_xml_that_counts_right", "there is no python3");
    };
    let said = String::from_utf8(read.stdout).unwrap();
    assert_eq!(said.trim(), "testsuites 4 2 1 4 2 1 Ada is <greeted> & \"told\"", "{}", String::from_utf8_lossy(&read.stderr));
}

#[tokio::test]
async fn a_dry_run_prints_the_requests_without_secrets_and_needs_no_server() {
    let workflow = "
when: [manual]
if: event.body.wanted
steps:
  - id: tell
    call: http.post
    using: shop
    with: {url: /m, query: {key: '${secrets.QUERY_KEY}'}, json: {wait: '${event.body.n}', hash: '${secrets.QUERY_KEY}'}}
  - wait: 30d
  - {if: steps.tell.status == 200, call: http.get, with: {url: https://example.com/later, auth: {basic: {user: me, password: '${secrets.QUERY_KEY}'}}}}
";
    let config =
        "connections:\n  shop: {connector: http, base_url: https://shop.example.com/api, auth: {bearer: '${secrets.SHOP_TOKEN}'}}\n";
    let project = Project::new()
        .file("hence.yaml", config)
        .file("secrets.env", "SHOP_TOKEN=tok-123456789\nQUERY_KEY=a+b/c=d&e\n")
        .file("workflows/w.yaml", workflow)
        .file("yes.json", r#"{"wanted": true, "n": 3}"#)
        .file("no.json", r#"{"wanted": false}"#);
    let dir = project.dir();
    let secrets = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(dir.join("secrets.env"), secrets).unwrap();
    let (yes, no) = (dir.join("yes.json"), dir.join("no.json"));
    let ran = hence(&["run", "w", "--event", yes.to_str().unwrap(), "--dry", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let sent = ran.json();
    assert_eq!(sent.as_array().unwrap().len(), 2, "{ran:?}");
    let first = &sent[0];
    assert_eq!((&first["method"], &first["url"]), (&json!("POST"), &json!("https://shop.example.com/api/m?key=***")), "{ran:?}");
    assert_eq!((&first["headers"]["authorization"], &first["body"]), (&json!("Bearer ***"), &json!({"wait": 3, "hash": "***"})));
    // `me:***` in base 64: the secret was masked before it was encoded.
    assert_eq!(sent[1]["headers"]["authorization"], "Basic bWU6Kioq");
    let ran = hence(&["run", "w", "--event", no.to_str().unwrap(), "--dry", "--project", dir.to_str().unwrap()]).await;
    assert_eq!((ran.code, ran.json()), (Some(0), json!([])), "{ran:?}");
    let ran = hence(&["run", "x", "--dry", dir.to_str().unwrap()]).await;
    check_refused(&ran, 1, &["no good workflow `x`", "there are: w"]);
}

#[tokio::test]
async fn a_dry_run_says_what_a_run_emits_starts_asks_and_answers_in_order() {
    let workflow = "
when:
  - webhook: {path: a, verify: {bearer: HOOK}}
steps:
  - {emit: order.placed, with: {id: '${event.body.id}'}}
  - id: boss
    approve: {to: boss@example.com, message: 'Refund ${event.body.id}?'}
  - {run: child, with: {id: 7}}
  - respond: {status: 201, json: {who: '${steps.boss.who}'}}
  - wait: {event: order.paid}
  - {emit: never}
";
    let child = "
when: [manual]
steps:
  - {call: http.get, with: {url: 'https://example.com/${event.body.id}', auth: {bearer: '${secrets.CHILD_TOKEN}'}}}
";
    let project =
        Project::new().file("workflows/w.yaml", workflow).file("workflows/child.yaml", child).file("event.json", r#"{"id": "o1"}"#);
    let (dir, event) = (project.dir(), project.dir().join("event.json"));
    let ran = hence(&["run", "w", "--event", event.to_str().unwrap(), "--dry", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let mut did = ran.json();
    let request = did[3].take();
    assert_eq!(
        (&request["workflow"], &request["call"], &request["url"]),
        (&json!("child"), &json!("http.get"), &json!("https://example.com/7"))
    );
    assert_eq!(request["headers"]["authorization"], "Bearer ***");
    let expected = json!([
        {"step": "0", "emit": "order.placed", "with": {"id": "o1"}},
        {"step": "boss", "approve": {"to": "boss@example.com", "message": "Refund o1?"}},
        {"step": "2", "run": "child", "with": {"id": 7}},
        null,
        {"step": "3", "respond": {"status": 201, "content_type": "application/json", "body": r#"{"who":"boss@example.com"}"#}},
        {"step": "4", "wait": {"event": "order.paid"}},
    ]);
    assert_eq!(did, expected, "{ran:?}");
    assert!(ran.err.contains("would wait for an event"), "{ran:?}");
}
