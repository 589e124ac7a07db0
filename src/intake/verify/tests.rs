use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::*;
use crate::domain::workflow::{Hmac, HmacAlgorithm, SignatureEncoding, SignedPart};

/// From GitHub's documentation, "Testing the webhook payload validation".
const GITHUB_SECRET: &str = "It's a Secret to Everybody";
const GITHUB_BODY: &[u8] = b"Hello, World!";
const GITHUB_SIGNATURE: &str = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";

fn secrets() -> Secrets {
    Secrets::new(BTreeMap::from([
        ("GITHUB".to_owned(), Secret::new(GITHUB_SECRET)),
        ("OTHER".to_owned(), Secret::new("another one")),
        ("EMPTY".to_owned(), Secret::new("")),
    ]))
}

fn names(names: &[&str]) -> Vec<SecretName> {
    names.iter().map(|name| SecretName((*name).into())).collect()
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
}

fn check(scheme: &Verify, pairs: &[(&str, &str)], body: &[u8], now_s: i64, expected: Result<(), Denied>) {
    assert_eq!(verify(scheme, &secrets(), &headers(pairs), body, Timestamp(now_s * 1000)), expected, "{scheme:?} {pairs:?}");
}

#[test]
fn github() {
    let scheme = |list: &[&str]| Verify::Github { secrets: names(list) };
    let header = "x-hub-signature-256";
    let missing = || Err(Denied::Missing(header.to_owned()));
    let malformed = || Err(Denied::Malformed(header.to_owned()));
    check(&scheme(&["GITHUB"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Ok(()));
    check(&scheme(&["OTHER", "GITHUB"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Ok(()));
    check(&scheme(&["GITHUB"]), &[(header, GITHUB_SIGNATURE)], b"Hello, World?", 0, Err(Denied::Mismatch));
    check(&scheme(&["OTHER"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::Mismatch));
    check(&scheme(&["GITHUB"]), &[], GITHUB_BODY, 0, missing());
    check(&scheme(&["GITHUB"]), &[(header, "sha1=00")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=7571zz")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=757")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=é0")], GITHUB_BODY, 0, malformed());
    check(&scheme(&["GITHUB"]), &[(header, "sha256=")], GITHUB_BODY, 0, Err(Denied::Mismatch));
    check(&scheme(&["ABSENT"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::NoSecret));
    check(&scheme(&["EMPTY"]), &[(header, GITHUB_SIGNATURE)], GITHUB_BODY, 0, Err(Denied::NoSecret));
}

#[test]
fn an_hmac_with_a_signed_timestamp() {
    let scheme = Verify::Hmac(Hmac {
        algorithm: HmacAlgorithm::Sha256,
        header: "x-signature".into(),
        encoding: SignatureEncoding::Base64,
        prefix: "v1,".into(),
        signs: vec![SignedPart::Timestamp, SignedPart::Text(".".into()), SignedPart::Body],
        timestamp_header: Some("x-time".into()),
        tolerance: Duration::from_secs(300),
        secrets: names(&["OTHER"]),
    });
    // python3: base64.b64encode(hmac.digest(b"another one", b"1000.\r\n\xc3\xa9", "sha256"))
    let signature = "v1,40FMHWHmVOaFeQOOzyJy5dh9atFEDn0qiRQpsjf7fBU=";
    let body = "\r\né".as_bytes();
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1000, Ok(()));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1300, Ok(()));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 1301, Err(Denied::Stale { window_s: 300 }));
    check(&scheme, &[("x-signature", signature), ("x-time", "1000")], body, 699, Err(Denied::Stale { window_s: 300 }));
    check(&scheme, &[("x-signature", signature), ("x-time", "1001")], body, 1000, Err(Denied::Mismatch));
    check(&scheme, &[("x-signature", signature)], body, 1000, Err(Denied::Missing("x-time".to_owned())));
    check(&scheme, &[("x-signature", "v0,AA=="), ("x-time", "1000")], body, 1000, Err(Denied::Malformed("x-signature".to_owned())));
}

#[test]
fn bearer_and_header() {
    let bearer = Verify::Bearer { secrets: names(&["GITHUB", "OTHER"]) };
    check(&bearer, &[("authorization", "Bearer another one")], b"", 0, Ok(()));
    check(&bearer, &[("authorization", "bearer another one")], b"", 0, Ok(()));
    check(&bearer, &[("authorization", "Bearer another on")], b"", 0, Err(Denied::Mismatch));
    check(&bearer, &[("authorization", "another one")], b"", 0, Err(Denied::Malformed("authorization".to_owned())));
    check(&bearer, &[], b"", 0, Err(Denied::Missing("authorization".to_owned())));
    let header = Verify::Header { name: "x-token".into(), secrets: names(&["OTHER"]) };
    check(&header, &[("x-token", "another one")], b"", 0, Ok(()));
    check(&header, &[("x-token", "")], b"", 0, Err(Denied::Mismatch));
}
