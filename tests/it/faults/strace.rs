//! System calls that fail on command: strace answers them in the kernel's place.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Served, skip, spawned};

/// Which calls fail, and how.
#[derive(Debug, Clone)]
pub(super) struct Failing {
    calls: &'static str,
    error: &'static str,
    paths: Vec<PathBuf>,
    spared: u32,
}

impl Failing {
    /// All of these.
    pub(super) fn new(calls: &'static str, error: &'static str) -> Self {
        Self { calls, error, paths: Vec::new(), spared: 0 }
    }

    /// Only those on this file or folder.
    pub(super) fn on(mut self, path: impl Into<PathBuf>) -> Self {
        self.paths.push(path.into());
        self
    }

    /// Not the first ones of each thread.
    pub(super) fn sparing(mut self, calls: u32) -> Self {
        self.spared = calls;
        self
    }

    fn arguments(&self) -> Vec<String> {
        let Self { calls, error, paths, spared } = self;
        let mut arguments: Vec<String> = ["-f", "-o", "/dev/null"].map(str::to_owned).into();
        for path in paths {
            arguments.extend(["-P".to_owned(), path.to_str().unwrap().to_owned()]);
        }
        let inject = format!("inject={calls}:error={error}:when={}+", spared + 1);
        arguments.extend(["-e".to_owned(), format!("trace={calls}"), "-e".to_owned(), inject]);
        arguments
    }

    /// For what is started under it, from the start to the end.
    pub(super) fn program(&self) -> Vec<String> {
        [vec!["strace".to_owned()], self.arguments()].concat()
    }

    /// For a server that runs, until the answer is dropped. On return every thread of it is under it.
    pub(super) fn begin(&self, served: &Served) -> Fault {
        let mut command = Command::new("strace");
        command.args(self.arguments()).arg("-p").arg(served.pid().to_string());
        let mut child = spawned(command.stderr(Stdio::piped()));
        let mut said = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        // It tells of each new thread as well, and must not wait for a reader.
        std::thread::spawn(move || drop(std::io::copy(&mut said, &mut std::io::sink())));
        Fault(child)
    }
}

/// A tracer at work.
pub(super) struct Fault(Child);

impl Drop for Fault {
    fn drop(&mut self) {
        // It lets go of the server; a kill would leave that one stopped.
        let _gone = kill_process(Pid::from_child(&self.0), Signal::TERM);
        drop(self.0.wait());
    }
}

/// Whether a test that needs a tracer can run.
pub(super) fn can_trace(test: &str) -> bool {
    let traced = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).status();
    let can = traced.is_ok_and(|status| status.success());
    if !can {
        skip(test, "strace is missing, or may not trace");
    }
    can
}
