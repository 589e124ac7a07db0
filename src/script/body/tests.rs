use proptest::prelude::*;
use serde_json::json;

use super::super::event::{body_value, check_body};
use super::*;
use crate::domain::Value;
use crate::domain::event::Event;

fn read_as(content_type: &str, body: &[u8]) -> Result<Value, BadBody> {
    let head = super::super::tests::event(content_type, "").head;
    let event = Event::new(head, body.to_vec().into());
    check_body(&event, crate::script::Uses::ALL).map(|()| body_value(&event).unwrap())
}

fn check(content_type: &str, body: impl AsRef<[u8]>, expected: Value) {
    assert_eq!(read_as(content_type, body.as_ref()), Ok(expected), "{content_type}: {:?}", String::from_utf8_lossy(body.as_ref()));
}

fn check_bad(content_type: &str, body: impl AsRef<[u8]>, words: &str) {
    let error = read_as(content_type, body.as_ref()).unwrap_err().to_string();
    assert!(error.contains(words), "{content_type}: {error}");
}

const JSON: &str = "application/json";

fn utf_16(text: &str, big: bool) -> Vec<u8> {
    text.encode_utf16().flat_map(|unit| if big { unit.to_be_bytes() } else { unit.to_le_bytes() }).collect()
}

#[test]
fn json_is_read_in_every_charset_it_may_come_in() {
    let text = r#"{"a":"é€"}"#;
    let value = json!({"a": "é€"});
    check(JSON, text, value.clone());
    check(JSON, format!("\u{feff}{text}"), value.clone());
    check("", format!("\u{feff}{text}"), value.clone());
    check(JSON, utf_16(text, true), value.clone());
    check(JSON, utf_16(text, false), value.clone());
    check(JSON, utf_16(&format!("\u{feff}{text}"), true), value.clone());
    check("application/json; charset=utf-16", utf_16(&format!("\u{feff}{text}"), false), value.clone());
    // Valid UTF-8 is UTF-8 whatever is said of it; only other bytes are what `charset` says.
    check("application/json; charset=iso-8859-1", text, value);
    check("application/json; charset=\"ISO-8859-1\"", b"{\"a\":\"\xe9\"}", json!({"a": "é"}));
    check_bad(JSON, b"{\"a\":\"\xe9\"}", "not JSON: the byte at 6 is not UTF-8");
    check_bad("application/json; charset=klingon", b"{\"a\":\"\xe9\"}", "charset `klingon` is not known");
    check_bad(JSON, b"\0\0\0{\0\0\0}", "UTF-32");
    check_bad(JSON, [utf_16("[1", false), vec![0]].concat(), "not UTF-16LE");
    check("text/json", "[1]", json!([1]));
    check("application/vnd.api+json", "[1]", json!([1]));
}

#[test]
fn json_is_bounded_in_depth() {
    let deep = |n| format!("{}{}", "[".repeat(n), "]".repeat(n));
    assert!(read_as(JSON, deep(127).as_bytes()).is_ok());
    check_bad(JSON, deep(200), "nested deeper than 128, the limit, at line 1 column");
}

#[test]
fn xml_is_a_map_of_its_root() {
    check("text/xml", "<a><b x='1'>é</b></a>", json!({"a": {"b": {"@x": "1", "#text": "é"}}}));
    check("application/soap+xml; charset=utf-8", "<a/>", json!({"a": ""}));
    check("application/xml", "\u{feff}<a>é</a>", json!({"a": "é"}));
    check("application/xml", b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>", json!({"a": "é"}));
    check("application/xml; charset=windows-1252", b"<a>\x80</a>", json!({"a": "€"}));
    check("application/xml", utf_16("\u{feff}<a>é</a>", true), json!({"a": "é"}));
    check("application/xml", utf_16("<a>é</a>", false), json!({"a": "é"}));
    check_bad("application/xml", b"<a>\xe9</a>", "not XML: the byte at 3 is not UTF-8");
    check_bad("application/xml", "<a>", "not XML: the document ends before `</a>`");
    check_bad("application/xml", "<?xml version='1.0' encoding='x-nothing'?><a/>", "charset `x-nothing` is not known");
    check_bad("text/xml", "<!DOCTYPE a [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><a>&e;</a>", "`<!DOCTYPE`) is not read");
    // Pages and pictures are no data.
    check("application/xhtml+xml", "<!DOCTYPE html><html/>", json!("<!DOCTYPE html><html/>"));
    check("image/svg+xml", "<!DOCTYPE svg><svg/>", json!(null));
}

#[test]
fn forms_and_texts_are_read_in_their_charset() {
    let form = "application/x-www-form-urlencoded";
    check(form, "a=%C3%A9&b=x+y&b=2&c", json!({"a": "é", "b": ["x y", "2"], "c": ""}));
    check(&format!("{form}; charset=iso-8859-1"), "a=%E9+%zz&&b", json!({"a": "é %zz", "b": ""}));
    check_bad(&format!("{form}; charset=nope"), "a=1", "charset `nope`");
    check_bad(form, "&".repeat(FIELDS), "the limit is 10000");
    check("text/plain; charset=iso-8859-1", b"\xe9", json!("é"));
    check("text/plain", b"\xef\xbb\xbfhi \xff", json!("hi \u{fffd}"));
    check_bad("text/csv; charset=nope", b"x", "charset `nope`");
}

#[test]
fn a_cloud_event_is_its_data() {
    let cloud = "application/cloudevents+json; charset=utf-8";
    check(cloud, r#"{"id":"1","data":{"a":1}}"#, json!({"a": 1}));
    check(cloud, r#"{"id":"1"}"#, json!(null));
    check(cloud, r#"{"data":"text"}"#, json!("text"));
    check(cloud, r#"{"datacontenttype":"text/plain","data":"é"}"#, json!("é"));
    check(cloud, r#"{"datacontenttype":"text/plain; charset=iso-8859-1","data":"é"}"#, json!("é"));
    check(cloud, r#"{"datacontenttype":"application/xml","data":"<a>é</a>"}"#, json!({"a": "é"}));
    check(cloud, r#"{"datacontenttype":"application/x-www-form-urlencoded","data":"a=1"}"#, json!({"a": "1"}));
    check(cloud, r#"{"datacontenttype":"application/octet-stream","data":"x"}"#, json!("x"));
    check(cloud, r#"{"data_base64":"eyJhIjoxfQ==","datacontenttype":"application/json"}"#, json!({"a": 1}));
    check(cloud, r#"{"data_base64":"/w==","datacontenttype":"image/png"}"#, json!(null));
    check_bad(cloud, "[]", "a CloudEvent is a map");
    check_bad(cloud, "{", "not JSON");
    check_bad(cloud, r#"{"data_base64":"?"}"#, "`data_base64` is not Base64");
    check_bad(cloud, r#"{"datacontenttype":"application/cloudevents+json","data_base64":"e30="}"#, "inside a CloudEvent");
    check_bad(cloud, r#"{"datacontenttype":"text/xml","data":"<a>"}"#, "not XML");
}

const KINDS: [&str; 9] = [
    "",
    JSON,
    "text/xml",
    "application/xml; charset=utf-16",
    "application/x-www-form-urlencoded",
    "application/x-www-form-urlencoded; charset=shift_jis",
    "application/cloudevents+json",
    "text/plain; charset=gb18030",
    "application/octet-stream",
];

proptest! {
    #[test]
    fn no_bytes_make_it_panic(kind in proptest::sample::select(&KINDS), body in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(read_as(kind, &body));
    }

    #[test]
    fn nothing_like_a_body_makes_it_panic(kind in proptest::sample::select(&KINDS), body in r#"[\[\]{}:,"<>/&=%+a1é\\ ]{0,40}|\{"data(_base64)?":("[ -~]*"|[0-9]+)\}"#) {
        drop(read_as(kind, body.as_bytes()));
    }

    #[test]
    fn json_is_the_same_in_each_charset(text in "\\PC{1,20}") {
        let json = json!({"a": text}).to_string();
        let expected = read_as(JSON, json.as_bytes());
        for big in [true, false] {
            prop_assert_eq!(&read_as(JSON, &utf_16(&json, big)), &expected);
        }
    }
}
