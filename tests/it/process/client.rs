//! A client for hooks and the API.

use std::time::Duration;

use http::StatusCode;
use serde_json::Value;

use super::must;

/// How long one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// Items of a page.
const PAGE: usize = 1000;

/// What was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

impl Answer {
    /// The event of a receipt.
    pub(crate) fn event(&self) -> &str {
        self.body["event"].as_str().unwrap_or_else(|| panic!("no receipt: {self:?}"))
    }

    /// The runs of a receipt.
    pub(crate) fn runs(&self) -> Vec<String> {
        let runs = self.body["runs"].as_array().unwrap_or_else(|| panic!("no receipt: {self:?}"));
        runs.iter().map(|run| run["run"].as_str().unwrap().to_owned()).collect()
    }
}

/// A client of one server.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        let http = hence::connector::http::api_client(ANSWER_LIMIT).unwrap();
        Self { http, url: url.to_owned(), token: token.to_owned() }
    }

    /// Posts to a hook. An error means that no answer came.
    pub(crate) async fn try_hook(&self, hook: &str, headers: &[(&str, &str)], body: impl Into<String>) -> reqwest::Result<Answer> {
        let mut request = self.http.post(format!("{}/hooks/{hook}", self.url)).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body.into()).send().await?;
        let status = response.status();
        let text = response.bytes().await?;
        Ok(Answer { status, body: serde_json::from_slice(&text).unwrap_or_default() })
    }

    /// Posts to a hook.
    pub(crate) async fn hook(&self, hook: &str, headers: &[(&str, &str)], body: impl Into<String>) -> Answer {
        self.try_hook(hook, headers, body).await.unwrap()
    }

    /// Asks the API.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = self.http.get(format!("{}/api/{path}", self.url)).bearer_auth(&self.token).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.json().await.unwrap()
    }

    /// Asks the API to do something.
    pub(crate) async fn post(&self, path: &str) -> StatusCode {
        self.http.post(format!("{}/api/{path}", self.url)).bearer_auth(&self.token).send().await.unwrap().status()
    }

    /// The status of a page of the API.
    pub(crate) async fn look(&self, path: &str) -> StatusCode {
        self.http.get(format!("{}/api/{path}", self.url)).bearer_auth(&self.token).send().await.unwrap().status()
    }

    /// The status of a page beside the API.
    pub(crate) async fn status(&self, path: &str) -> StatusCode {
        self.http.get(format!("{}{path}", self.url)).send().await.unwrap().status()
    }

    /// Every item of a listing.
    pub(crate) async fn all(&self, list: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut before = String::new();
        loop {
            let mut page = self.get(&format!("{list}?limit={PAGE}{before}")).await;
            let Value::Array(items) = page[list].take() else { panic!("no {list}: {page}") };
            all.extend(items);
            match page["next"].as_str() {
                Some(next) => before = format!("&before={next}"),
                None => return all,
            }
        }
    }

    /// The run, once it has ended.
    pub(crate) async fn ended(&self, run: &str) -> Value {
        must(&format!("{run} ends"), async {
            loop {
                let shown = self.get(&format!("runs/{run}")).await;
                if matches!(shown["status"].as_str(), Some("succeeded" | "failed" | "canceled")) {
                    return shown;
                }
            }
        })
        .await
    }
}

/// The steps of a run: name, status, tries (0 where there are none).
pub(crate) fn steps(run: &Value) -> Vec<(&str, &str, u64)> {
    let steps = run["steps"].as_array().unwrap_or_else(|| panic!("no steps: {run}"));
    let step = |step: &'_ Value| step["attempts"].as_u64().unwrap_or(0);
    steps.iter().map(|line| (line["step"].as_str().unwrap(), line["status"].as_str().unwrap(), step(line))).collect()
}
