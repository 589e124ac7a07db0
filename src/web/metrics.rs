//! `/metrics`, in the text format of Prometheus (version 0.0.4). It names hooks, so it needs the token.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;

use super::Web;

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn show(State(web): State<Arc<Web>>) -> Response {
    let mut text = String::new();
    let journal = &web.intake.journal;
    let door = &web.intake.door;
    gauge(&mut text, "hence_runs_waiting_to_begin", "Accepted runs that have not been begun.", journal.waiting());
    gauge(&mut text, "hence_backlog_limit", "As many may wait.", journal.backlog_limit());
    gauge(&mut text, "hence_body_bytes", "Bodies that are being received or stored.", door.bodies.held_bytes());
    gauge(&mut text, "hence_connections", "Open connections.", door.connections());
    head(&mut text, "hence_refused_requests_total", "Requests that were refused, by the code of the answer and the hook.", "counter");
    for counted in door.refusals.counts() {
        let hook = counted.hook.as_deref().unwrap_or_default();
        line(
            &mut text,
            format_args!("hence_refused_requests_total{{reason=\"{}\",hook=\"{}\"}} {}", counted.reason, escaped(hook), counted.count),
        );
    }
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
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
