//! The RSA key of a certificate. Nothing else of it is looked at: it counts because it was fetched over TLS from the service's own host,
//! which is what the services' libraries go by, too.

use crate::workflow::keys::base64;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
/// The object identifier `rsaEncryption` (RFC 8017, appendix C), with its tag and length.
const RSA: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

const SEQUENCE: u8 = 0x30;
const BIT_STRING: u8 = 0x03;
const VERSION: u8 = 0xa0;

/// The key of the first certificate of a PEM file, as an `RSAPublicKey` (RFC 8017, appendix A.1.1) in DER.
pub(super) fn rsa_key(pem: &str) -> Option<Vec<u8>> {
    let (_, body) = pem.split_once(BEGIN)?;
    let (body, _) = body.split_once(END)?;
    let body: String = body.split_whitespace().collect();
    let der = base64(&body)?;
    // RFC 5280, section 4.1: Certificate, TBSCertificate, and its fields in order.
    let (certificate, _) = element(&der, SEQUENCE)?;
    let (fields, _) = element(certificate, SEQUENCE)?;
    let fields = element(fields, VERSION).map_or(fields, |(_, rest)| rest);
    // Serial number, signature algorithm, issuer, validity, subject.
    let key_info = (0..5).try_fold(fields, |rest, _| any(rest).map(|(_, _, rest)| rest))?;
    let (key_info, _) = element(key_info, SEQUENCE)?;
    let (algorithm, rest) = element(key_info, SEQUENCE)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first byte counts bits that are not used: a key has none.
    let (unused, key) = bits.split_first()?;
    (algorithm.starts_with(RSA) && *unused == 0).then(|| key.to_vec())
}

/// The content of an element with this tag, and what stands behind it.
fn element(input: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any(input).filter(|(found, ..)| *found == tag).map(|(_, content, rest)| (content, rest))
}

/// Tag, content and rest (X.690, section 8.1, definite lengths).
fn any(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, input) = input.split_first()?;
    let (first, input) = input.split_first()?;
    let (length, input) = match first {
        0..=0x7f => (usize::from(*first), input),
        0x81..=0x83 => {
            let (bytes, input) = input.split_at_checked(usize::from(*first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), input)
        }
        _ => return None,
    };
    let (content, rest) = input.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

    use super::*;

    #[test]
    fn a_certificate_with_another_key_has_none() {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::new(vec!["a.test".to_owned()]).unwrap().self_signed(&key).unwrap();
        assert_eq!(rsa_key(&certificate.pem()), None);
        assert_eq!(rsa_key(""), None);
        assert_eq!(rsa_key(&format!("{BEGIN}\n!\n{END}")), None);
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
            prop_assert_eq!(rsa_key(&format!("{BEGIN}{text}{END}")), None);
        }
    }
}
