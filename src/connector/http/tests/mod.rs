//! Calls over real sockets.

mod answers;
mod guard;
mod requests;
mod server;
mod tls;

use serde_json::{Value, json};

use super::*;
use crate::domain::Map;

/// Long enough that only a hang reaches it.
const PATIENT: Duration = Duration::from_secs(20);

fn allowing(allow: &[&str]) -> HttpSettings {
    let allow: Vec<String> = allow.iter().map(|&entry| entry.to_owned()).collect();
    HttpSettings { egress: Egress::new(&allow).unwrap(), ..HttpSettings::default() }
}

/// A connector that may call this machine.
fn local() -> HttpConnector {
    HttpConnector::new(allowing(&["127.0.0.1", "::1"])).unwrap()
}

fn request(action: &str, with: Value) -> Request {
    Request { action: action.into(), with, connection: Arc::default(), idempotency_key: "run_1/pay/0".to_owned(), timeout: PATIENT }
}

fn using(connection: Value, request: Request) -> Request {
    Request { connection: Arc::new(map(connection)), ..request }
}

fn map(value: Value) -> Map {
    let Value::Object(map) = value else { panic!("{value} is no map") };
    map
}
