//! The services' side: `tests/tools/sign.py` and `sign.mjs`, which use their own libraries.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{NOW_S, PUBLIC_URL};
use crate::process::skip;

/// What a service holds, and what it shows.
#[derive(Clone, Deserialize)]
pub(crate) struct Pair {
    pub(crate) private: String,
    pub(crate) public: String,
}

/// Pairs that are made for these tests, three of each kind.
#[derive(Deserialize)]
pub(crate) struct Keys {
    pub(crate) rsa: Vec<Pair>,
    pub(crate) ec: Vec<Pair>,
    pub(crate) ed25519: Vec<Pair>,
}

/// A request as a service sends it.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Signed {
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
    #[serde(default)]
    pub(crate) query: String,
}

impl Signed {
    pub(crate) fn without(&self, name: &str) -> Self {
        let mut other = self.clone();
        other.headers.remove(name);
        other
    }

    pub(crate) fn with(&self, name: &str, value: &str) -> Self {
        let mut other = self.clone();
        other.headers.insert(name.to_owned(), value.to_owned());
        other
    }

    pub(crate) fn with_body(&self, body: &str) -> Self {
        Self { body: body.to_owned(), ..self.clone() }
    }
}

/// What is to be signed; a test changes what it is about.
pub(crate) fn request(scheme: &str, secret: &str, body: &str, id: usize) -> Value {
    json!({
        "scheme": scheme, "secret": secret, "body": body, "id": format!("msg{id}"), "time": NOW_S, "method": "POST",
        "url": format!("{PUBLIC_URL}/hooks/{scheme}"), "topic": super::TOPIC, "webhook_id": "8PT597110X687430L",
        "certificate_url": if scheme == "paypal" { super::PAYPAL_CERTIFICATE } else { super::SNS_CERTIFICATE },
    })
}

fn run(program: &str, args: &[&str], input: &Value) -> Result<Value, String> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools");
    let mut command = Command::new(program);
    command.args(args).current_dir(tools).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{program} cannot be started: {error}"))?;
    // A program that ends at once reads nothing: what it said is told below.
    let written = child.stdin.take().unwrap().write_all(input.to_string().as_bytes());
    let output = child.wait_with_output().unwrap();
    if !output.status.success() {
        return Err(format!("{program} {args:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    written.map_err(|error| error.to_string())?;
    Ok(serde_json::from_slice(&output.stdout).unwrap())
}

/// The keys; nothing, said loudly, where the services' libraries for Python are not there.
pub(crate) fn keys(test: &str) -> Option<&'static Keys> {
    static KEYS: OnceLock<Result<Keys, String>> = OnceLock::new();
    let made = KEYS.get_or_init(|| run("python3", &["sign.py", "--keys"], &Value::Null).map(|keys| serde_json::from_value(keys).unwrap()));
    match made {
        Ok(keys) => Some(keys),
        Err(why) => {
            skip(test, &format!("the libraries of tests/tools/requirements.txt cannot be used: {why}"));
            None
        }
    }
}

/// Signs.
pub(crate) fn sign(requests: &[Value]) -> Vec<Signed> {
    let signed = run("python3", &["sign.py"], &requests.into()).unwrap();
    serde_json::from_value(signed).unwrap()
}

/// Asks the services' libraries for Node; nothing, said loudly, where they are not there.
pub(crate) fn node(test: &str, asked: &Value) -> Option<Vec<Value>> {
    match run("node", &["sign.mjs"], asked) {
        Ok(answers) => Some(serde_json::from_value(answers).unwrap()),
        Err(why) => {
            skip(test, &format!("the packages of tests/tools/package.json cannot be used: {why}"));
            None
        }
    }
}
