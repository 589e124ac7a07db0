//! The workflows, and what is known to hold of their runs after a cut.

use std::collections::{BTreeMap, BTreeSet};

use crate::process::{Project, Receiver, Seen, Told};

/// Items of the loop.
pub(super) const ITEMS: usize = 3;

/// A call beside a child, a loop of calls, a question whose link is told, an event to wait for; then all of it in one call.
const WORK: &str = r#"
when:
  - webhook:
      path: work
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - id: sides
    parallel:
      left:
        - call: http.post
          using: there
          with: {url: /l, json: {number: "${event.body.number}", run: "${run.id}"}}
      right:
        - run: child
          with: {number: "${event.body.number}"}
  - foreach: "[0, 1, 2]"
    parallel: 2
    steps:
      - call: http.post
        using: there
        with: {url: "/e${item}", json: {number: "${event.body.number}", run: "${run.id}"}}
  - id: asked
    approve:
      to: boss@example.com
      message: "Go on with ${event.body.number}?"
      notify:
        - call: http.post
          using: there
          with: {url: /ask, json: {number: "${event.body.number}", run: "${run.id}", link: "${approval.link}"}}
  - id: paid
    wait:
      event: paid
      if: event.body.number == run.event.body.number
  - call: http.post
    using: there
    with:
      url: /z
      json:
        number: "${event.body.number}"
        run: "${run.id}"
        doubled: "${steps.sides.right}"
        who: "${steps.asked.who}"
        paid: "${steps.paid.body.number}"
"#;

const CHILD: &str = r#"
when: [manual]
steps:
  - call: http.post
    using: there
    with: {url: /k, json: {number: "${event.body.number}", run: "${run.id}"}}
  - stop: event.body.number * 2
"#;

const PAYMENT: &str = r#"
when:
  - webhook:
      path: paid
      verify: none
      dedupe: {key: event.body.number, within: 24h}
steps:
  - emit: paid
    with: {number: "${event.body.number}"}
"#;

/// The project of every server here, its calls to `receiver`.
pub(super) fn project(receiver: &Receiver) -> Project {
    let project = Project::calling(receiver.address, "work", WORK);
    let project = project.file("workflows/child.yaml", CHILD).file("workflows/payment.yaml", PAYMENT);
    project.file("hence.yaml", "limits: {disk_free: 4KiB}\n")
}

/// The calls for one number come in this order; those of one place side by side.
fn place(path: &str) -> usize {
    match path {
        "/l" | "/k" => 0,
        "/ask" => 2,
        "/z" => 3,
        _ => 1,
    }
}

/// What must hold after a cut.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    pub(super) told: Told,
    pub(super) unanswered: BTreeSet<u64>,
    /// Number → path → key. The same call has the same key, for ever.
    pub(super) calls: BTreeMap<u64, BTreeMap<String, String>>,
    /// Runs of the child, by the number they are for.
    pub(super) children: BTreeMap<u64, String>,
    /// Where the question about a number is answered.
    pub(super) links: BTreeMap<u64, String>,
    /// Numbers whose question was answered before the last cut, with 2xx.
    pub(super) approved: BTreeSet<u64>,
    /// Numbers whose payment was acknowledged.
    pub(super) paid: BTreeSet<u64>,
    /// Numbers whose runs were seen to have succeeded.
    pub(super) over: BTreeSet<u64>,
    pub(super) next: u64,
}

impl Known {
    /// What was called is what was known by then; that it was ever called otherwise is a fault.
    pub(super) fn learn(&mut self, seen: &[Seen]) {
        for call in seen {
            let number = call.body["number"].as_u64().unwrap();
            let run = call.body["run"].as_str().unwrap();
            assert!(call.key.starts_with(run), "{call:?}");
            let first = self.calls.entry(number).or_default().entry(call.path.clone()).or_insert_with(|| call.key.clone());
            assert_eq!(*first, call.key, "one call with two keys: {call:?}");
            match &*call.path {
                "/k" => {
                    let first = self.children.entry(number).or_insert_with(|| run.to_owned());
                    assert_eq!(first, run, "a child of {number} was started twice");
                }
                "/ask" => {
                    let link = link(call);
                    let first = self.links.entry(number).or_insert_with(|| link.clone());
                    assert_eq!(*first, link, "{number} was asked about with two links");
                }
                _ => {}
            }
        }
    }

    /// Keys of calls whose end was durable: something was called that follows them, or the run is over.
    pub(super) fn done(&self) -> BTreeSet<String> {
        let mut done = BTreeSet::new();
        for (number, calls) in &self.calls {
            let reached = calls.keys().map(|path| place(path)).max().unwrap();
            let over = self.over.contains(number);
            done.extend(calls.iter().filter(|(path, _)| over || place(path) < reached).map(|(_, key)| key.clone()));
        }
        done
    }
}

/// The link of a question, from the path on: the address is another one after each start.
pub(super) fn link(call: &Seen) -> String {
    let (_, path) = call.body["link"].as_str().unwrap().split_once("/approve/").unwrap();
    format!("/approve/{path}")
}
