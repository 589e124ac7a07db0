use http::{HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap())).collect()
}

fn structured(event: &Value) -> Result<Message, Refusal> {
    read(&HeaderMap::new(), "application/cloudevents+json; charset=UTF-8", &event.to_string().into())
}

fn binary(pairs: &[(&str, &str)]) -> Result<Message, Refusal> {
    read(&headers(pairs), "application/json", &Bytes::from_static(b"{}"))
}

fn event() -> Value {
    json!({"specversion": "1.0", "id": "1", "source": "/shop", "type": "order.paid", "data": {"n": 1}})
}

const BINARY: [(&str, &str); 4] = [("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/shop"), ("ce-type", "order.paid")];

fn with(name: &str, value: Value) -> Value {
    let mut event = event();
    event[name] = value;
    event
}

fn one(message: Result<Message, Refusal>) -> CloudEvent {
    match message.unwrap() {
        Message::One(event) => event,
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn an_event_as_json_has_its_attributes_and_the_body_as_it_came() {
    let mut sent = event();
    for (name, value) in
        [("time", json!("2026-03-01T09:00:00+01:00")), ("subject", json!("é 1")), ("tries", json!(2)), ("last", json!(true))]
    {
        sent[name] = value;
    }
    sent["unset"] = Value::Null;
    let read = one(structured(&sent));
    assert_eq!((read.text("id"), read.text("source"), read.text("type"), read.text("subject")), ("1", "/shop", "order.paid", "é 1"));
    assert_eq!((&read.attributes["tries"], &read.attributes["last"]), (&json!(2), &json!(true)));
    assert!(!read.attributes.contains_key("data") && !read.attributes.contains_key("unset"));
    assert_eq!(read.body, sent.to_string());
}

#[test]
fn an_event_in_headers_has_its_attributes_decoded() {
    let more = [("ce-subject", "Euro%20%E2%82%AC"), ("ce-quoted", "\"a \\\"b\\\"\""), ("ce-raw", "é"), ("x-ce-other", "1")];
    let read = one(binary(&[&BINARY[..], &more].concat()));
    assert_eq!((read.text("subject"), read.text("quoted"), read.text("raw")), ("Euro €", "a \"b\"", "é"));
    assert_eq!((read.attributes.len(), &*read.content_type), (8, "application/json"));
    assert_eq!(binary(&[]), Ok(Message::Plain));
    assert_eq!(binary(&[("ce-id", "1")]), Ok(Message::Plain));
}

#[test]
fn a_batch_is_several_events() {
    let sent = json!([event(), with("id", json!("2"))]);
    let read = read(&HeaderMap::new(), BATCH, &sent.to_string().into()).unwrap();
    let Message::Batch(events) = read else { unreachable!() };
    let found: Vec<_> =
        events.iter().map(|event| (event.text("id"), &*event.content_type, serde_json::from_slice(&event.body).unwrap())).collect();
    assert_eq!(found, [("1", CLOUD_EVENT, event()), ("2", CLOUD_EVENT, with("id", json!("2")))]);
}

fn check_bad(message: Result<Message, Refusal>, words: &str) {
    let error = message.unwrap_err();
    assert!(matches!(error, Refusal::BadCloudEvent(_)) && error.to_string().contains(words), "{words}: {error:?}");
}

#[test]
fn a_bad_event_is_refused_by_the_name_of_its_attribute() {
    for name in REQUIRED {
        let mut without = event();
        without.as_object_mut().unwrap().remove(name);
        check_bad(structured(&without), &format!("`{name}` is missing"));
        check_bad(structured(&with(name, json!(""))), &format!("`{name}` is empty"));
        check_bad(structured(&with(name, json!(1))), &format!("`{name}` is not a text"));
        check_bad(structured(&with(name, json!("a\u{7}"))), &format!("`{name}` holds a control character"));
        let rest: Vec<_> = BINARY.into_iter().filter(|(header, _)| header.strip_prefix(PREFIX) != Some(name)).collect();
        // Without `specversion` the three others say what is meant.
        check_bad(binary(&rest), &format!("`{name}` is missing"));
    }
    check_bad(structured(&with("specversion", json!("0.3"))), "`specversion` is `0.3`: this server reads 1.0");
    check_bad(structured(&with("time", json!("yesterday"))), "`time` is not an RFC 3339 time");
    check_bad(structured(&with("source", json!("a b"))), "`source` is not a URI");
    check_bad(structured(&with("datacontenttype", json!("json"))), "`datacontenttype` is not a content type");
    check_bad(structured(&with("dataVersion", json!("1"))), "`dataVersion` has no name that");
    check_bad(structured(&with("extra", json!({"a": 1}))), "`extra` is not a text");
    check_bad(structured(&with("extra", json!(3_000_000_000_u32))), "`extra` is 3000000000");
    check_bad(structured(&with("extra", json!("x".repeat(ATTRIBUTE_BYTES + 1)))), "`extra` has 4097 bytes");
    check_bad(structured(&with("data_base64", json!("e30="))), "not both");
    check_bad(structured(&json!([])), "a JSON map");
    check_bad(binary(&[&BINARY[..], &[("ce-subject", "%zz")]].concat()), "`subject` cannot be read");
    check_bad(binary(&[&BINARY[..], &[("ce-subject", "%ff")]].concat()), "`subject` cannot be read");
    check_bad(binary(&[&BINARY[..], &[("ce-my-name", "1")]].concat()), "`my-name` has no name that");
    let mut many = event();
    (0..ATTRIBUTES).for_each(|n| many[format!("x{n}")] = json!("1"));
    check_bad(structured(&many), "the limit is 64");
    let batch = |value: Value| read(&HeaderMap::new(), BATCH, &value.to_string().into());
    check_bad(batch(json!({})), "a JSON list");
    check_bad(batch(json!([event(), 1])), "event 1 of the batch is no map");
    check_bad(batch(json!([event(), with("id", json!(""))])), "event 1 of the batch: the attribute `id` is empty");
    check_bad(batch(json!(vec![1; BATCH_EVENTS + 1])), "the limit is 1000");
}

#[test]
fn other_forms_are_refused_as_unknown() {
    for kind in ["application/cloudevents+avro", "application/cloudevents-batch+xml", "application/cloudevents"] {
        assert!(matches!(read(&HeaderMap::new(), kind, &Bytes::new()), Err(Refusal::Unsupported(_))), "{kind}");
    }
    assert!(matches!(read(&HeaderMap::new(), CLOUD_EVENT, &Bytes::from_static(b"{")), Err(Refusal::Unreadable(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..200), batch in any::<bool>()) {
        drop(read(&HeaderMap::new(), if batch { BATCH } else { CLOUD_EVENT }, &body.into()));
    }

    #[test]
    fn no_header_makes_it_panic(name in "[a-z0-9-]{1,8}", value in proptest::collection::vec(32_u8..=255, 0..20)) {
        let mut headers = headers(&BINARY);
        let value = HeaderValue::from_bytes(&value);
        if let (Ok(name), Ok(value)) = (format!("ce-{name}").parse::<HeaderName>(), value) {
            headers.append(name, value);
        }
        drop(read(&headers, "", &Bytes::new()));
    }
}
