//! Those who answer what runs ask.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::known::{Known, link};
use crate::life::Life;
use crate::process::Answer;

/// Who answers before a cut, and who after it.
pub(super) const BEFORE: &str = "before";
pub(super) const AFTER: &str = "after";

/// Those who answer questions and pay, and what they were told of it.
pub(super) struct People {
    http: reqwest::Client,
    heard: Mutex<(BTreeSet<u64>, BTreeSet<u64>)>,
}

impl People {
    pub(super) fn new() -> Self {
        const PATIENCE: Duration = Duration::from_secs(30);
        Self { http: hence::connector::http::api_client(PATIENCE).unwrap(), heard: Mutex::default() }
    }

    pub(super) async fn answer(&self, life: &Life, link: &str, decision: &str, who: &str) -> reqwest::Result<(StatusCode, Value)> {
        let answer = self.http.post(format!("{}{link}", life.served.url)).json(&json!({"decision": decision, "who": who})).send().await?;
        Ok((answer.status(), answer.json().await?))
    }

    pub(super) async fn pay(life: &Life, number: u64) -> reqwest::Result<Answer> {
        life.api.try_hook("paid", &[], json!({"number": number}).to_string()).await
    }

    /// Answers about two thirds of the questions as they come, and pays for two thirds, for as long as it is let.
    pub(super) async fn live(&self, life: &Life, known: &Known) {
        let mut handled: BTreeSet<u64> = known.approved.union(&known.paid).copied().collect();
        let mut links = known.links.clone();
        loop {
            let count = life.receiver.count();
            let seen = life.receiver.seen();
            let asked = seen.iter().filter(|call| call.path == "/ask");
            links.extend(asked.map(|call| (call.body["number"].as_u64().unwrap(), link(call))));
            for (number, link) in &links {
                if !handled.insert(*number) {
                    continue;
                }
                if number % 3 != 0 {
                    let Ok((status, body)) = self.answer(life, link, "approve", BEFORE).await else { return std::future::pending().await };
                    assert_eq!((status, &body["status"], &body["who"]), (StatusCode::OK, &json!("approved"), &json!(BEFORE)), "{body}");
                    self.heard.lock().unwrap().0.insert(*number);
                }
                if number % 3 != 1 {
                    let Ok(paid) = Self::pay(life, *number).await else { return std::future::pending().await };
                    assert!(paid.status.is_success(), "{paid:?}");
                    self.heard.lock().unwrap().1.insert(*number);
                }
            }
            life.receiver.arrived(count + 1).await;
        }
    }

    pub(super) fn add_to(&self, known: &mut Known) {
        let heard = self.heard.lock().unwrap();
        known.approved.extend(&heard.0);
        known.paid.extend(&heard.1);
    }
}
