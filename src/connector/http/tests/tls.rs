//! TLS with an authority of one's own.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

use super::server::{Server, answer};
use super::*;

/// A server with a certificate for `name`, and the PEM of the authority that signed it.
async fn server(name: &str) -> (Server, Vec<u8>) {
    let authority_key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let pem = params.self_signed(&authority_key).unwrap().pem();
    let authority = Issuer::new(params, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    (Server::on("127.0.0.1:0", vec![answer("200 OK", &[], "safe")], Some(acceptor)).await, pem.into_bytes())
}

async fn call(server: &Server, extra_root_pems: Vec<Vec<u8>>) -> Result<Value, Failure> {
    let connector = HttpConnector::new(HttpSettings { extra_root_pems, ..allowing(&["localhost"]) }).unwrap();
    connector.call(request("get", json!({"url": format!("https://localhost:{}/", server.address.port())}))).await
}

#[tokio::test]
async fn an_own_authority_is_trusted_when_it_is_named() {
    let (mut server, pem) = server("localhost").await;
    assert_eq!(call(&server, vec![pem]).await.unwrap()["body"], "safe");
    assert_eq!(server.seen().await.line, "GET /");
}

#[tokio::test]
async fn an_untrusted_certificate_is_a_network_failure_that_says_so() {
    let (mut server, _) = server("localhost").await;
    let failure = call(&server, Vec::new()).await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Network);
    assert!(failure.message.contains("its certificate is not trusted"), "{failure}");
    assert!(server.saw_nothing());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let (server, pem) = server("example.com").await;
    let failure = call(&server, vec![pem]).await.unwrap_err();
    assert!(failure.kind == FailureKind::Network && failure.message.contains("for another name"), "{failure}");
}

#[test]
fn an_unusable_root_certificate_shows_at_start() {
    let check = |pem: &str, part: &str| {
        let problem = HttpConnector::new(HttpSettings { extra_root_pems: vec![pem.into()], ..HttpSettings::default() }).err().unwrap();
        assert!(problem.contains(part), "{problem}");
    };
    check("not PEM", "no `BEGIN CERTIFICATE`");
    check("-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "extra root certificate file 1");
    check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "cannot be made");
}
