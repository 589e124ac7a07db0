//! `hence` as a child process.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::sync::{oneshot, watch};

use super::ran::{Ran, finished, program_under};
use super::{Api, PATIENCE, Project, must, spawned};

/// Which store to serve with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Redb,
    Sled,
}

impl Engine {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redb => "redb",
            Self::Sled => "sled",
        }
    }
}

/// How to serve: used again for each start on the same data.
#[derive(Debug, Clone)]
pub(crate) struct Serve {
    dir: PathBuf,
    data: PathBuf,
    engine: Engine,
    variables: Vec<(&'static str, String)>,
    under: Vec<String>,
}

impl Serve {
    pub(crate) fn new(project: &Project, engine: Engine) -> Self {
        Self::folder(&project.dir(), &project.data(), engine)
    }

    /// Any project and data folder.
    pub(crate) fn folder(dir: &Path, data: &Path, engine: Engine) -> Self {
        Self { dir: dir.to_owned(), data: data.to_owned(), engine, variables: Vec::new(), under: Vec::new() }
    }

    /// As the last argument of another program, which becomes `hence` itself: a limit, a tracer.
    pub(crate) fn under(mut self, program: &[impl AsRef<str>]) -> Self {
        self.under = program.iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// With an environment variable.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn command(&self) -> Command {
        let mut command = program_under(&self.under);
        command.arg("serve").arg(&self.dir).arg("--data").arg(&self.data);
        command.arg("--store").arg(format!("{}://{}", self.engine.name(), self.data.display()));
        command.args(["--listen", "127.0.0.1:0", "--log", "json"]);
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Serves; returns when it is ready.
    pub(crate) async fn start(&self) -> Served {
        let (mut served, is_ready) = self.spawn();
        match must("the server is ready", is_ready).await {
            Ok(url) => served.url = url,
            Err(_ended) => panic!("the server did not start:\n{}", served.log().join("\n")),
        }
        served
    }

    /// Begins to serve; the URL comes when it is ready.
    pub(crate) fn spawn(&self) -> (Served, oneshot::Receiver<String>) {
        let mut child = spawned(self.command().stderr(Stdio::piped()).stdout(Stdio::null()));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (written, log) = watch::channel(Vec::new());
        let (ready, is_ready) = oneshot::channel();
        // A thread, and to the very end: a full pipe would stop the server.
        std::thread::spawn(move || {
            let mut ready = Some(ready);
            for line in stderr.lines().map_while(Result::ok) {
                let url = ready_url(&line);
                written.send_modify(|lines: &mut Vec<String>| lines.push(line));
                if let Some(url) = url
                    && let Some(ready) = ready.take()
                {
                    drop(ready.send(url));
                }
            }
        });
        (Served { child, url: String::new(), data: self.data.clone(), log }, is_ready)
    }

    /// Serves with a standard error that takes nothing, as on a full disk; returns when it has said where it listens.
    pub(crate) async fn unheard(&self) -> Served {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let child = spawned(self.command().stderr(full).stdout(Stdio::null()));
        let mut served = Served { child, url: String::new(), data: self.data.clone(), log: watch::channel(Vec::new()).1 };
        while served.url.is_empty() {
            assert_eq!(served.child.try_wait().unwrap(), None, "it ended");
            served.url = std::fs::read_to_string(self.data.join("address")).unwrap_or_default().trim().to_owned();
            tokio::task::yield_now().await;
        }
        served
    }

    /// Serves, and expects that it refuses to.
    pub(crate) async fn refused(&self) -> Ran {
        finished(self.command()).await
    }
}

/// The URL, if the line says that the server is ready.
fn ready_url(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    (line.get("message")? == "hence is ready").then(|| line.get("url")?.as_str().map(str::to_owned))?
}

/// A server that runs; it is killed when dropped.
pub(crate) struct Served {
    child: Child,
    /// Where it listens.
    pub(crate) url: String,
    data: PathBuf,
    /// It ends with the thread that reads it.
    log: watch::Receiver<Vec<String>>,
}

impl Served {
    /// A client with the admin token.
    pub(crate) fn api(&self) -> Api {
        let token = std::fs::read_to_string(self.data.join("admin-token")).unwrap();
        Api::new(&self.url, token.trim())
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().clone()
    }

    /// SIGKILL; returns when the process is gone.
    pub(crate) fn kill(self) {
        drop(self);
    }

    /// SIGTERM, without waiting for the end.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// SIGSTOP; returns when every thread of it stands still.
    pub(crate) fn pause(&self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::STOP).unwrap();
        let tasks = format!("/proc/{}/task", pid.as_raw_nonzero());
        while std::fs::read_dir(&tasks).unwrap().any(|task| moves(&task.unwrap().path())) {
            std::thread::yield_now();
        }
    }

    /// SIGCONT.
    pub(crate) fn go_on(&self) {
        kill_process(Pid::from_child(&self.child), Signal::CONT).unwrap();
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    /// Waits for a line of its log that holds these words.
    pub(crate) async fn says(&self, words: &str) {
        let mut log = self.log.clone();
        let is_said = log.wait_for(|lines| lines.iter().any(|line| line.contains(words)));
        assert!(must(words, is_said).await.is_ok(), "it ended and never said {words:?}:\n{}", self.log().join("\n"));
    }

    /// SIGTERM; returns the exit code.
    pub(crate) async fn stop(self) -> Option<i32> {
        self.terminate();
        self.ended().await
    }

    /// Waits for the end; returns the exit code (nothing after a signal) and what it had to say.
    pub(crate) async fn ended_saying(self) -> (Option<i32>, Vec<String>) {
        let mut log = self.log.clone();
        let code = self.ended().await;
        assert!(must("its log ends", log.wait_for(|_| false)).await.is_err());
        let said = log.borrow().clone();
        (code, said)
    }

    /// Waits for the end; returns the exit code.
    pub(crate) async fn ended(mut self) -> Option<i32> {
        let pid = Pid::from_child(&self.child);
        let log = self.log.clone();
        let waiting = tokio::task::spawn_blocking(move || self.child.wait().unwrap().code());
        if let Ok(code) = tokio::time::timeout(PATIENCE, waiting).await {
            return code.unwrap();
        }
        // The blocked thread still has the child, so the pid cannot be another's.
        kill_process(pid, Signal::KILL).unwrap();
        panic!("the server did not end:\n{}", log.borrow().join("\n"));
    }
}

/// Whether a thread may still do something: it is neither stopped nor gone.
fn moves(task: &Path) -> bool {
    let stat = std::fs::read_to_string(task.join("stat")).unwrap_or_default();
    // The name before the state is in parentheses and may hold anything.
    let state = stat.rsplit_once(") ").and_then(|(_, rest)| rest.chars().next());
    state.is_some_and(|state| !matches!(state, 'T' | 't' | 'Z' | 'X'))
}

impl Drop for Served {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
