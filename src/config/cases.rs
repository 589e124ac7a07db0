//! Runs `tests/cases/settings`: what is wrong with `hence.yaml` and the files that it names, each with its exact text. The files are
//! made here: keys do not lie in a repository.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use rcgen::{CertifiedKey, KeyPair};

use super::Flags;
use crate::workflow::cases::{SETTINGS, check_texts, folder, texts};
use crate::workflow::problem::render;

const TLS: &str = "listen: 127.0.0.1:8787\ntls: {cert: tls/cert.pem, key: tls/key.pem}\n";

fn pair() -> CertifiedKey<KeyPair> {
    rcgen::generate_simple_self_signed(vec!["hence.example.com".to_owned()]).unwrap()
}

/// The problems of a `hence.yaml` with these files beside it.
fn told(settings: &str, files: &[(&str, &str)]) -> String {
    let project = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = project.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("hence.yaml", settings);
    files.iter().for_each(|(path, text)| write(path, text));
    let (_, problems) = super::load(project.path(), Flags::default());
    assert!(!problems.is_empty());
    problems.iter().map(|problem| render(problem, Some(settings))).collect()
}

fn tls(cert: &str, key: &str) -> String {
    told(TLS, &[("tls/cert.pem", cert), ("tls/key.pem", key)])
}

fn found() -> BTreeMap<String, String> {
    let (pair, other) = (pair(), pair());
    let (cert, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let cases = [
        ("tls-missing", told(TLS, &[])),
        ("tls-folders", told(TLS, &[("tls/cert.pem/a", ""), ("tls/key.pem/a", "")])),
        ("tls-no-pem", tls("nothing", "nothing")),
        ("tls-exchanged", tls(&key, &cert)),
        ("tls-cut-off", tls(cert.get(..200).unwrap(), key.get(..100).unwrap())),
        ("tls-damaged", tls(&cert.replacen("MII", "???", 1), &key.replacen("MI", "??", 1))),
        ("tls-no-certificate", tls("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &key)),
        ("tls-encrypted", tls(&cert, encrypted)),
        ("tls-no-such-key", tls(&cert, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")),
        ("tls-other-key", tls(&cert, &other.signing_key.serialize_pem())),
        ("tls-too-large", tls(&"x".repeat((1 << 20) + 1), &key)),
    ];
    cases.map(|(name, text)| (name.to_owned(), text)).into()
}

#[test]
fn every_case_has_exactly_its_problems() {
    let folder = folder().join(SETTINGS);
    let found = found();
    let names: BTreeSet<String> = found.keys().cloned().collect();
    check_texts(&folder, found);
    assert_eq!(texts(&folder).into_keys().collect::<BTreeSet<_>>(), names, "each text belongs to a case");
}

#[test]
fn nothing_of_a_file_is_told() {
    let (pair, other) = (pair(), pair());
    let (cert, key) = (pair.cert.pem(), other.signing_key.serialize_pem());
    let lines = |text: &str| text.lines().filter(|line| !line.starts_with("-----")).map(str::to_owned).collect::<Vec<_>>();
    for told in [tls(&cert, &key), tls(&key, &cert), tls(&cert, &key.replace('\n', " ")), tls(&cert, &key.replacen("-----", "--", 2))] {
        assert!(lines(&key).iter().chain(&lines(&cert)).all(|line| !told.contains(&**line)), "{told}");
    }
}

#[test]
fn a_pair_is_fine_also_below_another_folder() {
    let (project, elsewhere, pair) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), pair());
    let write = |path: &Path, text: &str| fs::write(path, text).unwrap();
    let (cert, key) = (elsewhere.path().join("cert.pem"), project.path().join("key.pem"));
    write(&cert, &format!("{}{}", pair.cert.pem(), self::pair().cert.pem()));
    write(&key, &pair.signing_key.serialize_pem());
    write(&project.path().join("hence.yaml"), &format!("tls: {{cert: {}, key: key.pem}}\n", cert.display()));
    let (config, problems) = super::load(project.path(), Flags::default());
    assert_eq!((problems, config.tls.map(|files| (files.cert, files.key))), (vec![], Some((cert, key))));
}

#[test]
fn what_is_written_down_for_commands_is_read_again() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("certificate.pem");
    let (first, second) = (pair(), pair());
    let (first, second) = (first.cert.der(), second.cert.der());
    super::write_certificates(data.path(), &[first, second]).unwrap();
    assert_eq!(super::read_certificates(&file).unwrap(), [first.clone(), second.clone()]);
    super::write_certificates(data.path(), &[second]).unwrap();
    assert_eq!(super::read_certificates(&file).unwrap(), std::slice::from_ref(second));
    for _ in 0..2 {
        super::write_certificates(data.path(), &[]).unwrap();
        assert!(!file.exists());
    }
    assert!(super::read_certificates(&file).unwrap_err().contains("is not there"));
}
