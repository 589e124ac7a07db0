//! `/approve/RUN/QUESTION/SIGNATURE`: what a person is asked, and their answer. To look decides nothing: mail scanners and
//! previews follow links. There are no cookies and no session, so there is nothing that another site could use: the link itself
//! is what lets in.

mod page;

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::accept::best;
use super::{ProblemResponse, Web, body};
use crate::domain::Value;
use crate::intake::Refusal;
use crate::intake::approve::{Answer, COMMENT_CHARS, Decision, LinkParts, Question, Standing, WHO_CHARS};

/// The largest body of an answer, in bytes: name and comment at their longest, each character escaped.
const BODY_LIMIT_BYTES: usize = 32 * 1024;

/// Shows what is asked.
pub(super) async fn show(State(web): State<Arc<Web>>, Path(link): Path<LinkParts>, headers: HeaderMap) -> Response {
    let form = Form::wanted(&headers);
    match web.intake.question(&link).await {
        Ok(question) => form.show(&question),
        Err(refusal) => form.refuse(refusal.into()),
    }
}

/// Takes an answer, and shows what came of it.
pub(super) async fn answer(State(web): State<Arc<Web>>, Path(link): Path<LinkParts>, headers: HeaderMap, body: Body) -> Response {
    let form = Form::wanted(&headers);
    match decide(&web, &link, &headers, body).await {
        Ok(question) => form.show(&question),
        Err(problem) => form.refuse(problem),
    }
}

async fn decide(web: &Web, link: &LinkParts, headers: &HeaderMap, body: Body) -> Result<Question, ProblemResponse> {
    // Who has no link of ours is told so before anything is read.
    let question = web.intake.question(link).await?;
    if question.standing != Standing::Open {
        return Ok(question);
    }
    let (body, _held) = body::read(&web.intake.door.bodies, body, headers, BODY_LIMIT_BYTES).await.map_err(|refusal| match refusal {
        Refusal::TooLarge { limit_bytes } => {
            let detail = format!("the answer is larger than {limit_bytes} bytes");
            ProblemResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "body-too-large", detail)
        }
        other => other.into(),
    })?;
    let answer = if is_json(headers, &header::CONTENT_TYPE) { from_json(&body)? } else { from_form(&body)? };
    Ok(web.intake.decide(link, answer).await?)
}

fn bad(detail: impl Into<String>) -> ProblemResponse {
    ProblemResponse::new(StatusCode::BAD_REQUEST, "bad-request", detail)
}

/// An answer as a program sends it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct JsonAnswer {
    decision: Decision,
    #[serde(default)]
    who: String,
    #[serde(default)]
    comment: String,
}

fn from_json(body: &[u8]) -> Result<Answer, ProblemResponse> {
    let read: JsonAnswer = serde_json::from_slice(body).map_err(|error| {
        bad(format!("the answer cannot be read: {error}; send {{\"decision\": \"approve\" or \"deny\", \"comment\": …, \"who\": …}}"))
    })?;
    checked(read.decision, &read.who, &read.comment)
}

fn from_form(body: &[u8]) -> Result<Answer, ProblemResponse> {
    let (mut decision, mut who, mut comment) = (None, String::new(), String::new());
    for (name, value) in form_urlencoded::parse(body) {
        match &*name {
            "decision" => decision = Some(value.into_owned()),
            "who" => who = value.into_owned(),
            "comment" => comment = value.into_owned(),
            other => return Err(bad(format!("the form has no field `{other}`: send `decision`, and `comment` and `who` if you like"))),
        }
    }
    let decision = match decision.as_deref() {
        Some("approve") => Decision::Approve,
        Some("deny") => Decision::Deny,
        _ => return Err(bad("nothing was decided: send `decision=approve` or `decision=deny`")),
    };
    checked(decision, &who, &comment)
}

fn checked(decision: Decision, who: &str, comment: &str) -> Result<Answer, ProblemResponse> {
    let (who, comment) = (cleaned(who).replace('\n', " "), cleaned(comment));
    for (name, text, limit) in [("name", &who, WHO_CHARS), ("comment", &comment, COMMENT_CHARS)] {
        let length = text.chars().count();
        if limit < length {
            return Err(bad(format!(
                "the {name} has {length} characters, and {limit} is the most: nothing was decided, go back and shorten it"
            )));
        }
    }
    Ok(Answer { decision, who, comment })
}

/// Browsers send line ends as CR LF; other control characters nobody types.
fn cleaned(text: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let kept: String = text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect();
    kept.trim().to_owned()
}

const JSON: &str = "application/json";

fn is_json(headers: &HeaderMap, name: &HeaderName) -> bool {
    let value = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    value.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(JSON))
}

/// What the other side reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A person with a browser.
    Page,
    /// A program.
    Json,
}

impl Form {
    fn wanted(headers: &HeaderMap) -> Self {
        let sends_json = is_json(headers, &header::CONTENT_TYPE);
        if sends_json || best(headers, &["text/html", JSON]) == JSON { Self::Json } else { Self::Page }
    }

    fn show(self, question: &Question) -> Response {
        let (status, code) = match &question.standing {
            Standing::Open | Standing::Decided { .. } => (StatusCode::OK, None),
            Standing::Over(why) => (StatusCode::GONE, Some(why)),
        };
        private(match (self, code) {
            (Self::Page, _) => (status, page::question(question)).into_response(),
            (Self::Json, Some(why)) => ProblemResponse::question_over(why).into_response(),
            (Self::Json, None) => (status, Json(view(question))).into_response(),
        })
    }

    fn refuse(self, problem: ProblemResponse) -> Response {
        private(match self {
            Self::Json => problem.into_response(),
            Self::Page => {
                let page = page::problem(problem.status(), problem.detail());
                // The status and what else is said in headers are the same for both.
                let mut response = problem.into_response();
                response.headers_mut().remove(header::CONTENT_LENGTH);
                response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
                *response.body_mut() = Body::from(page.0);
                response
            }
        })
    }
}

/// What a program is shown.
fn view(question: &Question) -> Value {
    let mut shown = json!({
        "run": question.run,
        "workflow": question.workflow,
        "step": question.step,
        "to": question.to,
        "message": question.message,
        "asked": question.asked.to_string(),
        "until": question.until.to_string(),
        "status": "open",
    });
    if let (Standing::Decided { who, what, comment, when }, Value::Object(map)) = (&question.standing, &mut shown) {
        map.extend([
            ("status".to_owned(), json!(what)),
            ("who".to_owned(), json!(who)),
            ("comment".to_owned(), json!(comment)),
            ("when".to_owned(), json!(when.to_string())),
        ]);
    }
    shown
}

/// Nothing of it is kept, framed, indexed or told to other sites; no script runs, nothing is loaded.
fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&page::content_security_policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
