//! `hmac` on published vectors: RFC 2202 (SHA-1) and RFC 4231 (SHA-2), test case 2.

use super::*;

const SECRET: &str = "Jefe";
const BODY: &[u8] = b"what do ya want for nothing?";
const SHA1: [&str; 2] = ["effcdf6ae5eb2fa2d27416d5f184df9c259a7c79", "7/zfauXrL6LSdBbV8YTfnCWafHk="];
const SHA256: [&str; 2] =
    ["5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="];
const SHA512: [&str; 2] = [
    "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737",
    "Fkt6e/z4GeLjlfvnO1bgo4e9ZCIugx/WECcM1+olBVSXWL91wFqZSm0DT2X48Ob9yuqxo01Ka0tjbgcKOLznNw==",
];

fn check_vector(algorithm: HmacAlgorithm, signature: &str, encoding: SignatureEncoding, expected: bool) {
    let secrets = Secrets::new(BTreeMap::from([("JEFE".to_owned(), Secret::new(SECRET))]));
    for prefix in ["", "v1="] {
        let scheme = Verify::Hmac(Hmac {
            algorithm,
            header: "x-signature".into(),
            encoding,
            prefix: prefix.into(),
            signs: vec![SignedPart::Body],
            timestamp_header: None,
            tolerance: Duration::from_secs(300),
            secrets: names(&["JEFE"]),
        });
        let verifier = Verifier::new(Arc::new(secrets.clone()), None, Arc::new(Nowhere));
        let (body, headers) = (Bytes::from_static(BODY), headers(&[("x-signature", &format!("{prefix}{signature}"))]));
        let sent = Sent { method: "POST", target: "/hooks/a", headers: &headers, body: &body, now: Timestamp(0) };
        let found = verifier.verify(&scheme, &sent).now_or_never().unwrap();
        assert_eq!(found.is_ok(), expected, "{algorithm:?} {encoding:?} {prefix} {found:?}");
    }
}

#[test]
fn every_algorithm_in_both_encodings() {
    let algorithms = [(HmacAlgorithm::Sha1, SHA1), (HmacAlgorithm::Sha256, SHA256), (HmacAlgorithm::Sha512, SHA512)];
    for (algorithm, [hex, base64]) in algorithms {
        check_vector(algorithm, hex, SignatureEncoding::Hex, true);
        check_vector(algorithm, &hex.to_uppercase(), SignatureEncoding::Hex, true);
        check_vector(algorithm, base64, SignatureEncoding::Base64, true);
        check_vector(algorithm, &format!("{hex}00"), SignatureEncoding::Hex, false);
        let (_, end) = hex.split_at(2);
        check_vector(algorithm, end, SignatureEncoding::Hex, false);
        check_vector(algorithm, &format!("00{end}"), SignatureEncoding::Hex, false);
        for (other, _) in algorithms.into_iter().filter(|(other, _)| *other != algorithm) {
            check_vector(other, hex, SignatureEncoding::Hex, false);
        }
    }
}
