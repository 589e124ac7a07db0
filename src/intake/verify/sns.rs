//! Amazon SNS: RSA over some fields of the message, checked with a certificate that AWS publishes:
//! <https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message-verify-message-signature.html>. Anybody with an AWS
//! account can send such messages, so the topic is looked at, too. Who has seen a message could send it again, so each is taken once.

use std::sync::Arc;
use std::time::Duration;

use ring::signature::{RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm};
use serde::Deserialize;

use super::certificates::{Certificates, is_file_name, place};
use super::time::{Window, fresh};
use super::{Denied, Once, Sent};
use crate::domain::time::Timestamp;
use crate::workflow::keys::base64;

const NO_PROOF: Denied = Denied::NoProof("`Signature` of an SNS message (raw message delivery sends none: switch it off)");

const NO_TIME: Denied = Denied::NoProof("`MessageId` and `Timestamp` of an SNS message");
/// SNS tries again for at most an hour ("Message delivery retries"), in which a message keeps its id and its time; one that waits for its turn
/// (`maxReceivesPerSecond`) comes later than that. Messages are remembered as long.
const WINDOW: Duration = Duration::from_secs(86_400);
/// AWS's have 36 characters.
const ID_BYTES: usize = 200;

/// What a message is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(in crate::intake) enum MessageKind {
    /// Somebody has published something.
    Notification,
    /// The topic asks whether it may send here.
    SubscriptionConfirmation,
    /// It will send no more.
    UnsubscribeConfirmation,
}

/// A message, as far as it is signed.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::intake) struct Message {
    #[serde(rename = "Type")]
    pub(in crate::intake) kind: MessageKind,
    message_id: String,
    topic_arn: String,
    subject: Option<String>,
    message: String,
    timestamp: String,
    signature_version: String,
    signature: String,
    #[serde(rename = "SigningCertURL")]
    signing_cert_url: String,
    #[serde(rename = "SubscribeURL")]
    subscribe_url: Option<String>,
    token: Option<String>,
}

/// Checks a message, and says which must not come again.
pub(super) async fn verify(topics: &[Arc<str>], sent: &Sent<'_>, certificates: &Certificates) -> Result<Once, Denied> {
    let message = Message::read(sent.body).ok_or(NO_PROOF)?;
    if message.message_id.is_empty() || ID_BYTES < message.message_id.len() {
        return Err(NO_TIME);
    }
    let signed: Timestamp = message.timestamp.parse().ok().ok_or(NO_TIME)?;
    let signature = base64(&message.signature).ok_or(NO_PROOF)?;
    let algorithm: &'static dyn VerificationAlgorithm = match &*message.signature_version {
        "1" => &RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY,
        "2" => &RSA_PKCS1_2048_8192_SHA256,
        _ => return Err(NO_PROOF),
    };
    // Before anything is fetched: an address is asked only for messages of topics that are meant.
    if !topics.iter().any(|topic| **topic == *message.topic_arn) {
        return Err(Denied::OtherTopic);
    }
    let is_own =
        message.is_own(&message.signing_cert_url, |path| path.ends_with(".pem") && path.strip_prefix('/').is_some_and(is_file_name));
    if !is_own {
        return Err(Denied::ForeignAddress);
    }
    let key = certificates.rsa_key(&message.signing_cert_url, sent.now).await?;
    let key = UnparsedPublicKey::new(algorithm, &key);
    key.verify(message.signed().as_bytes(), &signature).ok().ok_or(Denied::Mismatch)?;
    certificates.proven(&message.signing_cert_url);
    fresh(signed, Window::Both(WINDOW), sent.now)?;
    Ok(Once::new(message.message_id, signed, WINDOW))
}

impl Message {
    /// Reads a message.
    pub(in crate::intake) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// Where a topic is told that it may send here, if that is a place of AWS.
    pub(in crate::intake) fn confirmation(&self) -> Option<&str> {
        let url = self.subscribe_url.as_deref()?;
        self.is_own(url, |path| path.starts_with("/?Action=ConfirmSubscription&")).then_some(url)
    }

    /// The topic, for the log.
    pub(in crate::intake) fn topic(&self) -> &str {
        &self.topic_arn
    }

    /// Whether a URL is one of SNS in the topic's region.
    fn is_own(&self, url: &str, path: impl Fn(&str) -> bool) -> bool {
        let mut parts = self.topic_arn.split(':');
        let (Some(partition), Some(region)) = (parts.nth(1), parts.nth(1)) else { return false };
        let suffix = if partition == "aws-cn" { ".cn" } else { "" };
        let own = format!("sns.{region}.amazonaws.com{suffix}");
        let is_region = !region.is_empty() && region.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        is_region && place(url).is_some_and(|(host, at)| host == own && path(&at))
    }

    /// Name and value of each signed field, a line each, in the order of the names.
    fn signed(&self) -> String {
        let asks = self.kind != MessageKind::Notification;
        let fields = [
            ("Message", Some(&self.message)),
            ("MessageId", Some(&self.message_id)),
            ("Subject", self.subject.as_ref().filter(|_| !asks)),
            ("SubscribeURL", self.subscribe_url.as_ref().filter(|_| asks)),
            ("Timestamp", Some(&self.timestamp)),
            ("Token", self.token.as_ref().filter(|_| asks)),
            ("TopicArn", Some(&self.topic_arn)),
        ];
        let kind = match self.kind {
            MessageKind::Notification => "Notification",
            MessageKind::SubscriptionConfirmation => "SubscriptionConfirmation",
            MessageKind::UnsubscribeConfirmation => "UnsubscribeConfirmation",
        };
        let lines = fields.into_iter().filter_map(|(name, value)| Some(format!("{name}\n{}\n", value?)));
        lines.chain([format!("Type\n{kind}\n")]).collect()
    }
}
