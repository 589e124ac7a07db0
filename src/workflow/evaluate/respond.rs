//! The answer to the caller that waits for a run.

use std::sync::Arc;

use crate::domain::Value;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::journal::{Address, Fact};
use crate::domain::response::Response;
use crate::domain::run::Run;
use crate::domain::workflow::{Respond, RespondBody};
use crate::domain::xml;
use crate::script::{Program, Scope};

/// The most headers of one answer.
const HEADERS: usize = 50;
/// Headers about the connection and the length: the server sets them.
const OWN: [&str; 8] = ["connection", "content-length", "date", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"];
/// The longest value of a header.
const HEADER_BYTES: usize = 8 << 10;

pub(super) fn respond(program: &Program, respond: &Respond, step: Address, scope: &mut Scope, run: &Run) -> Result<Fact, Failure> {
    if run.response.is_some() {
        return Err(bad("this run has answered already: one request has one answer".to_owned()));
    }
    Ok(Fact::Responded { step, response: Arc::new(answer(program, respond, scope)?) })
}

/// What an answer holds, over what the scope shows.
///
/// # Errors
/// When its code cannot be evaluated, or HTTP does not allow what it says.
pub fn answer(program: &Program, respond: &Respond, scope: &mut Scope) -> Result<Response, Failure> {
    let mut headers = respond.headers.map(|code| headers(&program.value(code, scope)?)).transpose()?.unwrap_or_default();
    let (otherwise, content_type, body) = match &respond.body {
        RespondBody::Empty => (200, "", String::new()),
        RespondBody::Json(code) => (200, "application/json", program.value(*code, scope)?.to_string()),
        RespondBody::Xml(code) => (200, "application/xml", xml_of(&program.value(*code, scope)?)?),
        RespondBody::Text(code) => (200, "text/plain; charset=utf-8", program.text(*code, scope)?),
        RespondBody::Html(code) => (200, "text/html; charset=utf-8", program.text(*code, scope)?),
        RespondBody::Redirect(code) => {
            headers.push(("location".to_owned(), header_value("redirect", program.text(*code, scope)?)?));
            (303, "", String::new())
        }
    };
    let status = respond.status.map(|code| status(&program.value(code, scope)?)).transpose()?.unwrap_or(otherwise);
    // What the steps say about the kind of the body counts.
    let own = headers.iter().position(|(name, _)| name == "content-type").map(|index| headers.remove(index).1);
    let content_type = own.unwrap_or_else(|| content_type.to_owned());
    Ok(Response { status, headers, content_type, body })
}

/// A text is the document; a map is written as one.
fn xml_of(value: &Value) -> Result<String, Failure> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Null => Err(bad("`respond.xml` is missing; `?? \"\"` makes it optional".to_owned())),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Array(_) | Value::Object(_) => xml::write(value).map_err(|why| bad(format!("`respond.xml`: {why}"))),
    }
}

fn bad(message: String) -> Failure {
    Failure::new(FailureKind::BadInput, message)
}

fn status(value: &Value) -> Result<u16, Failure> {
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|status| (200..=599).contains(status))
        .ok_or_else(|| bad(format!("`respond.status` is {value}: a status is a number from 200 to 599")))
}

fn headers(value: &Value) -> Result<Vec<(String, String)>, Failure> {
    let Value::Object(map) = value else { return Err(bad("`respond.headers` is a map of names and texts".to_owned())) };
    if HEADERS < map.len() {
        return Err(bad(format!("`respond.headers` has {} entries; the limit is {HEADERS}", map.len())));
    }
    let one = |(name, value): (&String, &Value)| {
        let fine = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if !fine {
            return Err(bad(format!("`{name}` cannot be the name of a header (RFC 9110, section 5.1)")));
        }
        if OWN.contains(&&*name.to_ascii_lowercase()) {
            return Err(bad(format!("the header `{name}` is the server's own: take it away")));
        }
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Ok((name.to_ascii_lowercase(), header_value(name, text)?))
    };
    map.iter().map(one).collect()
}

/// A line break in a header would begin another one.
fn header_value(name: &str, value: String) -> Result<String, Failure> {
    if HEADER_BYTES < value.len() {
        return Err(bad(format!("the header `{name}` has {} bytes; the limit is {HEADER_BYTES}", value.len())));
    }
    if !value.is_ascii() {
        return Err(bad(format!("the header `{name}` holds a character that is not ASCII: percent-encode it, as in `%C3%A9`")));
    }
    if value.chars().any(char::is_control) {
        return Err(bad(format!("the header `{name}` holds a line break or another control character")));
    }
    Ok(value)
}
