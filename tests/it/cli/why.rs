//! `hence why` with a server.

use super::check_refused;
use crate::process::{Engine, Project, Serve, hence};

#[tokio::test]
async fn why_tells_people_and_programs() {
    let project = Project::new()
        .file(
            "workflows/big.yaml",
            "when:\n  - webhook: {path: orders, verify: none}\nif: event.body.total > 100 && event.body.paid\nsteps: []\n",
        )
        .file("workflows/any.yaml", "when:\n  - webhook: {path: orders, verify: none}\nsteps:\n  - stop: event.body.total\n")
        .file("workflows/daily.yaml", "when:\n  - schedule: {every: 24h}\nsteps: []\n")
        .file("workflows/typo.yaml", "when:\n  - webhok: {path: orders}\nsteps: []\n");
    let served = Serve::new(&project, Engine::Redb).start().await;
    let (dir, data) = (project.dir(), project.data());
    let server = ["--project", dir.to_str().unwrap(), "--data", data.to_str().unwrap()];
    let why = async |args: &[&str]| hence(&[&["why"], args, &server].concat()).await;

    let receipt = served.api().hook("orders", &[("content-type", "application/json")], r#"{"total": 40, "paid": true}"#).await;
    let (event, run) = (receipt.event(), receipt.runs().pop().unwrap());
    served.api().ended(&run).await;

    let ran = why(&[event]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let expected = [
        "any: matched",
        &format!("  run {run} succeeded"),
        "",
        "big: not matched, for `if` is false",
        "  if",
        "    false all of",
        "      false event.body.total > 100",
        "              event.body.total = 40",
        "      -     event.body.paid (not looked at)",
        "",
        "daily: not concerned",
        "  it has only a schedule, the event came to the webhook `orders`",
        "",
        "not served as written, for `hence check` finds an error: workflows/typo.yaml",
    ];
    let (first, rest) = ran.out.split_once("\n\n").unwrap();
    assert!(first.starts_with(&format!("{event}  webhook POST orders  ")), "{ran:?}");
    assert!(first.ends_with("\na body of 27 bytes, application/json"), "{ran:?}");
    assert_eq!(rest.lines().collect::<Vec<_>>(), expected);

    let ran = why(&[event, "--format", "json"]).await;
    assert_eq!((ran.code, &ran.json()["workflows"][0]["then"]["run"]["id"]), (Some(0), &run.as_str().into()));
    assert_eq!(ran.json()["problems"][0]["file"], "workflows/typo.yaml");

    check_refused(&why(&["evt_00000000000000000000000000"]).await, 1, &["there is no event evt_0000"]);
    check_refused(&why(&["orders"]).await, 2, &["`orders` is not an id", "evt_"]);
    check_refused(&why(&[]).await, 2, &["<EVENT>"]);
}
