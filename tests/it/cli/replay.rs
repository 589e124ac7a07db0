//! `hence replay` with a server: one run, from a step on, and all that failed.

use http::StatusCode;
use serde_json::Value;

use super::check_refused;
use crate::process::{Engine, Project, Ran, Receiver, Seen, Serve, Served, hence, must};

const SHOP: &str = "
when: [manual]
steps:
  - {id: contact, call: http.post, using: there, with: {url: /contact}}
  - {id: charge, call: http.post, using: there, with: {url: /chrge, json: {n: '${event.body.n}'}}, retry: {attempts: 1}}
";

/// A server whose workflow `shop` fails, and how to ask it.
struct Shop {
    project: Project,
    served: Served,
    receiver: Receiver,
    asked: Vec<String>,
}

impl Shop {
    async fn new() -> Self {
        let answer = |seen: Seen| std::future::ready(if seen.path == "/chrge" { StatusCode::NOT_FOUND } else { StatusCode::OK });
        let receiver = Receiver::answering(answer).await;
        let project = Project::calling(receiver.address, "shop", SHOP);
        let served = Serve::new(&project, Engine::Redb).start().await;
        let asked = ["--project", project.dir().to_str().unwrap(), "--data", project.data().to_str().unwrap()].map(str::to_owned).into();
        Self { project, served, receiver, asked }
    }

    async fn hence(&self, args: &[&str]) -> Ran {
        let asked: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        hence(&[args, &asked].concat()).await
    }

    /// Does `hence replay ARGS`, which goes well; gives what it printed.
    async fn replay(&self, args: &[&str]) -> String {
        let ran = self.hence(&[&["replay"], args].concat()).await;
        assert_eq!((ran.code, &*ran.err), (Some(0), ""), "{ran:?}");
        ran.out
    }

    /// A run that fails at its second step.
    async fn failed(&self) -> String {
        let ran = self.hence(&["run", "shop", "--format", "json"]).await;
        assert_eq!(ran.code, Some(1), "{ran:?}");
        ran.json()["id"].as_str().unwrap().to_owned()
    }

    /// Changes the workflow, and waits until the change is served.
    async fn change(&self, change: impl FnOnce(&std::path::Path)) {
        let served = async || self.served.api().get("workflows").await["workflows"].clone();
        let before = served().await;
        change(&self.project.dir().join("workflows/shop.yaml"));
        self.served.hang_up();
        must("the change is served", async { while served().await == before {} }).await;
    }

    async fn mend(&self) {
        self.change(|file| std::fs::write(file, SHOP.replace("/chrge", "/charge")).unwrap()).await;
    }

    async fn ended(&self, run: &str) -> Value {
        self.served.api().ended(run.trim()).await
    }

    fn paths(&self) -> Vec<String> {
        self.receiver.seen().into_iter().map(|seen| seen.path).collect()
    }
}

#[tokio::test]
async fn one_run_is_replayed_from_a_step_on() {
    let shop = Shop::new().await;
    let old = shop.failed().await;
    check_refused(&shop.hence(&["replay", &old, "--from", "chrge"]).await, 1, &["no step `chrge`; it has `contact`, `charge` (404"]);
    check_refused(&shop.hence(&["replay", "run_1"]).await, 2, &["`run_1` is not an id"]);
    shop.mend().await;
    let new = shop.replay(&[&old, "--from", "charge"]).await;
    assert_eq!(shop.ended(&new).await["status"], "succeeded");
    assert_eq!(shop.paths(), ["/contact", "/chrge", "/charge"], "what was done is not done again");
    assert_eq!(shop.receiver.seen()[2].key, format!("{}/charge", new.trim()));
    let shown = shop.hence(&["show", new.trim()]).await.out;
    assert!(shown.contains(&format!("  replays   {old} from charge on\n")), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("contact  done, reused  1")), "{shown}");
    assert!(shown.lines().any(|line| line.starts_with("charge   done ")), "{shown}");
    let listed = shop.hence(&["runs"]).await.out;
    assert!(listed.lines().any(|line| line.starts_with(new.trim()) && line.ends_with(&format!("replay of {old}"))), "{listed}");
    let again: Value = serde_json::from_str(&shop.replay(&[&old, "--format", "json"]).await).unwrap();
    assert_eq!((again["replay_of"].as_str(), &again["replay_from"]), (Some(&*old), &Value::Null));
    assert_eq!(shop.ended(again["run"].as_str().unwrap()).await["status"], "succeeded");
}

#[tokio::test]
async fn many_runs_are_shown_first_and_replayed_once() {
    let shop = Shop::new().await;
    let runs = [shop.failed().await, shop.failed().await, shop.failed().await];
    shop.mend().await;
    let all = ["--workflow", "shop", "--since", "2d"];
    let preview = shop.replay(&all).await;
    let listed: Vec<&str> = preview.lines().filter_map(|line| line.split(' ').next().filter(|word| word.starts_with("run_"))).collect();
    assert_eq!(listed, runs, "oldest first: {preview}");
    assert!(preview.contains("3 runs to replay") && preview.contains("Nothing was done yet"), "{preview}");
    let preview = shop.replay(&[&all[..], &["--limit", "2"]].concat()).await;
    assert!(preview.contains("2 runs to replay") && preview.contains("1 run more would match"), "{preview}");
    assert_eq!(shop.paths().len(), 6, "nothing was done");

    let command = preview.lines().last().unwrap().trim().strip_prefix("hence ").unwrap();
    assert!(command.starts_with("replay --workflow shop --status failed --since 2d --limit 2 --project "), "{command}");
    let done = hence(&command.split(' ').collect::<Vec<_>>()).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    let line = |run: &str| done.out.lines().find_map(|line| line.strip_prefix(&format!("{run} is replayed as "))).map(str::to_owned);
    let [Some(first), Some(_), None] = [line(&runs[0]), line(&runs[1]), line(&runs[2])] else { panic!("{done:?}") };
    assert!(done.out.ends_with("2 runs replayed, 1 more match\n"), "{done:?}");
    let shown = shop.ended(&first).await;
    assert_eq!((shown["status"].as_str(), shown["replay_of"].as_str()), (Some("succeeded"), Some(&*runs[0])));

    let rest = shop.hence(&[&["replay", "--yes", "--format", "json"], &all[..]].concat()).await.json();
    assert_eq!((rest["replayed"].as_array().unwrap().len(), &rest["replayed"][0]["replay_of"]), (1, &Value::from(&*runs[2])));
    shop.ended(rest["replayed"][0]["run"].as_str().unwrap()).await;
    let left = shop.replay(&all).await;
    assert_eq!(left, "3 runs left out: replayed before\nno runs to replay\n");
    let left = shop.hence(&[&["replay", "--format", "json"], &all[..]].concat()).await.json();
    assert_eq!((&left["runs"], &left["replayed_before"]), (&serde_json::json!([]), &3.into()));
    assert_eq!(shop.replay(&[&all[..], &["--yes"]].concat()).await, "no runs to replay\n");
    assert_eq!(shop.replay(&["--workflow", "other"]).await, "no runs to replay\n");
    assert_eq!(shop.paths().iter().filter(|path| *path == "/charge").count(), 3, "each was replayed once");
}

#[tokio::test]
async fn a_replay_that_is_refused_exits_with_1_and_a_replay_that_fails_can_be_replayed() {
    let shop = Shop::new().await;
    let old = shop.failed().await;
    let all = ["replay", "--workflow", "shop", "--yes"];
    let again = shop.hence(&all).await;
    let new = again.out.lines().next().unwrap().rsplit(' ').next().unwrap().to_owned();
    assert_eq!(shop.ended(&new).await["status"], "failed", "nothing was mended");
    let preview = shop.replay(&["--workflow", "shop"]).await;
    assert!(preview.contains("1 run left out") && preview.lines().any(|line| line.starts_with(&new)), "the replay is left: {preview}");
    shop.change(|file| std::fs::remove_file(file).unwrap()).await;
    let refused = shop.hence(&all).await;
    check_refused(&refused, 1, &[&new, "there is no workflow `shop` here"]);
    assert_eq!(refused.out, "0 runs replayed, 1 could not be\n");
    let refused = shop.hence(&[&all[..], &["--format", "json"]].concat()).await;
    assert_eq!((refused.code, &refused.json()["failed"][0]["run"]), (Some(1), &Value::from(&*new)));
    check_refused(&shop.hence(&["replay", &old]).await, 1, &["there is no workflow `shop` here"]);
    shop.served.kill();
    let asked: Vec<&str> = shop.asked.iter().map(String::as_str).collect();
    check_refused(&hence(&[&all[..], &asked].concat()).await, 3, &["hence serve"]);
}

#[tokio::test]
async fn wrong_usage_exits_with_2() {
    let run = "run_00000000000000000000000000";
    for (args, words) in [
        (&[][..], "RUN"),
        (&[run, "--workflow", "shop"], "cannot be used with"),
        (&[run, "--yes"], "cannot be used with"),
        (&["--workflow", "shop", "--from", "charge"], "cannot be used with"),
        (&["--status", "failed"], "RUN"),
        (&["--from", "charge"], "RUN"),
        (&["--workflow", "shop", "--limit", "0"], "--limit"),
        (&["--workflow", "shop", "--status", "failed,running"], "--status running: only runs that have ended can be replayed"),
        (&["--workflow", "shop", "--since", "yesterday"], "--since yesterday: expected a duration such as 2d, or an RFC 3339 time"),
    ] {
        check_refused(&hence(&[&["replay"], args].concat()).await, 2, &[words]);
    }
}
