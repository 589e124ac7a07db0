//! Wrong usage, and servers that are not there.

use super::check_refused;
use crate::process::{Engine, Project, Serve, hence};

const HELLO: &str = "when:\n  - manual:\nsteps:\n  - stop: '1'\n";

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    let dir = project.dir();
    let dir = dir.to_str().unwrap();
    check_refused(&hence(&["runs", "--no-such-flag"]).await, 2, &["--no-such-flag"]);
    check_refused(&hence(&["no-such-command"]).await, 2, &["no-such-command"]);
    check_refused(&hence(&[]).await, 2, &["Usage"]);
    check_refused(&hence(&["runs", "--format", "xml"]).await, 2, &["xml", "text", "json"]);
    check_refused(&hence(&["serve", "/no/such/folder"]).await, 2, &["/no/such/folder", "hence init"]);
    check_refused(&hence(&["check", "/no/such/folder"]).await, 2, &["/no/such/folder"]);
    let data = project.data();
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("admin-token"), "token").unwrap();
    let asked = ["--url", "localhost:8787", "--data", data.to_str().unwrap()];
    check_refused(&hence(&[&["runs"], &asked[..]].concat()).await, 2, &["localhost:8787", "http://"]);
    let json = ["run", "hello", "--event", r#"{"a": 1}"#];
    check_refused(&hence(&json).await, 2, &["takes a file", "--event -"]);
    let store = ["serve", dir, "--listen", "127.0.0.1:0", "--store", "floppy://a"];
    check_refused(&hence(&store).await, 2, &["floppy://a"]);
}

#[tokio::test]
async fn a_folder_without_workflows_is_served_with_a_warning() {
    let (empty, project) = (Project::new(), Project::new().file("workflows/hello.yaml", HELLO));
    let warned = async |project: &Project| {
        let served = Serve::new(project, Engine::Redb).start().await;
        let warned = served.log().iter().any(|line| line.contains("there is no workflow in `workflows/`"));
        assert_eq!(served.stop().await, Some(0));
        warned
    };
    assert!(warned(&empty).await);
    assert!(!warned(&project).await);
}

#[tokio::test]
async fn an_address_in_use_exits_with_2_and_says_which() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    let dir = project.dir();
    check_refused(&hence(&["serve", dir.to_str().unwrap(), "--listen", &address]).await, 2, &[&address, "--listen"]);
}

#[tokio::test]
async fn a_configuration_with_an_error_exits_with_1_and_names_the_place() {
    let project = Project::new().file("hence.yaml", "listn: 127.0.0.1:0\n");
    check_refused(&Serve::new(&project, Engine::Redb).refused().await, 1, &["hence.yaml:1:1", "`listen`"]);
}

#[tokio::test]
async fn commands_without_a_server_exit_with_3() {
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    let (dir, data) = (project.dir(), project.data());
    let asked = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let commands: [&[&str]; 8] = [
        &["runs"],
        &["events"],
        &["why", "evt_1"],
        &["run", "hello"],
        &["show", "run_1"],
        &["cancel", "run_1"],
        &["replay", "run_1"],
        &["replay", "--workflow", "hello"],
    ];
    for command in commands {
        check_refused(&hence(&[command, &asked].concat()).await, 3, &["hence serve"]);
    }
    // One that was killed leaves its address behind, and nobody answers there.
    Serve::new(&project, Engine::Redb).start().await.kill();
    assert!(data.join("address").exists());
    for command in commands {
        check_refused(&hence(&[command, &asked].concat()).await, 3, &["no hence server answers at http://127.0.0.1:", "hence serve"]);
    }
}
