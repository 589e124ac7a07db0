//! `/forms/PATH`: shows a form, takes what was filled in, says what to mend. The pages work without scripts; a script of a site
//! that `cors` names may send the same and gets JSON.

mod page;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use serde_json::json;
use tokio::time::Instant;

use super::door::Sender;
use super::{ProblemResponse, Web, cors, ratelimit};
use crate::domain::Value;
use crate::domain::time::format_duration;
use crate::domain::workflow::Form;
use crate::intake::Refusal;
use crate::intake::form::{Again, Broken, Door, Draft, STAMP_FIELD, Sent, Why};
use crate::intake::limits::{Bodies, RateOf};

/// How long a form may take to arrive, however large its files are: what lies in the store for an hour without an event is
/// forgotten.
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// What the address of a form ends with after it was taken.
const SENT: &str = "sent";

/// Shows a form, or that it was taken.
pub(super) async fn show(State(web): State<Arc<Web>>, Path(path): Path<String>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let reader = Reader::of(&headers);
    let door = match web.intake.form(&path) {
        Ok(door) => door,
        Err(refusal) => return reader.refuse(None, refusal.into()),
    };
    let Some(form) = door.form() else { return reader.refuse(None, Refusal::NoForm(path).into()) };
    if query.as_deref() == Some(SENT) && form.redirect.is_none() {
        return reader.dressed(Some(form), page::thanks(form).into_response());
    }
    if form.fields.is_none() {
        let refusal = Refusal::Method { method: "GET".to_owned(), allowed: vec!["POST".to_owned()] };
        return reader.refuse(Some(form), refusal.into());
    }
    let again = Again { stamp: web.intake.stamp(form), ..Again::default() };
    reader.dressed(Some(form), page::form(form, &again).into_response())
}

/// Takes a form.
pub(super) async fn send(
    State(web): State<Arc<Web>>,
    Path(path): Path<String>,
    Extension(Sender(sender)): Extension<Sender>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let reader = Reader::of(&headers);
    let door = match web.intake.form(&path) {
        Ok(door) => door,
        Err(refusal) => return reader.refuse(None, refusal.into()),
    };
    let Some(form) = door.form() else { return reader.refuse(None, Refusal::NoForm(path).into()) };
    let left = match web.intake.door.admit_form(&door, sender, web.intake.clock.now()) {
        Ok(left) => left,
        Err(refusal) => return reader.refuse(Some(form), refusal.into()),
    };
    let sent = match read(&web, &door, query.as_deref().unwrap_or_default(), &headers, body).await {
        Ok(draft) => web.intake.take_form(&door, draft).await,
        Err(refusal) => Err(refusal),
    };
    let mut response = match sent {
        Ok(Sent::Taken(event)) if reader.wants_json => {
            reader.dressed(Some(form), (StatusCode::ACCEPTED, Json(json!({"event": event}))).into_response())
        }
        Ok(Sent::Taken(_)) => reader.dressed(Some(form), go_on(form)),
        Ok(Sent::Again(again)) => reader.again(form, &again),
        Err(refusal) => return reader.refuse(Some(form), refusal.into()),
    };
    if let Some(left) = left {
        ratelimit::tell(&mut response, RateOf::Form, &left);
    }
    response
}

/// Answers a browser that asks whether a script of another site may send a form (Fetch, "CORS-preflight request").
pub(super) async fn preflight(
    State(web): State<Arc<Web>>,
    Path(path): Path<String>,
    Extension(Sender(sender)): Extension<Sender>,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let reader = Reader::of(&headers);
    let door = match web.intake.form(&path) {
        Ok(door) => door,
        Err(refusal) => return reader.refuse(None, refusal.into()),
    };
    let Some(form) = door.form() else { return reader.refuse(None, Refusal::NoForm(path).into()) };
    if let Err(refusal) = web.intake.door.admit_sender(sender, web.intake.clock.now()) {
        return reader.refuse(Some(form), refusal.into());
    }
    let allowed: &[&str] = if form.fields.is_some() { &["GET", "HEAD", "POST", "OPTIONS"] } else { &["POST", "OPTIONS"] };
    if let Some(asked) = cors::asks_about(&method, &headers)
        && let Some(cors) = &form.door.cors
    {
        if !allowed.contains(&asked) {
            let refusal =
                Refusal::Method { method: asked.to_owned(), allowed: allowed.iter().map(|method| (*method).to_owned()).collect() };
            return reader.refuse(Some(form), refusal.into());
        }
        return match cors::preflight(cors, asked, &headers) {
            Ok(response) => reader.dressed(Some(form), response),
            Err(problem) => reader.refuse(Some(form), problem),
        };
    }
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().extend(HeaderValue::from_str(&allowed.join(", ")).ok().map(|allowed| (header::ALLOW, allowed)));
    reader.dressed(Some(form), response)
}

async fn read(web: &Web, door: &Door, query: &str, headers: &HeaderMap, body: Body) -> Result<Draft, Refusal> {
    let Some(form) = door.form() else { return Err(Refusal::NoForm(String::new())) };
    let limit_bytes = web.intake.form_bytes(form);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| limit_bytes < length) {
        return Err(Refusal::TooLarge { limit_bytes });
    }
    let reading = web.intake.read_form(door, query, headers, in_time(body, web.intake.door.bodies.clone()));
    let late = |_elapsed| Refusal::BrokenBody(format!("it was not complete after {}", format_duration(LONGEST)));
    tokio::time::timeout(LONGEST, Box::pin(reading)).await.map_err(late)?
}

/// The body's pieces, as patiently as those of any body. What the server itself takes to store files is not the sender's time.
fn in_time(body: Body, bodies: Bodies) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    let begin = (Some(body.into_data_stream()), Duration::ZERO, 0_usize);
    futures_util::stream::unfold(begin, move |(body, waited, received)| {
        let bodies = bodies.clone();
        async move {
            let mut body = body?;
            let begun = Instant::now();
            let left = bodies.patience(received).saturating_sub(waited);
            let (piece, body, length) = match tokio::time::timeout(left, body.next()).await {
                Ok(None) => return None,
                Ok(Some(Ok(piece))) => {
                    let length = piece.len();
                    (Ok(piece), Some(body), length)
                }
                Ok(Some(Err(error))) => (Err(Broken::Body(error.to_string())), None, 0),
                Err(_elapsed) => (Err(Broken::Slow(bodies.patience(0))), None, 0),
            };
            Some((piece, (body, waited.saturating_add(begun.elapsed()), received.saturating_add(length))))
        }
    })
}

/// Where a browser goes after a form was taken: to be loaded again without being sent again (RFC 9110, section 15.4.4).
fn go_on(form: &Form) -> Response {
    let own = format!("?{SENT}");
    let target = form.redirect.as_deref().unwrap_or(&own);
    let location = HeaderValue::from_str(target).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// Who reads the answer.
struct Reader<'r> {
    wants_json: bool,
    headers: &'r HeaderMap,
}

impl<'r> Reader<'r> {
    fn of(headers: &'r HeaderMap) -> Self {
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default().to_ascii_lowercase();
        // A browser that opens a page always says that it takes HTML.
        let wants_json =
            (accept.contains("application/json") || accept.contains("application/problem+json")) && !accept.contains("text/html");
        Self { wants_json, headers }
    }

    fn again(&self, form: &Form, again: &Again) -> Response {
        if self.wants_json {
            let fields = "some fields are not as the form wants them";
            let detail = if again.wrong.is_empty() { again.why.map_or(fields, Why::said) } else { fields };
            return self.dressed(Some(form), ProblemResponse::invalid_form(detail, errors(form, again)).into_response());
        }
        let page = if form.fields.is_some() { page::form(form, again) } else { page::not_taken(form, again) };
        self.dressed(Some(form), (StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
    }

    fn refuse(&self, form: Option<&Form>, problem: ProblemResponse) -> Response {
        let problem = problem.of_hook(form.map(|form| format!("forms/{}", form.path).into()));
        if self.wants_json {
            return self.dressed(form, problem.into_response());
        }
        let page = page::problem(problem.status(), problem.detail());
        // The status and what else is said in headers are the same for both.
        let mut response = problem.into_response();
        response.headers_mut().remove(header::CONTENT_LENGTH);
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        *response.body_mut() = Body::from(page.0);
        self.dressed(form, response)
    }

    /// Nothing of it is kept or told to other sites; no script runs, nothing is loaded; frames and scripts of other sites only
    /// where the form allows them.
    fn dressed(&self, form: Option<&Form>, mut response: Response) -> Response {
        let headers = response.headers_mut();
        for (name, value) in
            [(header::CACHE_CONTROL, "no-store"), (header::REFERRER_POLICY, "same-origin"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")]
        {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.append(header::VARY, HeaderValue::from_static("accept"));
        if form.is_none_or(|form| form.door.cors.is_none()) {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        if let Ok(policy) = HeaderValue::from_str(&page::content_security_policy(form)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        let is_told = headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        if let Some(allowed) = cors::allowed(form.map(|form| &form.door), self.headers).filter(|_| !is_told) {
            allowed.tell(&mut response);
        }
        response
    }
}

/// What is wrong, for a script: with each field, where in the body, and what to send as the stamp.
fn errors(form: &Form, again: &Again) -> Value {
    let wrong = again.wrong.iter().map(|wrong| match &wrong.path {
        Some(path) => json!({"field": wrong.field, "message": wrong.message, "path": path}),
        None => json!({"field": wrong.field, "message": wrong.message}),
    });
    let why = again.why.map(|why| json!({"field": STAMP_FIELD, "message": why.told(form), "value": again.stamp}));
    wrong.chain(why).collect()
}
