//! A server on a disk, the senders that load it, and what is known of it to hold after a cut.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::task::TaskTracker;

use crate::chance::Chance;
use crate::disk::{Disk, Mounted};
use crate::process::{Api, Engine, Project, Receiver, Seen, Senders, Serve, Served, Told, must};

/// Senders at a time.
const AT_A_TIME: usize = 6;
/// The most that a body is padded with; over the 8 KiB of one stored piece.
const PAD_BYTES: u64 = 20_000;
/// How long after what it waits for a moment may come.
const AFTER_MAX_US: u64 = 4_000;

/// One event, three calls of two runs, a set, for some a wait; an event inside, in the commit that ends the run.
pub(crate) const WORK: &str = r#"
when:
  - webhook:
      path: work
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - id: a
    call: http.post
    using: there
    with: {url: /a, json: {number: "${event.body.number}", run: "${run.id}", pad: "${event.body.pad.len()}"}}
  - set: {double: event.body.number * 2}
  - if: event.body.number % 5 == 0
    then: [{wait: 150ms}]
  - id: b
    call: http.post
    using: there
    with: {url: /b, json: {number: "${event.body.number}", run: "${run.id}", double: "${vars.double}", pad: "${event.body.pad.len()}"}}
  - emit: worked
    with: {number: "${event.body.number}"}
"#;

pub(crate) const TALLY: &str = r#"
when:
  - event: {type: worked}
steps:
  - id: c
    call: http.post
    using: there
    with: {url: /c, json: {number: "${event.body.number}", run: "${run.id}"}}
"#;

/// What must hold after a cut.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// What senders were told: number → event and run.
    pub(crate) told: Told,
    /// Sent, and never answered.
    pub(crate) unanswered: BTreeSet<u64>,
    /// Idempotency keys of calls whose end was durable before the cut.
    pub(crate) done: BTreeSet<String>,
    /// Runs that were checked step by step after an earlier cut.
    pub(crate) checked: BTreeSet<String>,
    /// The run that counted a number.
    pub(crate) counted: BTreeMap<u64, String>,
    /// The next number to send.
    pub(crate) next: u64,
}

impl Known {
    /// What was called shows what was durable by then: nothing is called before the facts that led to it.
    pub(crate) fn learn(&mut self, seen: &[Seen]) {
        for call in seen {
            let run = call.body["run"].as_str().unwrap();
            match &*call.path {
                "/a" => {}
                "/b" => drop(self.done.insert(format!("{run}/a"))),
                _ => {
                    let number = call.body["number"].as_u64().unwrap();
                    self.counted.entry(number).or_insert_with(|| run.to_owned());
                    if let Some((_, run)) = self.told.get(&number) {
                        self.done.extend([format!("{run}/a"), format!("{run}/b")]);
                    }
                }
            }
        }
    }
}

/// A running server on a mounted disk. Fields are dropped in this order: the server before its disk.
pub(crate) struct Life {
    pub(crate) served: Served,
    pub(crate) api: Api,
    pub(crate) receiver: Receiver,
    pub(crate) project: Project,
    senders: Arc<Senders>,
    pub(crate) mounted: Mounted,
}

/// The folder of the store on a disk.
pub(crate) fn data(mounted: &Mounted) -> PathBuf {
    mounted.path().join("data")
}

fn serve(project: &Project, mounted: &Mounted, engine: Engine, under: &[&str]) -> Serve {
    // The token is part of the environment: it is not what the test is about.
    Serve::folder(&project.dir(), &data(mounted), engine).under(under)
}

/// The project of every server here, its calls to `receiver`.
pub(crate) fn project(receiver: &Receiver) -> Project {
    Project::calling(receiver.address, "work", WORK).file("workflows/tally.yaml", TALLY).file("hence.yaml", "limits: {disk_free: 4KiB}\n")
}

/// A moment that nothing decides.
pub(crate) async fn moment(chance: &mut Chance, within_us: u64) {
    let time = Duration::from_micros(chance.below(within_us));
    assert!(tokio::time::timeout(time, std::future::pending::<()>()).await.is_err());
}

impl Life {
    /// Serves on a disk; returns when it is ready.
    pub(crate) async fn start(mounted: Mounted, engine: Engine, under: &[&str]) -> Self {
        Self::serving(project, mounted, engine, under).await
    }

    /// The same with a project of its own.
    pub(crate) async fn serving(project: impl Fn(&Receiver) -> Project, mounted: Mounted, engine: Engine, under: &[&str]) -> Self {
        let receiver = Receiver::start().await;
        let project = project(&receiver);
        let served = serve(&project, &mounted, engine, under).start().await;
        let api = served.api();
        Self { served, api, receiver, project, senders: Arc::default(), mounted }
    }

    /// Sends what was not answered before, and `count` new events.
    pub(crate) fn send(&self, known: &mut Known, count: u64, chance: &mut Chance) -> TaskTracker {
        let new = known.next..known.next + count;
        known.next = new.end;
        self.send_numbers(known.unanswered.iter().copied().chain(new), chance)
    }

    /// Sends an event for each of these numbers.
    pub(crate) fn send_numbers(&self, numbers: impl Iterator<Item = u64>, chance: &mut Chance) -> TaskTracker {
        let mut body = |number: u64| {
            let pad = usize::try_from(chance.below(PAD_BYTES)).unwrap();
            (number, json!({"number": number, "pad": "x".repeat(pad)}))
        };
        self.senders.send(&self.api, AT_A_TIME, numbers.map(&mut body).collect())
    }

    /// What senders were told, and what they were not told of, by now.
    pub(crate) fn sent(&self) -> (Told, BTreeSet<u64>) {
        (self.senders.told(), self.senders.unanswered())
    }

    /// Waits for so many more acknowledgements or calls, if there are as many, and then a little.
    pub(crate) async fn moment(&self, chance: &mut Chance, within: u64) {
        let progress = usize::try_from(1 + chance.below(within)).unwrap();
        if chance.below(2) == 0 {
            self.senders.are_told(self.senders.acknowledged() + progress).await;
        } else {
            // Of few events that are left, there may be fewer calls.
            tokio::select! {
                () = self.receiver.arrived(self.receiver.count() + progress) => {}
                () = self.senders.are_told(usize::MAX) => {}
            }
        }
        moment(chance, AFTER_MAX_US).await;
    }

    /// Waits for so many more calls, and then a little.
    pub(crate) async fn moment_of_calls(&self, chance: &mut Chance, within: u64) {
        let progress = usize::try_from(1 + chance.below(within)).unwrap();
        self.receiver.arrived(self.receiver.count() + progress).await;
        moment(chance, AFTER_MAX_US).await;
    }

    /// What the API shows as done, to be held to it after the cut.
    pub(crate) async fn look(&self, known: &mut Known) {
        for run in self.api.all("runs").await.iter().filter(|run| run["status"] == "succeeded") {
            let id = run["id"].as_str().unwrap();
            let steps: &[&str] = if run["workflow"] == "work" { &["a", "b"] } else { &["c"] };
            known.done.extend(steps.iter().map(|step| format!("{id}/{step}")));
        }
    }

    /// What is known while the server stands still.
    pub(crate) fn known(&self, before: &Known) -> Known {
        let mut known = before.clone();
        known.told.extend(self.senders.told());
        known.unanswered = self.senders.unanswered();
        known.learn(&self.receiver.seen());
        known
    }

    /// The disk as it would be found if the power went now; for some, with writes torn that were under way, or with
    /// names on the disk whose files are not there yet. The server stands still afterwards.
    pub(crate) fn cut(&self, chance: &mut Chance) -> Disk {
        self.served.pause();
        if chance.below(2) == 0 {
            tear(&self.mounted, chance);
        }
        if chance.below(4) == 0 {
            self.mounted.commit();
        }
        self.mounted.cut()
    }

    /// The same with nothing torn.
    pub(crate) fn cut_now(&self) -> Disk {
        self.served.pause();
        self.mounted.cut()
    }

    /// Changes a workflow and says so.
    pub(crate) fn reload(&self, change: u64) {
        let path = self.project.dir().join("workflows/work.yaml");
        fs::write(path, format!("description: change {change}\n{WORK}")).unwrap();
        self.served.hang_up();
    }

    /// SIGKILL; the disk stays as the file system has it.
    pub(crate) fn power_off(self) -> Mounted {
        let Self { served, mounted, .. } = self;
        served.kill();
        mounted
    }

    /// SIGKILL. Gives what senders were told and what not, and what was called: whatever came before the server stood still.
    pub(crate) async fn over(self, sending: TaskTracker) -> (Told, BTreeSet<u64>, Vec<Seen>) {
        let Self { served, api: _api, receiver, project: _project, senders, mounted } = self;
        served.kill();
        must("the senders see that it is dead", sending.wait()).await;
        drop(mounted);
        (senders.told(), senders.unanswered(), receiver.seen())
    }

    /// The same, added to what was known before.
    pub(crate) async fn end(self, sending: TaskTracker, before: &Known) -> Known {
        let (told, unanswered, seen) = self.over(sending).await;
        let mut known = before.clone();
        known.told.extend(told);
        known.unanswered = unanswered;
        known.learn(&seen);
        known
    }
}

/// Tears what is written to the store, and to a copy of it that sled keeps in a folder of its own.
fn tear(mounted: &Mounted, chance: &mut Chance) {
    mounted.tear(&data(mounted), chance);
    mounted.tear(&data(mounted).join("copy"), chance);
}

/// Cuts the power while a server opens its store, or shortly after.
pub(crate) async fn cut_while_opening(
    project: impl Fn(&Receiver) -> Project,
    disk: Disk,
    engine: Engine,
    chance: &mut Chance,
    known: &mut Known,
) -> Disk {
    const OPENING_MAX_US: u64 = 150_000;
    let mounted = disk.mount();
    let receiver = Receiver::start().await;
    let project = project(&receiver);
    let (served, _ready) = serve(&project, &mounted, engine, &[]).spawn();
    moment(chance, OPENING_MAX_US).await;
    served.pause();
    if chance.below(2) == 0 {
        tear(&mounted, chance);
    }
    let cut = mounted.cut();
    served.kill();
    known.learn(&receiver.seen());
    cut
}
