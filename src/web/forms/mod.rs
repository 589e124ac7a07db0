//! `/forms/PATH`: shows a form, takes what was filled in, says what to mend. The pages work without scripts; a script of a site
//! that `cors` names may send the same and gets JSON.

mod page;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde_json::json;

use super::door::Sender;
use super::{ProblemResponse, Web};
use crate::domain::workflow::{Form, Sites};
use crate::intake::Refusal;
use crate::intake::form::{Again, Broken, Door, Draft, Sent};
use bytes::Bytes;

/// How long a form may take to arrive, its files included.
const FORM_TIMEOUT: Duration = Duration::from_secs(600);
/// How long nothing of it may come.
const PIECE_TIMEOUT: Duration = Duration::from_secs(30);
/// What the address of a form ends with after it was taken.
const SENT: &str = "sent";
/// How long a browser may remember what `cors` says.
const PREFLIGHT_S: &str = "7200";

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
    let admitted = web.intake.form(&path).and_then(|door| {
        web.intake.door.admit_sender(sender, web.intake.clock.now())?;
        Ok(door)
    });
    let door = match admitted {
        Ok(door) => door,
        Err(refusal) => return reader.refuse(None, refusal.into()),
    };
    let sent = match read(&web, &door, query.as_deref().unwrap_or_default(), &headers, body).await {
        Ok(draft) => web.intake.take_form(&door, draft).await,
        Err(refusal) => Err(refusal),
    };
    let Some(form) = door.form() else { return reader.refuse(None, Refusal::NoForm(path).into()) };
    match sent {
        Ok(Sent::Taken(event)) if reader.wants_json => {
            reader.dressed(Some(form), (StatusCode::ACCEPTED, Json(json!({"event": event}))).into_response())
        }
        Ok(Sent::Taken(_)) => reader.dressed(Some(form), go_on(form)),
        Ok(Sent::Again(again)) => reader.again(form, &again),
        Err(refusal) => reader.refuse(Some(form), refusal.into()),
    }
}

/// Answers a browser that asks whether a script of another site may send a form (Fetch, "CORS-preflight request").
pub(super) async fn preflight(State(web): State<Arc<Web>>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    let reader = Reader::of(&headers);
    let door = match web.intake.form(&path) {
        Ok(door) => door,
        Err(refusal) => return reader.refuse(None, refusal.into()),
    };
    let allowed = if door.form().is_some_and(|form| form.fields.is_some()) { "GET, HEAD, POST, OPTIONS" } else { "POST, OPTIONS" };
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
    if door.form().is_some_and(|form| reader.is_allowed(form)) {
        for (name, value) in [
            (header::ACCESS_CONTROL_ALLOW_METHODS, "POST"),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, "accept, content-type"),
            (header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_S),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    reader.dressed(door.form(), response)
}

async fn read(web: &Web, door: &Door, query: &str, headers: &HeaderMap, body: Body) -> Result<Draft, Refusal> {
    let Some(form) = door.form() else { return Err(Refusal::NoForm(String::new())) };
    let limit_bytes = web.intake.form_bytes(form);
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse::<usize>().ok());
    if announced.is_some_and(|length| limit_bytes < length) {
        return Err(Refusal::TooLarge { limit_bytes });
    }
    let reading = web.intake.read_form(door, query, headers, in_time(body));
    let late = |_elapsed| Refusal::BrokenBody(format!("it was not complete after {} s", FORM_TIMEOUT.as_secs()));
    tokio::time::timeout(FORM_TIMEOUT, Box::pin(reading)).await.map_err(late)?
}

/// The body's pieces, each in its time.
fn in_time(body: Body) -> impl Stream<Item = Result<Bytes, Broken>> + Send {
    futures_util::stream::unfold(Some(body.into_data_stream()), |body| async {
        let mut body = body?;
        match tokio::time::timeout(PIECE_TIMEOUT, body.next()).await {
            Ok(None) => None,
            Ok(Some(Ok(piece))) => Some((Ok(piece), Some(body))),
            Ok(Some(Err(error))) => Some((Err(Broken::Body(error.to_string())), None)),
            Err(_elapsed) => Some((Err(Broken::Body(format!("nothing came for {} s", PIECE_TIMEOUT.as_secs()))), None)),
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
struct Reader {
    wants_json: bool,
    origin: Option<String>,
}

impl Reader {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
        let accept = text(&header::ACCEPT).unwrap_or_default().to_ascii_lowercase();
        // A browser that opens a page always says that it takes HTML.
        let wants_json =
            (accept.contains("application/json") || accept.contains("application/problem+json")) && !accept.contains("text/html");
        Self { wants_json, origin: text(&header::ORIGIN).map(str::to_owned) }
    }

    fn is_allowed(&self, form: &Form) -> bool {
        self.origin.as_ref().is_some_and(|origin| form.cors.allows(origin))
    }

    fn again(&self, form: &Form, again: &Again) -> Response {
        if self.wants_json {
            let detail = again.why.unwrap_or("some fields are not as the form wants them");
            let errors = again.wrong.iter().map(|wrong| json!({"field": wrong.field, "message": wrong.message})).collect();
            return self.dressed(Some(form), ProblemResponse::invalid_form(detail, errors).into_response());
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
        let cors = form.map_or(&Sites::None, |form| &form.cors);
        let headers = response.headers_mut();
        for (name, value) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::REFERRER_POLICY, "same-origin"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::VARY, "accept, origin"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if *cors == Sites::None {
            headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        }
        if let Ok(policy) = HeaderValue::from_str(&page::content_security_policy(form)) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        let allowed = match (cors, &self.origin) {
            (Sites::All, Some(_)) => Some("*".to_owned()),
            (Sites::These(_), Some(origin)) if cors.allows(origin) => Some(origin.clone()),
            (Sites::None | Sites::All | Sites::These(_), _) => None,
        };
        if let Some(Ok(value)) = allowed.map(HeaderValue::try_from) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, value);
        }
        response
    }
}
