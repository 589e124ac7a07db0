//! What is remembered of a refusal: what the sender was told, without a word of what was sent.

use super::Refusal;
use super::refusal::first_of;
use crate::workflow::body_schema::Mismatch;

/// What is said of a body that cannot be read.
const UNREADABLE: [&str; 2] = ["the body is not JSON", "the body is not XML"];
/// The attributes that CloudEvents themselves define (version 1.0, section 3.1).
const ATTRIBUTES: [&str; 9] = ["id", "source", "type", "specversion", "subject", "time", "datacontenttype", "dataschema", "data_base64"];

impl Refusal {
    /// What the door remembers and the log is told; nothing of body, headers and query.
    #[must_use]
    pub fn remembered(&self) -> String {
        match self {
            Self::NoFormBody(_) => "the content type is not that of a form".to_owned(),
            Self::Unreadable(why) => unreadable(why),
            Self::DoesNotFit(mismatches) => {
                format!("the body does not fit the schema: {}", first_of(mismatches, |mismatch: &Mismatch| mismatch.remembered.clone()))
            }
            Self::BadCloudEvent(why) => format!("this is not a CloudEvent: {}", cloud_event(why)),
            Self::Unsupported(why) => unsupported(why).to_owned(),
            Self::NoHook(_)
            | Self::NoForm(_)
            | Self::NoWorkflow(_)
            | Self::NotManual(_)
            | Self::Method { .. }
            | Self::Unverified { .. }
            | Self::Unfetched(_)
            | Self::Elsewhere(_)
            | Self::TooOften { .. }
            | Self::Crowded
            | Self::SlowBody(_)
            | Self::TooLarge { .. }
            | Self::LargeBatch(_)
            | Self::BrokenBody(_)
            | Self::NoRun(_)
            | Self::RunOpen(_)
            | Self::NoEvent(..)
            | Self::BadWorkflow(_)
            | Self::NotMatched(_)
            | Self::NoStep(_)
            | Self::NotReusable(_)
            | Self::NoQuestion
            | Self::Store(_) => self.to_string(),
        }
    }
}

/// What it should be, and where it is not: the rest may quote the body.
fn unreadable(why: &str) -> String {
    let what = UNREADABLE.into_iter().find(|what| why.starts_with(what)).unwrap_or("the body is not what its content type says");
    match place(why) {
        Some((line, column)) => format!("{what}: line {line}, column {column}"),
        None => what.to_owned(),
    }
}

/// `1` and `7` of a text that ends with `at line 1 column 7`.
fn place(why: &str) -> Option<(u64, u64)> {
    let (line, column) = why.rsplit_once(" at line ")?.1.split_once(" column ")?;
    Some((line.parse().ok()?, column.parse().ok()?))
}

fn cloud_event(why: &str) -> String {
    match ATTRIBUTES.into_iter().find(|name| why.contains(&format!("the attribute `{name}` "))) {
        Some(name) if why.ends_with(" is missing") => format!("the attribute `{name}` is missing"),
        Some(name) => format!("the attribute `{name}` is not as CloudEvents 1.0 have it"),
        None => "it is not as CloudEvents 1.0 are".to_owned(),
    }
}

fn unsupported(why: &str) -> &'static str {
    if why.starts_with("the body is compressed") {
        "the body is compressed, and is not unpacked here"
    } else if why.starts_with("the charset") {
        "the charset of the body is not known here"
    } else {
        "the body is written in a way that is not known here"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_sent_is_remembered() {
        let check = |refusal: Refusal, expected: &str| {
            assert_eq!(refusal.remembered(), expected);
            assert!(!refusal.remembered().contains("hunter2"));
        };
        let unreadable = |why: &str| Refusal::Unreadable(why.to_owned());
        check(unreadable("the body is not JSON: expected value at line 1 column 7"), "the body is not JSON: line 1, column 7");
        check(unreadable("the body is not XML: `hunter2` ends at line 2 column 3"), "the body is not XML: line 2, column 3");
        check(unreadable("the body is not XML: hunter2 at line hunter2 column 3"), "the body is not XML");
        check(unreadable("a part of it is called hunter2"), "the body is not what its content type says");
        check(Refusal::NoFormBody("hunter2".to_owned()), "the content type is not that of a form");
        let event = |why: &str| Refusal::BadCloudEvent(why.to_owned());
        check(
            event("event 3 of the batch: the attribute `source` is missing"),
            "this is not a CloudEvent: the attribute `source` is missing",
        );
        check(
            event("the attribute `time` is `hunter2`"),
            "this is not a CloudEvent: the attribute `time` is not as CloudEvents 1.0 have it",
        );
        check(event("the attribute `hunter2` is missing"), "this is not a CloudEvent: it is not as CloudEvents 1.0 are");
        let unsupported = |why: &str| Refusal::Unsupported(why.to_owned());
        check(unsupported("the body is compressed (`hunter2`), and"), "the body is compressed, and is not unpacked here");
        check(unsupported("the charset `hunter2` is not known here"), "the charset of the body is not known here");
        check(unsupported("hunter2"), "the body is written in a way that is not known here");
        let mismatch = Mismatch { path: "/hunter2".into(), message: "is missing".into(), remembered: "/* is missing".into() };
        check(
            Refusal::DoesNotFit(vec![mismatch; 5]),
            "the body does not fit the schema: /* is missing; /* is missing; /* is missing; and 2 more",
        );
    }
}
