//! `hence` as a command that ends.

use std::io::{BufRead, BufReader};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::oneshot;

use super::{PATIENCE, must, spawned};

/// What the user's own environment says must not reach the program under test.
const VARIABLES: [&str; 5] = ["HENCE_ADMIN_TOKEN", "HENCE_CA", "HENCE_LOG", "HENCE_URL", "HENCE_SECRETS_DIR"];

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// Its standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `hence ARGS`.
pub(crate) async fn hence(args: &[&str]) -> Ran {
    hence_with(&[], args).await
}

/// Runs `hence ARGS` with environment variables.
pub(crate) async fn hence_with(variables: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = program();
    command.args(args).envs(variables.iter().copied());
    finished(command).await
}

/// Runs `hence ARGS` as the last arguments of another program, which becomes `hence` itself: a limit, a tracer.
pub(crate) async fn hence_under(under: &[String], args: &[&str]) -> Ran {
    let mut command = program_under(under);
    command.args(args);
    finished(command).await
}

/// Runs `hence ARGS`, and does `then` once it has said `word` on standard error.
pub(crate) async fn hence_and(args: &[&str], word: &'static str, then: impl AsyncFnOnce()) -> Ran {
    let mut command = program();
    let mut child = command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let (says, said) = oneshot::channel();
    let reading = tokio::task::spawn_blocking(move || {
        let (mut says, mut text) = (Some(says), String::new());
        for line in errors.lines().map_while(Result::ok) {
            if line.contains(word) {
                says.take().map(|says| says.send(()));
            }
            text.push_str(&line);
            text.push('\n');
        }
        text
    });
    must(word, said).await.unwrap();
    then().await;
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let Output { status, stdout, .. } = must("the command ends", waiting).await.unwrap();
    let err = must("its errors end", reading).await.unwrap();
    Ran { code: status.code(), out: String::from_utf8(stdout).unwrap(), err }
}

fn program() -> Command {
    program_under(&[])
}

/// `hence`, or another program that becomes it.
pub(super) fn program_under(under: &[String]) -> Command {
    let hence = env!("CARGO_BIN_EXE_hence");
    let mut command = Command::new(under.first().map_or(hence, String::as_str));
    if let Some((_, arguments)) = under.split_first() {
        command.args(arguments).arg(hence);
    }
    command.stdin(Stdio::null());
    VARIABLES.iter().for_each(|name| {
        command.env_remove(name);
    });
    command
}

/// Runs a command to its end, and kills it when that does not come.
pub(super) async fn finished(mut command: Command) -> Ran {
    let child = spawned(command.stdout(Stdio::piped()).stderr(Stdio::piped()));
    let pid = Pid::from_child(&child);
    let waiting = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let Ok(output) = tokio::time::timeout(PATIENCE, waiting).await else {
        // The blocked thread still has the child, so the pid cannot be another's.
        kill_process(pid, Signal::KILL).unwrap();
        panic!("not over within {PATIENCE:?}: {command:?}");
    };
    let Output { status, stdout, stderr } = output.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: status.code(), out: text(stdout), err: text(stderr) }
}
