//! TLS on the listener.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hence::app::{App, Parts, StartError};
use hence::clock::{Clock, ManualClock};
use hence::config::{self, Flags};
use rcgen::{CertifiedKey, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{check_raw, hook};
use crate::process;
use crate::support::Project;
use crate::support::app::BEGIN;

const SETTINGS: &str = "tls: {cert: tls/cert.pem, key: tls/key.pem}\n";

fn certificate() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["hence.example.com".to_owned()]).unwrap()
}

fn write(project: &Project, pair: &CertifiedKey<KeyPair>) {
    project.write("tls/cert.pem", &pair.cert.pem());
    project.write("tls/key.pem", &pair.signing_key.serialize_pem());
}

fn project(pair: &CertifiedKey<KeyPair>) -> Project {
    let project = Project::of(&hook(""));
    project.write("hence.yaml", SETTINGS);
    write(&project, pair);
    project
}

async fn start(dir: &Path, clock: &Arc<ManualClock>) -> Result<App, StartError> {
    let (config, problems) = config::load(dir, Flags { store: Some("memory:".to_owned()), ..Flags::default() });
    assert!(!problems.iter().any(hence::workflow::problem::Problem::is_error), "{problems:?}");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    App::start(config, listener, Parts { clock: Some(Arc::clone(clock) as Arc<dyn Clock>), ..Parts::default() }).await
}

/// A handshake with a client that trusts this certificate alone.
async fn greet(app: &App, pair: &CertifiedKey<KeyPair>) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(pair.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("hence.example.com").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, TcpStream::connect(app.address).await?).await
}

async fn ask(stream: &mut TlsStream<TcpStream>) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: hence.example.com\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"ok\n") {
        assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "{}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

/// Seconds go by until a client that trusts this certificate is greeted.
async fn greeted_in_time(app: &App, clock: &ManualClock, pair: &CertifiedKey<KeyPair>) -> TlsStream<TcpStream> {
    for _ in 0..1_000 {
        if let Ok(stream) = greet(app, pair).await {
            return stream;
        }
        clock.advance(Duration::from_secs(1));
    }
    panic!("the certificate is never served");
}

#[tokio::test]
async fn requests_are_answered_over_tls_and_in_clear_text_told_so() {
    let (pair, clock) = (certificate(), Arc::new(ManualClock::new(BEGIN)));
    let project = project(&pair);
    let app = start(project.dir(), &clock).await.unwrap();
    let mut stream = greet(&app, &pair).await.unwrap();
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 "));
    assert!(ask(&mut stream).await.starts_with("HTTP/1.1 200 "), "and again over the same connection");
    assert!(greet(&app, &certificate()).await.is_err(), "a client that trusts another one");
    let mut plain = TcpStream::connect(app.address).await.unwrap();
    plain.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    check_raw(&super::rest(&mut plain).await, "400 ", "tls-required");
    let refused = app.intake.door.refusals.counts();
    assert!(refused.iter().any(|counted| counted.reason == "tls-required" && counted.count == 1), "{refused:?}");
    app.stop().await;
}

#[tokio::test]
async fn nonsense_and_silence_before_the_handshake_stop_nobody() {
    let (pair, clock) = (certificate(), Arc::new(ManualClock::new(BEGIN)));
    let project = project(&pair);
    let app = start(project.dir(), &clock).await.unwrap();
    let mut silent = TcpStream::connect(app.address).await.unwrap();
    let mut nonsense = TcpStream::connect(app.address).await.unwrap();
    nonsense.write_all(&[22, 3, 1, 255, 255, 0, 0, 0]).await.unwrap();
    assert!(ask(&mut greet(&app, &pair).await.unwrap()).await.starts_with("HTTP/1.1 200 "));
    // Both are closed when their time is over.
    let mut closed = std::pin::pin!(async {
        let mut rest = Vec::new();
        drop(silent.read_to_end(&mut rest).await);
        drop(nonsense.read_to_end(&mut rest).await);
    });
    loop {
        tokio::select! {
            biased;
            () = &mut closed => break,
            stream = greet(&app, &pair) => drop(stream.unwrap()),
        }
        clock.advance(Duration::from_secs(1));
    }
    app.stop().await;
}

#[tokio::test]
async fn a_changed_certificate_is_served_and_a_bad_one_is_not() {
    let (first, second, clock) = (certificate(), certificate(), Arc::new(ManualClock::new(BEGIN)));
    let project = project(&first);
    let app = start(project.dir(), &clock).await.unwrap();
    let mut open = greet(&app, &first).await.unwrap();
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200 "));
    // The key alone fits no certificate, and neither does half a file.
    project.write("tls/key.pem", &second.signing_key.serialize_pem());
    project.write("tls/cert.pem", &second.cert.pem()[..100]);
    for _ in 0..5 {
        clock.advance(Duration::from_secs(1));
        assert!(greet(&app, &first).await.is_ok(), "the last good pair stays");
    }
    project.write("tls/cert.pem", &second.cert.pem());
    let mut fresh = greeted_in_time(&app, &clock, &second).await;
    assert!(ask(&mut fresh).await.starts_with("HTTP/1.1 200 "));
    assert!(greet(&app, &first).await.is_err());
    assert!(ask(&mut open).await.starts_with("HTTP/1.1 200 "), "an open connection goes on");
    app.stop().await;
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let (pair, clock) = (certificate(), Arc::new(ManualClock::new(BEGIN)));
    let check = async |write: &dyn Fn(&Project), words: &str| {
        let project = project(&pair);
        let (config, problems) = config::load(project.dir(), Flags { store: Some("memory:".to_owned()), ..Flags::default() });
        assert!(problems.is_empty(), "{problems:?}");
        write(&project);
        let (_, problems) = config::load(project.dir(), Flags::default());
        assert!(problems.iter().any(|problem| problem.is_error() && problem.message.contains(words)), "{words}: {problems:?}");
        // They may become so after they were looked at.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let parts = Parts { clock: Some(Arc::clone(&clock) as Arc<dyn Clock>), ..Parts::default() };
        match App::start(config, listener, parts).await {
            Ok(_) => panic!("{words}: it started"),
            Err(error) => assert!(error.to_string().contains(words), "{words}: {error}"),
        }
    };
    check(&|project| std::fs::remove_file(project.dir().join("tls/cert.pem")).unwrap(), "tls/cert.pem is not there").await;
    check(&|project| project.write("tls/cert.pem", "nothing"), "holds no certificate").await;
    check(&|project| project.write("tls/key.pem", "nothing"), "tls/key.pem holds no private key").await;
    check(&|project| project.write("tls/key.pem", &certificate().signing_key.serialize_pem()), "is not the key of the certificate").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_the_same_machine_know_the_server_by_its_certificate() {
    let pair = certificate();
    let project = process::Project::new().file("workflows/main.yaml", &hook("")).file("hence.yaml", SETTINGS);
    let project = project.file("tls/cert.pem", &pair.cert.pem()).file("tls/key.pem", &pair.signing_key.serialize_pem());
    let served = process::Serve::new(&project, process::Engine::Redb).start().await;
    assert!(served.url.starts_with("https://127.0.0.1:"), "{}", served.url);
    let data = project.data();
    let ask = async || process::hence(&["events", "--refused", "--data", data.to_str().unwrap()]).await;
    let answered = ask().await;
    assert_eq!((answered.code, answered.out.trim()), (Some(0), "nothing was refused since the server's start"), "{answered:?}");
    let mut plain = TcpStream::connect(served.url.trim_start_matches("https://")).await.unwrap();
    plain.write_all(b"GET /secret-path?token=hidden HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    check_raw(&super::rest(&mut plain).await, "400 ", "tls-required");
    let answered = ask().await;
    assert!(answered.code == Some(0) && answered.out.contains("tls-required") && answered.out.contains("127.0.0.1"), "{answered:?}");
    assert_eq!(served.stop().await, Some(0));
}
