//! Every way to know a sender, each with a secret. The seeds hold what was signed with them; the private keys are gone.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hence::domain::secret::{Secret, Secrets};
use hence::domain::workflow::{Hmac, HmacAlgorithm, Scheme, SecretName, SignatureEncoding, Signed, SignedPart, Verify};
use hence::intake::verify::{FetchCertificate, Verifier};

/// 2026-03-01T09:00:00Z.
pub const NOW_S: i64 = 1_772_355_600;
/// What was signed wherever the body is signed as it stands.
pub const BODY: &[u8] = "{\"id\":7,\"note\":\"é\"}\r\n".as_bytes();

const CERTIFICATE: &str = include_str!("../../src/intake/verify/tests/certificate.pem");
const P256_KEY: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKMY6x78tXRAVntVdjqCB1+pkw3eUzNX460vgtd5vgz3Q3JdtnofL2ciy1M9CbGM8z3o4TSkKb5JV/C3m/BcgxQ==";
const ED25519_KEY: &str = "4f0589045118559842ff79d69ddf122e571233cd2c9c2d526307d47a9c7675ff";
const ED25519_STANDARD: &str = "whpk_TwWJBFEYVZhC/3nWnd8SLlcSM80snC1SYwfUepx2df8=";

/// A scheme by the name that inputs begin with.
pub struct Case {
    pub name: &'static str,
    pub verify: Verify,
    /// Its signature covers the whole body, byte by byte.
    pub signs_body: bool,
}

pub struct World {
    pub verifier: Verifier,
    pub cases: Vec<Case>,
}

/// The same certificate is everywhere.
struct Everywhere;

impl FetchCertificate for Everywhere {
    fn fetch(&self, _url: &str) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Ok(CERTIFICATE.to_owned()) })
    }
}

fn secrets() -> Secrets {
    let texts = [
        ("TEXT", "another one"),
        ("STANDARD", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"),
        ("STANDARD_PUBLIC", ED25519_STANDARD),
        ("STRIPE", "whsec_abc"),
        ("ED25519", ED25519_KEY),
        ("P256", P256_KEY),
    ];
    Secrets::new(texts.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect::<BTreeMap<_, _>>())
}

fn names(names: &[&str]) -> Vec<SecretName> {
    names.iter().map(|name| SecretName((*name).into())).collect()
}

fn signed(scheme: Scheme, secrets: &[&str], signs_body: bool) -> Case {
    Case { name: scheme.name(), verify: Verify::Signed(Signed { scheme, secrets: names(secrets) }), signs_body }
}

/// What services sign themselves.
fn services() -> [Case; 18] {
    let topics = vec!["arn:aws:sns:eu-central-1:123456789012:orders".into()];
    [
        signed(Scheme::StandardWebhooks, &["STANDARD_PUBLIC", "STANDARD"], true),
        signed(Scheme::Svix, &["STANDARD"], true),
        signed(Scheme::Stripe, &["STRIPE"], true),
        signed(Scheme::Calendly, &["TEXT"], true),
        signed(Scheme::Github, &["TEXT"], true),
        signed(Scheme::Meta { verify_token: SecretName("TEXT".into()) }, &["TEXT"], true),
        signed(Scheme::Slack, &["TEXT"], true),
        signed(Scheme::Zoom, &["TEXT"], true),
        signed(Scheme::Shopify, &["TEXT"], true),
        signed(Scheme::Typeform, &["TEXT"], true),
        signed(Scheme::Discord, &["ED25519"], true),
        signed(Scheme::Sendgrid, &["P256"], true),
        signed(Scheme::Square { url: None }, &["TEXT"], true),
        signed(Scheme::Hubspot { url: None }, &["TEXT"], true),
        // Fields in any order, a part of the body, or a checksum of it.
        signed(Scheme::Twilio { url: None }, &["TEXT"], false),
        signed(Scheme::Mailgun, &["TEXT"], false),
        signed(Scheme::AwsSns { topics }, &[], false),
        signed(Scheme::Paypal { webhook_id: "8PT597110X687430L".into() }, &[], false),
    ]
}

pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let hmac = Hmac {
            algorithm: HmacAlgorithm::Sha512,
            header: "x-signature".into(),
            encoding: SignatureEncoding::Base64,
            prefix: "v1,".into(),
            signs: vec![SignedPart::Timestamp, SignedPart::Text(".".into()), SignedPart::Body],
            timestamp_header: Some("x-time".into()),
            tolerance: Duration::from_secs(300),
            secrets: names(&["TEXT"]),
        };
        let tokens = [
            Case { name: "hmac", verify: Verify::Hmac(hmac), signs_body: true },
            Case { name: "bearer", verify: Verify::Bearer { secrets: names(&["TEXT"]) }, signs_body: false },
            Case { name: "basic", verify: Verify::Basic { user: "mé".into(), secrets: names(&["TEXT"]) }, signs_body: false },
            Case { name: "header", verify: Verify::Header { name: "x-token".into(), secrets: names(&["TEXT"]) }, signs_body: false },
        ];
        let verifier = Verifier::new(Arc::new(secrets()), Some("https://hence.example.com".to_owned()), Arc::new(Everywhere));
        World { verifier, cases: services().into_iter().chain(tokens).collect() }
    })
}
