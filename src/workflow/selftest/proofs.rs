//! What proves who the sender is, where a service puts it into the body: masked before a delivery is saved for tests. The services are
//! known by the shape of what they send, so that a hook which verifies in another way, or is gone, leaves nothing in the open.

use std::borrow::Cow;

use crate::domain::Value;
use crate::domain::secret::{MASK, Secrets};

/// What has all of some keys has a proof under others.
struct Shape {
    has: &'static [&'static str],
    proofs: &'static [&'static str],
}

const SHAPES: [Shape; 6] = [
    // Amazon SNS. Whoever has the last three may subscribe and unsubscribe.
    Shape { has: &["Type", "TopicArn", "Signature"], proofs: &["Signature", "SigningCertURL", "UnsubscribeURL", "SubscribeURL", "Token"] },
    // Mailgun: `signature` of an event, or an inbound mail.
    Shape { has: &["timestamp", "token", "signature"], proofs: &["token", "signature"] },
    // Slack's verification token: events, commands, what somebody clicked.
    Shape { has: &["token", "api_app_id"], proofs: &["token"] },
    Shape { has: &["token", "team_id"], proofs: &["token"] },
    Shape { has: &["token", "team"], proofs: &["token"] },
    // Discord: whoever has it may answer for the application.
    Shape { has: &["token", "application_id"], proofs: &["token"] },
];
/// Where a service keeps a map of proofs of its own.
const NESTED: &str = "signature";
/// The field of a form in which Slack sends JSON.
const PAYLOAD: &str = "payload";

fn proofs(has: impl Fn(&str) -> bool) -> impl Iterator<Item = &'static str> {
    SHAPES.iter().filter(move |shape| shape.has.iter().all(|key| has(key))).flat_map(|shape| shape.proofs.iter().copied())
}

/// Masks what is in JSON; says whether there was any.
pub(super) fn mask_json(body: &mut Value) -> bool {
    let Some(map) = body.as_object_mut() else { return false };
    let found: Vec<&str> = proofs(|key| map.contains_key(key)).filter(|key| map.contains_key(*key)).collect();
    for key in &found {
        map.insert((*key).to_owned(), MASK.into());
    }
    let is_nested = map.get_mut(NESTED).is_some_and(mask_json);
    is_nested || !found.is_empty()
}

/// A form, `application/x-www-form-urlencoded`, with that masked, and with it the secrets that its fields hold. What needs no mask is as it was.
pub(super) fn masked_form(text: &str, secrets: &Secrets) -> String {
    let fields: Vec<(Cow<'_, str>, Cow<'_, str>)> = form_urlencoded::parse(text.as_bytes()).collect();
    let found: Vec<&str> = proofs(|key| fields.iter().any(|(name, _)| name == key)).collect();
    let masked = |pair: &str| -> Option<String> {
        let (written, _) = pair.split_once('=')?;
        let (name, value) = form_urlencoded::parse(pair.as_bytes()).next()?;
        if found.contains(&&*name) {
            return Some(format!("{written}={MASK}"));
        }
        let mut new = secrets.masked_encoded(&value);
        secrets.mask_text(&mut new);
        if name == PAYLOAD {
            new = masked_text(&new).unwrap_or(new);
        }
        (new != *value).then(|| format!("{written}={}", form_urlencoded::byte_serialize(new.as_bytes()).collect::<String>()))
    };
    let pairs: Vec<Cow<'_, str>> = text.split('&').map(|pair| masked(pair).map_or(Cow::Borrowed(pair), Cow::Owned)).collect();
    pairs.join("&")
}

/// A text that is JSON with a proof in it, masked; nothing where it is not.
pub(super) fn masked_text(text: &str) -> Option<String> {
    let mut value = serde_json::from_str::<Value>(text).ok()?;
    mask_json(&mut value).then(|| value.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(mut body: Value, expected: &Value) {
        let before = body.clone();
        assert_eq!(mask_json(&mut body), body != before, "{before}");
        assert_eq!(&body, expected);
    }

    #[test]
    fn proofs_in_json_are_masked() {
        let sns = |signature: &str, url: &str| json!({"Type": "Notification", "TopicArn": "arn:1", "Message": "m", "Signature": signature, "SigningCertURL": url, "UnsubscribeURL": url});
        check(sns("AAAA", "https://sns.test/a"), &sns("***", "***"));
        let mailgun = |token: &str, signature: &str| json!({"signature": {"timestamp": "1", "token": token, "signature": signature}, "event-data": {"event": "opened", "token": "t"}});
        check(mailgun("t", "s"), &mailgun("***", "***"));
        check(
            json!({"token": "t", "team_id": "T", "event": {"token": "own"}}),
            &json!({"token": "***", "team_id": "T", "event": {"token": "own"}}),
        );
        check(
            json!({"token": "t", "team": null, "type": "block_actions"}),
            &json!({"token": "***", "team": null, "type": "block_actions"}),
        );
        check(json!({"token": "t", "application_id": "1"}), &json!({"token": "***", "application_id": "1"}));
    }

    #[test]
    fn what_proves_nothing_is_left() {
        for body in
            [json!({"token": "device", "signature": "Ada"}), json!({"Signature": "x"}), json!([{"token": 1}]), json!("token"), json!(null)]
        {
            check(body.clone(), &body);
        }
    }

    #[test]
    fn proofs_in_forms_are_masked_and_the_rest_is_as_it_came() {
        let secrets = Secrets::of("hun ter&22");
        let check = |form: &str, expected: &str| assert_eq!(masked_form(form, &secrets), expected, "{form}");
        check("token=gIkuvaNzQIHg&team_id=T1&text=a%20b+c", "token=***&team_id=T1&text=a%20b+c");
        check("subject=A%2Bb&%74oken=x&timestamp=1&signature=y", "subject=A%2Bb&%74oken=***&timestamp=1&signature=***");
        check("token=device&a=b&&c", "token=device&a=b&&c");
        check("note=say+hun+ter%2622&b=1", "note=say+***&b=1");
        check("auth=dTpodW4gdGVyJjIy", "auth=dToqKio%3D");
        check("payload=%7B%22token%22%3A%22t%22%2C%22team%22%3A1%7D&b=1", "payload=%7B%22team%22%3A1%2C%22token%22%3A%22***%22%7D&b=1");
        check("", "");
    }
}
