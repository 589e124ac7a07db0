//! Who waits for a certificate, and for whom.

use std::pin::Pin;
use std::sync::Mutex;

use futures_util::future::join_all;
use futures_util::poll;
use tokio::sync::Semaphore;

use super::services::CERTIFICATE;
use super::*;

/// Addresses with `slow` in them answer when they are let, those with `missing` have nothing, all others a certificate.
struct Web {
    asked: Mutex<Vec<String>>,
    slow: Semaphore,
}

impl FetchCertificate for Web {
    fn fetch(&self, url: &str) -> BoxFuture<'_, Result<String, String>> {
        self.asked.lock().unwrap().push(url.to_owned());
        let (is_slow, is_missing) = (url.contains("slow"), url.contains("missing"));
        Box::pin(async move {
            if is_slow {
                self.slow.acquire().await.unwrap().forget();
            }
            if is_missing { Err("nothing is there".to_owned()) } else { Ok(CERTIFICATE.to_owned()) }
        })
    }
}

fn certificates() -> (Arc<Web>, Certificates) {
    let web = Arc::new(Web { asked: Mutex::default(), slow: Semaphore::new(0) });
    (Arc::clone(&web), Certificates::new(web))
}

type Asking<'c> = Pin<Box<dyn Future<Output = Result<Arc<[u8]>, Denied>> + 'c>>;

/// Asks for all of them; every one has to wait.
async fn ask<'c>(certificates: &'c Certificates, urls: &'c [String]) -> Vec<Asking<'c>> {
    let mut asking: Vec<Asking<'c>> = urls.iter().map(|url| Box::pin(certificates.rsa_key(url, NOW)) as Asking<'c>).collect();
    for (one, url) in asking.iter_mut().zip(urls) {
        assert!(poll!(one.as_mut()).is_pending(), "{url}");
    }
    asking
}

fn slow(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("slow-{number}")).collect()
}

const NOW: Timestamp = Timestamp(0);
const DAY: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn slow_addresses_hold_up_no_certificate_that_is_known() {
    let (web, certificates) = certificates();
    certificates.rsa_key("real", NOW).await.unwrap();
    certificates.proven("real");
    certificates.rsa_key("not proven", NOW).await.unwrap();
    let urls = slow(36);
    let asking = ask(&certificates, &urls).await;
    assert_eq!(web.asked.lock().unwrap().len(), 2 + 4, "four at a time");
    let later = NOW.after(DAY);
    assert!(certificates.rsa_key("real", NOW).now_or_never().unwrap().is_ok(), "it is remembered");
    assert!(certificates.rsa_key("real", later).now_or_never().unwrap().is_ok(), "and fetched again while the others wait");
    assert_eq!(certificates.rsa_key("not proven", later).now_or_never(), Some(Err(Denied::Unfetched)), "this may be anybody's");
    web.slow.add_permits(urls.len());
    assert!(join_all(asking).await.iter().all(Result::is_ok));
    assert!(certificates.rsa_key("not proven", later).now_or_never().unwrap().is_ok());
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let (web, certificates) = certificates();
    let urls = slow(36);
    let asking = ask(&certificates, &urls).await;
    assert_eq!(certificates.rsa_key("one more", NOW).now_or_never(), Some(Err(Denied::Unfetched)));
    let same = ask(&certificates, &urls[..1]).await;
    // Those who leave make room.
    drop((asking, same));
    assert!(certificates.rsa_key("one more", NOW).now_or_never().unwrap().is_ok());
    let begun = web.asked.lock().unwrap().len();
    let again = ask(&certificates, &urls).await;
    assert_eq!(web.asked.lock().unwrap().len(), begun + 4);
    drop(again);
}

#[tokio::test]
async fn who_needs_the_same_waits_for_one() {
    let (web, certificates) = certificates();
    let urls = vec!["slow".to_owned(); 100];
    let mut asking = ask(&certificates, &urls).await;
    // Whoever was first leaves: the next one goes on.
    drop(asking.remove(0));
    web.slow.add_permits(2);
    assert!(join_all(asking).await.iter().all(Result::is_ok));
    assert_eq!(web.asked.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn what_was_missing_is_not_asked_for_again_at_once() {
    let (web, certificates) = certificates();
    for (after_s, asked) in [(0, 1), (29, 1), (30, 2)] {
        let now = NOW.after(Duration::from_secs(after_s));
        assert_eq!(certificates.rsa_key("missing", now).await, Err(Denied::Unfetched));
        assert_eq!(web.asked.lock().unwrap().len(), asked, "{after_s} s");
    }
}
