//! A write that reports an error and has reached the disk all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hence::domain::run::Status;
use hence::store::StoreError;
use hence::store::kv::memory::Memory;
use hence::store::kv::{Batch, Kv, Order, Visit};
use serde_json::json;

use crate::process::must;
use crate::support::{Life, Project, Recorder, TestApp};

/// One write of it is reported as failed, when it is asked for.
#[derive(Default)]
struct Kept {
    memory: Memory,
    fails: AtomicBool,
}

impl Kv for Kept {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.memory.get(key)
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        self.memory.range(from, to, order, visit)
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        self.memory.apply(batch)?;
        if self.fails.swap(false, Ordering::SeqCst) { Err(StoreError::Io("on command".to_owned())) } else { Ok(()) }
    }
}

#[tokio::test]
async fn its_run_goes_on_though_nobody_writes_again() {
    let project = Project::of("when: [{webhook: {path: w, verify: none}}]\nsteps: [{stop: 1}]\n");
    let kept = Arc::new(Kept::default());
    let base = Life::new(Recorder::fine());
    let app = TestApp::resume(&project, Life { kv: Arc::clone(&kept) as Arc<dyn Kv>, ..base }).await.unwrap();
    kept.fails.store(true, Ordering::SeqCst);
    assert_eq!(app.post("w", &json!({})).await.status, 503);
    let run = must("the run is seen", app.until(async |app| app.all_runs().await.first().map(|run| run.id))).await;
    must("it ends", app.stands(run, Status::Succeeded)).await;
}
