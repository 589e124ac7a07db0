//! A sender that does not give up, and what must be there in the end.

use std::collections::BTreeSet;

use http::StatusCode;
use serde_json::json;

use crate::process::{Api, Project, Receiver, Told, must};

const WORK: &str = r#"
when:
  - webhook:
      path: work
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - id: a
    call: http.post
    using: there
    with: {url: /a, json: {number: "${event.body.number}"}}
  - id: b
    call: http.post
    using: there
    with: {url: /b, json: {number: "${event.body.number}"}}
"#;

pub(super) fn project(receiver: &Receiver) -> Project {
    Project::calling(receiver.address, "work", WORK)
}

/// What was answered.
#[derive(Default)]
pub(super) struct Sender {
    pub(super) told: Told,
    pub(super) refused: usize,
    more: usize,
    next: u64,
}

impl Sender {
    /// One whose events are so much larger than they have to be, in bytes.
    pub(super) fn of(more: usize) -> Self {
        Self { more, ..Self::default() }
    }

    /// One more event; says whether it was stored. What is not stored is answered 503 with `Retry-After`.
    pub(super) async fn send(&mut self, api: &Api) -> bool {
        self.try_send(api).await.unwrap()
    }

    /// The same to a server that may end. Without an answer the event is the next one again.
    pub(super) async fn try_send(&mut self, api: &Api) -> reqwest::Result<bool> {
        let number = self.next;
        let answer = api.try_hook("work", &[], json!({"number": number, "pad": "x".repeat(3_000 + self.more)}).to_string()).await?;
        if answer.status == StatusCode::SERVICE_UNAVAILABLE {
            let code = answer.body["code"].as_str().unwrap();
            assert!(matches!(code, "disk-full" | "store-unavailable"), "{answer:?}");
            self.refused += 1;
            return Ok(false);
        }
        let (told, _is_repeat) = answer.told();
        self.told.insert(number, told);
        self.next += 1;
        Ok(true)
    }

    /// So many events, each until it is stored.
    pub(super) async fn insist(&mut self, api: &Api, count: u64) {
        let until = self.next + count;
        must("the server takes events", async {
            while self.next < until {
                self.send(api).await;
            }
        })
        .await;
    }

    /// Everything acknowledged is there once, and has ended well. Calls may be repeated, with their key.
    pub(super) async fn check(&self, api: &Api, receiver: &Receiver) {
        let ids = |list: Vec<serde_json::Value>| -> BTreeSet<String> {
            let ids: BTreeSet<String> = list.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
            assert_eq!(ids.len(), list.len());
            ids
        };
        let (events, runs) = (ids(api.all("events").await), ids(api.all("runs").await));
        for (number, (event, run)) in &self.told {
            assert!(events.contains(event) && runs.contains(run), "event {number} is lost");
        }
        // One that was answered 503 may have reached the disk all the same, and is not told yet.
        assert!(events.len() <= self.told.len() + 1 && events.len() == runs.len(), "{} events, {} told", events.len(), self.told.len());
        for run in &runs {
            let shown = api.ended(run).await;
            assert_eq!(shown["status"], "succeeded", "{shown}");
        }
        let made: BTreeSet<String> = receiver.seen().into_iter().map(|seen| seen.key).collect();
        let wanted: BTreeSet<String> = runs.iter().flat_map(|run| [format!("{run}/a"), format!("{run}/b")]).collect();
        assert_eq!(made, wanted);
    }
}
