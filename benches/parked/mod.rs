//! Runs that wait, a million of them, put right into a store.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use hence::app::{App, Parts};
use hence::config::{self, Flags};
use hence::domain::event::{Event, EventHead, Source};
use hence::domain::id::{EventId, Parts as IdParts, Revision, RunId};
use hence::domain::journal::{Address, Entry, Fact};
use hence::domain::run::Status;
use hence::domain::time::Timestamp;
use hence::store::{Accept, Commit, NewRun, Store, Write};
use tokio::net::TcpListener;

/// The workflow whose runs they are.
pub(crate) const NAME: &str = "parked";
pub(crate) const WORKFLOW: &str = "when: [{manual: }]\nsteps: [{wait: 1h}, {stop: 1}]\n";

/// Runs of one write.
const AT_ONCE: u64 = 5_000;

/// A server over a store, in this process.
pub(crate) async fn serve(project: &Path, store: &Arc<dyn Store>) -> App {
    let (config, _problems) = config::load(project, Flags { store: Some("memory:".to_owned()), ..Flags::default() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    App::start(config, listener, Parts { store: Some(Arc::clone(store)), ..Parts::default() }).await.unwrap()
}

/// Puts the project's workflow into the store; gives its revision.
pub(crate) async fn revision(project: &Path, store: &Arc<dyn Store>) -> Revision {
    let app = serve(project, store).await;
    let revision = app.intake.current.get().get(NAME).unwrap().workflow.revision;
    app.stop().await;
    revision
}

fn parts(n: u64) -> IdParts {
    let [.., shard] = n.to_be_bytes();
    IdParts { time_ms: 1_000 + n, counter: 0, chance: n, shard }
}

pub(crate) fn run_id(n: u64) -> RunId {
    RunId::new(parts(n))
}

/// Accepts these runs and lets each of them wait until its time.
pub(crate) async fn fill(store: &dyn Store, revision: Revision, runs: Range<u64>, due: impl Fn(u64) -> Timestamp) {
    let epoch = store.acquire().await.unwrap();
    let mut writes = Vec::new();
    for n in runs.clone() {
        let head = EventHead::new(EventId::new(parts(n)), Source::Manual, "manual", Timestamp(1_000));
        let event = Arc::new(Event::new(head, Bytes::from_static(b"{}")));
        let new = NewRun::new(run_id(n), NAME.into(), revision);
        writes.push(Write::Accept(Accept { event, dedupe: Vec::new(), runs: vec![new], cursor: None, topic: None }));
        let waits = Entry { at: Timestamp(1_000), fact: Fact::WaitBegan { step: Address::new("0"), until: due(n) } };
        writes.push(Write::from(Commit { wake: Some(due(n)), ..Commit::new(run_id(n), epoch, 0, vec![waits], Status::Waiting) }));
        if n % AT_ONCE == 0 || n + 1 == runs.end {
            store.write(std::mem::take(&mut writes)).await.unwrap();
        }
    }
}
