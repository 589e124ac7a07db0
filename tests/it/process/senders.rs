//! Senders that load a server, and what they know afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use http::StatusCode;
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::{Answer, Api, must};

/// What senders were told: number → event and run.
pub(crate) type Told = BTreeMap<u64, (String, String)>;

/// What senders know of the numbers that they sent.
#[derive(Default)]
pub(crate) struct Senders {
    told: Mutex<Told>,
    /// Sent or about to be, and not answered.
    unanswered: Mutex<BTreeSet<u64>>,
    /// How many of the answers said that the event was there already.
    duplicates: Mutex<usize>,
    acknowledged: watch::Sender<usize>,
}

impl Answer {
    /// The event and the one run of a receipt, and whether they were there already.
    pub(crate) fn told(&self) -> ((String, String), bool) {
        let is_repeat = self.status == StatusCode::OK && self.body["duplicate"] == true;
        assert!(is_repeat || self.status == StatusCode::ACCEPTED, "{self:?}");
        let [run] = <[String; 1]>::try_from(self.runs()).unwrap();
        ((self.event().to_owned(), run), is_repeat)
    }
}

impl Senders {
    /// Posts bodies to the hook `work`, so many at a time. Where no answer comes, the number stays among the unanswered.
    pub(crate) fn send(self: &Arc<Self>, api: &Api, at_a_time: usize, mut todo: Vec<(u64, Value)>) -> TaskTracker {
        self.unanswered.lock().unwrap().extend(todo.iter().map(|(number, _)| number));
        todo.reverse();
        let todo = Arc::new(Mutex::new(todo));
        let tasks = TaskTracker::new();
        for _ in 0..at_a_time {
            let (senders, api, todo) = (Arc::clone(self), api.clone(), Arc::clone(&todo));
            tasks.spawn(async move {
                loop {
                    let Some((number, body)) = todo.lock().unwrap().pop() else { return };
                    if let Ok(answer) = api.try_hook("work", &[], body.to_string()).await {
                        senders.take(number, &answer);
                    }
                }
            });
        }
        tasks.close();
        tasks
    }

    fn take(&self, number: u64, answer: &Answer) {
        let (told, is_repeat) = answer.told();
        let before = self.told.lock().unwrap().insert(number, told);
        assert_eq!(before, None, "a number is not sent again once it was answered");
        self.unanswered.lock().unwrap().remove(&number);
        *self.duplicates.lock().unwrap() += usize::from(is_repeat);
        self.acknowledged.send_modify(|count| *count += 1);
    }

    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    pub(crate) fn unanswered(&self) -> BTreeSet<u64> {
        self.unanswered.lock().unwrap().clone()
    }

    pub(crate) fn duplicates(&self) -> usize {
        *self.duplicates.lock().unwrap()
    }

    /// How many were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        *self.acknowledged.borrow()
    }

    /// Waits until so many are acknowledged, or all that are sent.
    pub(crate) async fn are_told(&self, count: usize) {
        let mut acknowledged = self.acknowledged.subscribe();
        let are_all = || self.unanswered.lock().unwrap().is_empty();
        must("events are acknowledged", acknowledged.wait_for(|now| count <= *now || are_all())).await.unwrap();
    }
}
