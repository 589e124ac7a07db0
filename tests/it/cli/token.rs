//! The admin token: made once, said once, kept private, asked for.

use std::os::unix::fs::PermissionsExt;

use http::StatusCode;

use crate::process::{Engine, Project, Serve, Served};

const HELLO: &str = "when:\n  - manual:\nsteps:\n  - stop: '1'\n";

async fn status(served: &Served, path: &str, token: Option<&str>) -> StatusCode {
    let client = hence::connector::http::api_client(crate::process::PATIENCE).unwrap();
    let request = client.get(format!("{}{path}", served.url));
    let request = match token {
        Some(token) => request.bearer_auth(token),
        None => request,
    };
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn the_token_is_printed_once_kept_private_and_asked_for() {
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    let serve = Serve::new(&project, Engine::Redb);
    let served = serve.start().await;
    let file = project.data().join("admin-token");
    let token = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let said = |served: &Served| served.log().iter().filter(|line| line.contains(&token)).count();
    assert_eq!(said(&served), 1);

    for path in ["/api/runs", "/api/events", "/api/workflows", "/api/stats", "/api/no-such-thing"] {
        assert_eq!(status(&served, path, None).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(status(&served, path, Some("guess")).await, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(status(&served, path, Some(&token[1..])).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(status(&served, "/api/runs", Some(&token)).await, StatusCode::OK);
    assert_eq!(status(&served, "/healthz", None).await, StatusCode::OK);
    assert_eq!(status(&served, "/readyz", None).await, StatusCode::OK);
    assert_eq!(served.stop().await, Some(0));

    let served = serve.start().await;
    assert_eq!(said(&served), 0, "it is not said again");
    assert_eq!(status(&served, "/api/runs", Some(&token)).await, StatusCode::OK, "it is the same");
}

#[tokio::test]
async fn the_token_of_the_environment_goes_before_and_is_not_written_down() {
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    let served = Serve::new(&project, Engine::Redb).with("HENCE_ADMIN_TOKEN", "from outside").start().await;
    assert!(!project.data().join("admin-token").exists());
    assert_eq!(status(&served, "/api/runs", Some("from outside")).await, StatusCode::OK);
    assert_eq!(status(&served, "/api/runs", None).await, StatusCode::UNAUTHORIZED);
    assert!(!served.log().iter().any(|line| line.contains("from outside")));
}
