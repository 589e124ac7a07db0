//! `hence check` and `hence init`.

use std::path::Path;

use http::StatusCode;

use super::check_refused;
use crate::process::{Engine, Project, Serve, hence};

#[tokio::test]
async fn check_finds_nothing_in_what_is_shipped() {
    let dir = env!("CARGO_MANIFEST_DIR");
    let ran = hence(&["check", dir]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let shown = hence(&["check", dir, "--format", "json"]).await;
    assert_eq!((shown.code, &shown.json()["errors"]), (Some(0), &0.into()));
    let shipped = Path::new(dir).join("workflows").read_dir().unwrap();
    let is_workflow = |name: &str| name.ends_with(".yaml") && !name.ends_with(".test.yaml");
    let workflows = shipped.filter(|entry| is_workflow(entry.as_ref().unwrap().file_name().to_str().unwrap())).count();
    assert_eq!(shown.json()["workflows"], workflows);
}

#[tokio::test]
async fn check_names_every_problem_with_its_place() {
    let good = "when:\n  - manual:\nsteps:\n  - stop: '1'\n";
    let bad = "when:\n  - manual:\nsteps:\n  - calls: http.post\n  - id: b\n    call: htp.post\n    with: {url: /x}\n";
    let project = Project::new().file("workflows/good.yaml", good).file("workflows/bad.yaml", bad);
    let dir = project.dir();
    let ran = hence(&["check", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for place in ["workflows/bad.yaml:4:5: error[", "workflows/bad.yaml:6:"] {
        assert!(ran.out.contains(place), "`{place}` is missing: {ran:?}");
    }
    let json = hence(&["check", dir.to_str().unwrap(), "--format", "json"]).await;
    assert_eq!(json.code, Some(1));
    let (checked, problem) = (json.json(), json.json()["problems"][0].clone());
    assert_eq!((&checked["errors"], &checked["workflows"]), (&2.into(), &1.into()));
    assert_eq!((&problem["file"], &problem["line"], &problem["column"]), (&"workflows/bad.yaml".into(), &4.into(), &5.into()));
    // One file alone.
    let file = |name: &str| dir.join("workflows").join(name).to_str().unwrap().to_owned();
    assert_eq!(hence(&["check", &file("good.yaml")]).await.code, Some(0));
    assert_eq!(hence(&["check", &file("bad.yaml")]).await.code, Some(1));
    // One that would never be served is not called good.
    let elsewhere = dir.join("good.yaml");
    std::fs::write(&elsewhere, good).unwrap();
    check_refused(&hence(&["check", elsewhere.to_str().unwrap()]).await, 2, &["good.yaml", "workflows/*.yaml"]);
}

#[tokio::test]
async fn check_looks_at_the_files_of_tls() {
    let project = Project::new().file("hence.yaml", "tls: {cert: tls/cert.pem, key: tls/key.pem}\n");
    let dir = project.dir();
    let ran = hence(&["check", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "the machine that checks need not have them: {ran:?}");
    for words in
        ["hence.yaml:1:13: warning[missing-certificate]: tls/cert.pem is not there", "hence.yaml:1:32: warning[", "0 errors, 2 warnings"]
    {
        assert!(ran.out.contains(words), "`{words}` is missing: {ran:?}");
    }
    check_refused(&Serve::new(&project, Engine::Redb).refused().await, 1, &["hence.yaml:1:13: error[missing-certificate]"]);
    let project = project.file("tls/cert.pem", "nothing").file("tls/key.pem", "hunter2hunter2");
    let ran = hence(&["check", dir.to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for words in ["hence.yaml:1:13: error[bad-certificate]: tls/cert.pem holds no certificate", "help: ", "2 errors"] {
        assert!(ran.out.contains(words), "`{words}` is missing: {ran:?}");
    }
    assert!(!ran.out.contains("hunter2"), "{ran:?}");
    check_refused(&Serve::new(&project, Engine::Redb).refused().await, 1, &["error[bad-certificate]", "tls/key.pem"]);
}

#[tokio::test]
async fn check_of_a_folder_without_workflows_says_where_they_belong() {
    let project = Project::new();
    let ran = hence(&["check", project.dir().to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("`workflows`") && ran.out.contains("hence init"), "{ran:?}");
}

#[tokio::test]
async fn a_wrong_file_of_secrets_is_not_shown() {
    use std::os::unix::fs::PermissionsExt;
    let project = Project::new().file("secrets.env", "SHOP_TOKEN=hunter2hunter2\nhunter3hunter3\n");
    let secrets = project.dir().join("secrets.env");
    for (mode, words) in [(0o644, "mode 644"), (0o600, "NAME=VALUE")] {
        std::fs::set_permissions(&secrets, std::fs::Permissions::from_mode(mode)).unwrap();
        let checked = hence(&["check", project.dir().to_str().unwrap()]).await;
        assert!(checked.code == Some(1) && checked.out.contains(words), "{checked:?}");
        let served = Serve::new(&project, Engine::Redb).refused().await;
        assert!(served.code == Some(1) && served.err.contains(words), "{served:?}");
        for text in [&checked.out, &checked.err, &served.out, &served.err] {
            assert!(!text.contains("hunter"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_key_in_the_settings_is_found_and_not_shown() {
    let key = "ghp_0123456789abcdefghijabcdefghij0123456789";
    let settings = format!("connections:\n  crm: {{connector: http, auth: {{bearer: {key}}}}}\n");
    let project = Project::new().file("hence.yaml", &settings);
    let ran = hence(&["check", project.dir().to_str().unwrap()]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("hence.yaml:2:41: warning[secret-in-the-open]"), "{ran:?}");
    assert!(!ran.out.contains(key) && ran.out.contains("ghp_****"), "{ran:?}");
}

#[tokio::test]
async fn what_init_writes_serves_and_does_what_its_hint_says() {
    let root = tempfile::TempDir::new().unwrap();
    let dir = root.path().join("x");
    let path = dir.to_str().unwrap();
    let ran = hence(&["init", path]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(hence(&["check", path]).await.code, Some(0));
    let tested = hence(&["test", path, "--coverage", "--format", "json"]).await;
    assert_eq!((tested.code, &tested.json()["workflows"][0]["coverage"]["missed"]), (Some(0), &serde_json::json!([])), "{tested:?}");
    check_refused(&hence(&["init", path]).await, 2, &["is there already", "nothing was written"]);

    let served = Serve::folder(&dir, &dir.join(".hence"), Engine::Redb).start().await;
    // `curl -d 'BODY' -H '…' http://127.0.0.1:8787/hooks/HOOK`, but at the port that is free here.
    let curl = ran.out.lines().find(|line| line.contains("curl")).unwrap();
    let body = curl.split('\'').nth(1).unwrap();
    let (_, hook) = curl.split_once("/hooks/").unwrap();
    let answer = served.api().hook(hook, &[], body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let run = answer.runs().pop().unwrap();
    let shown = served.api().ended(&run).await;
    assert_eq!(shown["output"], serde_json::json!({"text": "Hello, ADA!", "mood": "nice to meet you"}));

    let runs = ran.out.lines().find_map(|line| line.trim().strip_prefix("hence runs")).unwrap();
    let args: Vec<_> = ["runs"].into_iter().chain(runs.split_whitespace()).collect();
    let listed = hence(&args).await;
    assert_eq!(listed.code, Some(0), "{listed:?}");
    assert!(listed.out.lines().any(|line| line.contains(&run) && line.contains("hello") && line.contains("succeeded")), "{listed:?}");
}
