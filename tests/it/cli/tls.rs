//! Commands that ask a server over TLS: whom they believe, and what they say where they do not.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};

use super::check_refused;
use crate::process::{Engine, Project, Ran, Serve, Served, hence, hence_with};

const SETTINGS: &str = "tls: {cert: tls/cert.pem, key: tls/key.pem}\n";
const HELLO: &str = "when:\n  - manual:\nsteps:\n  - stop: '1'\n";

/// A certificate that nobody has signed but itself, and its key.
fn own() -> (String, String) {
    let pair = rcgen::generate_simple_self_signed(vec!["hence.example.com".to_owned()]).unwrap();
    (pair.cert.pem(), pair.signing_key.serialize_pem())
}

/// A certificate for `localhost`, valid until a year, its key, and the certificate of the authority that signed it.
fn signed(until: i32) -> (String, String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_pem = params.self_signed(&authority_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    leaf.not_after = date_time_ymd(until, 1, 1);
    let certificate = leaf.signed_by(&key, &Issuer::new(params, authority_key)).unwrap();
    (certificate.pem(), key.serialize_pem(), authority_pem)
}

fn project((cert, key): (&str, &str)) -> Project {
    let project = Project::new().file("hence.yaml", SETTINGS).file("workflows/hello.yaml", HELLO);
    project.file("tls/cert.pem", cert).file("tls/key.pem", key)
}

/// A machine that has the token of a server and nothing else of it.
struct Elsewhere {
    project: Project,
    url: String,
}

impl Elsewhere {
    fn of(served: &Served, there: &Project) -> Self {
        let project = Project::new();
        std::fs::create_dir(project.data()).unwrap();
        std::fs::copy(there.data().join("admin-token"), project.data().join("admin-token")).unwrap();
        Self { project, url: served.url.clone() }
    }

    /// A file of that machine.
    fn file(&self, name: &str, text: &str) -> String {
        let path = self.project.data().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    async fn ask(&self, variables: &[(&str, &str)], more: &[&str]) -> Ran {
        let data = self.project.data();
        let args = ["runs", "--data", data.to_str().unwrap(), "--url", &self.url];
        hence_with(variables, &[&args, more].concat()).await
    }
}

fn check_fine(ran: &Ran) {
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_of_the_data_folder_is_believed_by_whatever_name_it_is_asked() {
    let (cert, key) = own();
    let project = project((&cert, &key));
    let served = Serve::new(&project, Engine::Redb).start().await;
    let (dir, data) = (project.dir(), project.data());
    let localhost = served.url.replace("127.0.0.1", "localhost");
    for url in [None, Some(&served.url), Some(&localhost)] {
        let named: Vec<&str> = url.iter().flat_map(|url| ["--url", url.as_str()]).collect();
        check_fine(&hence(&[&["runs", "--data", text(&data)][..], &named].concat()).await);
    }
    check_fine(&hence_with(&[("HENCE_URL", served.url.as_str())], &["runs", "--data", text(&data)]).await);
    check_fine(&hence(&["plan", text(&dir), "--data", text(&data), "--against", &served.url]).await);
    check_fine(&hence(&["store", "stats", "--data", text(&data)]).await);
    check_refused(&hence(&["runs", "--data", text(&data), "--url", &served.url.replace("https", "http")]).await, 2, &["use https://"]);
    assert_eq!(served.stop().await, Some(0));
    assert!(!data.join("certificate.pem").exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_elsewhere_a_certificate_of_ones_own_is_named() {
    let (cert, key) = own();
    let project = project((&cert, &key));
    let served = Serve::new(&project, Engine::Redb).start().await;
    let elsewhere = Elsewhere::of(&served, &project);
    let (named, secret, other) =
        (elsewhere.file("server.pem", &cert), elsewhere.file("key.pem", &key), elsewhere.file("other.pem", &own().0));
    let help = ["is not believed", "--ca FILE", "HENCE_CA"];
    check_refused(&elsewhere.ask(&[], &[]).await, 3, &help);
    check_refused(&elsewhere.ask(&[], &["--ca", &other]).await, 3, &help);
    check_fine(&elsewhere.ask(&[], &["--ca", &named]).await);
    check_fine(&elsewhere.ask(&[("HENCE_CA", named.as_str())], &[]).await);
    check_fine(&elsewhere.ask(&[("HENCE_CA", secret.as_str())], &["--ca", &named]).await);
    check_refused(&elsewhere.ask(&[("HENCE_CA", secret.as_str())], &[]).await, 2, &["HENCE_CA: ", "key.pem holds no certificate"]);
    check_refused(&elsewhere.ask(&[], &["--ca", "/nowhere.pem"]).await, 2, &["--ca: /nowhere.pem is not there"]);
    let (dir, data) = (project.dir(), elsewhere.project.data());
    let plan = ["plan", text(&dir), "--data", text(&data), "--against", &served.url];
    check_refused(&hence(&plan).await, 3, &help);
    check_fine(&hence(&[&plan[..], &["--ca", &named]].concat()).await);
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authority_vouches_for_a_name_and_a_time() {
    let (cert, key, authority) = signed(2_999);
    let project = project((&cert, &key));
    let served = Serve::new(&project, Engine::Redb).start().await;
    let mut elsewhere = Elsewhere::of(&served, &project);
    let (ca, leaf) = (elsewhere.file("ca.pem", &authority), elsewhere.file("leaf.pem", &cert));
    check_refused(&elsewhere.ask(&[], &["--ca", &ca]).await, 3, &["is for localhost: ", "--ca FILE"]);
    check_fine(&elsewhere.ask(&[], &["--ca", &leaf]).await);
    elsewhere.url = served.url.replace("127.0.0.1", "localhost");
    check_fine(&elsewhere.ask(&[], &["--ca", &ca]).await);
    check_refused(&elsewhere.ask(&[], &[]).await, 3, &["is not believed"]);
    assert_eq!(served.stop().await, Some(0));

    let (cert, key, authority) = signed(2_000);
    let project = self::project((&cert, &key));
    let served = Serve::new(&project, Engine::Redb).start().await;
    let mut elsewhere = Elsewhere::of(&served, &project);
    elsewhere.url = served.url.replace("127.0.0.1", "localhost");
    let ca = elsewhere.file("ca.pem", &authority);
    check_refused(&elsewhere.ask(&[], &["--ca", &ca]).await, 3, &["has expired"]);
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_go_on_while_the_files_are_broken_and_after_they_were_renewed() {
    let ((cert, key), (new_cert, new_key)) = (own(), own());
    let project = project((&cert, &key));
    let served = Serve::new(&project, Engine::Redb).start().await;
    let (data, tls) = (project.data(), project.dir().join("tls"));
    let ask = async || hence(&["runs", "--data", text(&data)]).await;
    std::fs::write(tls.join("cert.pem"), "half a certif").unwrap();
    served.says("the certificate has changed and cannot be used").await;
    check_fine(&ask().await);
    std::fs::write(tls.join("key.pem"), &new_key).unwrap();
    std::fs::write(tls.join("cert.pem"), &new_cert).unwrap();
    served.says("the certificate was read again").await;
    check_fine(&ask().await);
    // Something else at its port is not given the token.
    std::fs::write(data.join("certificate.pem"), &cert).unwrap();
    check_refused(&ask().await, 3, &["another certificate than", "certificate.pem", "hence serve"]);
    let known = hence(&["backup", text(&data.join("backup")), "--data", text(&data)]).await;
    check_refused(&known, 3, &["another certificate than"]);
    assert_eq!(served.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_tls_says_so_and_leaves_no_certificate() {
    let project = Project::new().file("workflows/hello.yaml", HELLO);
    std::fs::create_dir(project.data()).unwrap();
    std::fs::write(project.data().join("certificate.pem"), own().0).unwrap();
    let served = Serve::new(&project, Engine::Redb).start().await;
    assert!(!project.data().join("certificate.pem").exists());
    let data = project.data();
    let ran = hence(&["runs", "--data", text(&data), "--url", &served.url.replace("http", "https")]).await;
    check_refused(&ran, 3, &["speaks no TLS", "http://"]);
    assert_eq!(served.stop().await, Some(0));
}
