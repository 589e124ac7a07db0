//! `/metrics`, in the text format of Prometheus (version 0.0.4). A hook's path may be all that keeps strangers from it, so
//! hooks are named only to those who have the token.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};

use super::{Web, auth};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn show(State(web): State<Arc<Web>>, headers: HeaderMap) -> Response {
    let mut text = String::new();
    let journal = &web.intake.journal;
    let door = &web.intake.door;
    gauge(&mut text, "hence_runs_waiting_to_begin", "Accepted runs that have not been begun.", journal.waiting());
    gauge(&mut text, "hence_backlog_limit", "As many may wait.", journal.backlog_limit());
    gauge(&mut text, "hence_body_bytes", "Bodies that are being received or stored.", door.bodies.held_bytes());
    gauge(&mut text, "hence_connections", "Open connections.", door.connections());
    head(&mut text, "hence_refused_requests_total", "Requests that were refused, by the code of the answer and the hook.", "counter");
    let counts = door.refusals.counts();
    if auth::has_token(&web, &headers) {
        for counted in counts {
            let hook = escaped(counted.hook.as_deref().unwrap_or_default());
            refused(&mut text, format_args!("reason=\"{}\",hook=\"{hook}\"", counted.reason), counted.count);
        }
    } else {
        let mut reasons = BTreeMap::new();
        for counted in &counts {
            *reasons.entry(counted.reason).or_default() += counted.count;
        }
        for (reason, count) in reasons {
            refused(&mut text, format_args!("reason=\"{reason}\""), count);
        }
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

fn refused(text: &mut String, labels: std::fmt::Arguments<'_>, count: u64) {
    line(text, format_args!("hence_refused_requests_total{{{labels}}} {count}"));
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn gauge(text: &mut String, name: &str, help: &str, value: usize) {
    head(text, name, help, "gauge");
    line(text, format_args!("{name} {value}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.push_str(&line.to_string());
    text.push('\n');
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
