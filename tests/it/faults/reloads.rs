//! Workflow files that cannot be read while they are loaded anew: what was served stays, and they are taken once they can be read.

use std::fs;

use http::StatusCode;

use super::strace::{Failing, can_trace};
use crate::process::{Api, Engine, Project, Serve, must};

fn says(word: &str) -> String {
    format!("when: [{{webhook: {{path: w, verify: none}}}}]\nsteps: [{{stop: '\"{word}\"'}}]\n")
}

async fn said(api: &Api) -> String {
    let answer = api.hook("w", &[], "{}").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    api.ended(&answer.runs()[0]).await["output"].as_str().unwrap().to_owned()
}

async fn becomes(api: &Api, ready: StatusCode, at: &str) {
    must(at, async { while api.status("/readyz").await != ready {} }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_read_is_taken_once_it_can() {
    if !can_trace("a_file_that_cannot_be_read_is_taken_once_it_can") {
        return;
    }
    let project = Project::new().file("workflows/work.yaml", &says("first"));
    let file = project.dir().join("workflows/work.yaml");
    let served = Serve::new(&project, Engine::Redb).start().await;
    let api = served.api();
    let mut last = said(&api).await;
    for (calls, error) in [("openat", "EIO"), ("openat", "EMFILE"), ("read", "EIO")] {
        let at = format!("{calls} {error}");
        let fault = Failing::new(calls, error).on(&file).begin(&served);
        // As editors do it: the file is another one, and never half there.
        let fresh = project.dir().join("fresh");
        let word = format!("after {at}");
        fs::write(&fresh, says(&word)).unwrap();
        fs::rename(&fresh, &file).unwrap();
        becomes(&api, StatusCode::SERVICE_UNAVAILABLE, &at).await;
        assert_eq!(said(&api).await, last, "{at}: the last good revision stays");
        drop(fault);
        becomes(&api, StatusCode::OK, &at).await;
        assert_eq!(said(&api).await, word);
        last = word;
    }
    for (calls, error) in [("openat", "EIO"), ("getdents64", "EIO")] {
        let at = format!("{calls} {error} of the folder");
        let fault = Failing::new(calls, error).on(file.parent().unwrap()).begin(&served);
        becomes(&api, StatusCode::SERVICE_UNAVAILABLE, &at).await;
        assert_eq!(said(&api).await, last, "{at}");
        drop(fault);
        becomes(&api, StatusCode::OK, &at).await;
        assert_eq!(said(&api).await, last, "{at}");
    }
    assert_eq!(served.stop().await, Some(0));
}
