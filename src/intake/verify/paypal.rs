//! PayPal: RSA over an id, a time and a checksum of the body, checked with a certificate that PayPal publishes:
//! <https://developer.paypal.com/api/rest/webhooks/rest/>, "Self verification method". Another body can be made for a checksum, so
//! each transmission is taken once.

use std::time::Duration;

use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::certificates::{Certificates, is_file_name, place};
use super::time::{Window, fresh};
use super::{Denied, Once, Sent, malformed, text};
use crate::domain::time::Timestamp;
use crate::workflow::keys::base64;

const ID: &str = "paypal-transmission-id";
const TIME: &str = "paypal-transmission-time";
const SIGNATURE: &str = "paypal-transmission-sig";
const CERTIFICATE: &str = "paypal-cert-url";
const ALGORITHM: &str = "paypal-auth-algo";
/// Where PayPal keeps its certificates, sandbox included.
const HOSTS: &str = ".paypal.com";
const PATH: &str = "/v1/notifications/certs/";

/// PayPal names no window; it sends again for three days. Transmissions are remembered as long.
const WINDOW: Duration = Duration::from_secs(4 * 86_400);
/// PayPal's have 36 characters.
const ID_BYTES: usize = 200;

/// Checks `ID|TIME|WEBHOOK_ID|CRC32`, and says which transmission must not come again.
pub(super) async fn verify(webhook_id: &str, sent: &Sent<'_>, certificates: &Certificates) -> Result<Once, Denied> {
    let header = |name| text(sent.headers, name);
    let (id, time, url) = (header(ID)?, header(TIME)?, header(CERTIFICATE)?);
    if id.is_empty() || ID_BYTES < id.len() || id.contains('|') {
        return Err(malformed(ID));
    }
    let signed: Timestamp = time.parse().ok().ok_or_else(|| malformed(TIME))?;
    let signature = base64(header(SIGNATURE)?).ok_or_else(|| malformed(SIGNATURE))?;
    if !header(ALGORITHM)?.eq_ignore_ascii_case("SHA256withRSA") {
        return Err(malformed(ALGORITHM));
    }
    place(url)
        .filter(|(host, path)| host.ends_with(HOSTS) && path.strip_prefix(PATH).is_some_and(is_file_name))
        .ok_or(Denied::ForeignAddress)?;
    let key = certificates.rsa_key(url, sent.now).await?;
    let message = format!("{id}|{time}|{webhook_id}|{}", crc32(sent.body));
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key);
    key.verify(message.as_bytes(), &signature).ok().ok_or(Denied::Mismatch)?;
    certificates.proven(url);
    fresh(signed, Window::Both(WINDOW), sent.now)?;
    Ok(Once::new(id.to_owned(), signed, WINDOW))
}

/// CRC-32 (ISO 3309), as in zip files.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_that_of_zip_files() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
    }
}
