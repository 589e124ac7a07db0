//! JSON to and from Rhai's values, without a detour.

use std::fmt;
use std::marker::PhantomData;

use rhai::{Dynamic, ImmutableString};
use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::domain::{Map, Value};

/// How deep lists and maps may be nested on the way out. On the way in the JSON reader has the same bound.
pub(super) const DEPTH: usize = 128;

/// Reads JSON text. The error says where: `… at line 1 column 7`.
pub(super) fn read(json: &[u8]) -> Result<Dynamic, String> {
    let mut input = serde_json::Deserializer::from_slice(json);
    let value = Read.deserialize(&mut input).map_err(|error| error.to_string())?;
    input.end().map_err(|error| error.to_string())?;
    Ok(value)
}

struct Read;

impl<'de> DeserializeSeed<'de> for Read {
    type Value = Dynamic;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Dynamic, D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Read {
    type Value = Dynamic;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Dynamic, E> {
        Ok(Dynamic::UNIT)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Dynamic, E> {
        Ok(whole(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Dynamic, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Dynamic, E> {
        Ok(Dynamic::from(ImmutableString::from(value)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut input: A) -> Result<Dynamic, A::Error> {
        let mut items = rhai::Array::new();
        while let Some(item) = input.next_element_seed(Read)? {
            items.push(item);
        }
        Ok(items.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut input: A) -> Result<Dynamic, A::Error> {
        let mut map = rhai::Map::new();
        while let Some(key) = input.next_key_seed(ReadKey(PhantomData))? {
            map.insert(key, input.next_value_seed(Read)?);
        }
        Ok(map.into())
    }
}

/// Reads a key as whatever text type Rhai's map has for keys, without a `String` in between.
struct ReadKey<K>(PhantomData<K>);

impl<'de, K: for<'t> From<&'t str>> DeserializeSeed<'de> for ReadKey<K> {
    type Value = K;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<K, D::Error> {
        input.deserialize_str(self)
    }
}

impl<K: for<'t> From<&'t str>> Visitor<'_> for ReadKey<K> {
    type Value = K;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a key")
    }

    fn visit_str<E>(self, value: &str) -> Result<K, E> {
        Ok(value.into())
    }
}

/// Whole numbers beyond what Rhai's integer holds become floats.
fn whole(value: u64) -> Dynamic {
    match i64::try_from(value) {
        Ok(value) => value.into(),
        Err(_) => as_float(value).into(),
    }
}

#[expect(clippy::cast_precision_loss, reason = "that is what a float of such a number is")]
fn as_float(value: u64) -> f64 {
    value as f64
}

/// A JSON value as Rhai's.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(value) => (*value).into(),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => value.into(),
            (None, Some(value)) => whole(value),
            (None, None) => number.as_f64().unwrap_or(0.0).into(),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => items.iter().map(to_dynamic).collect::<rhai::Array>().into(),
        Value::Object(map) => map_to_dynamic(map).into(),
    }
}

/// A JSON object as Rhai's map.
pub(super) fn map_to_dynamic(map: &Map) -> rhai::Map {
    map.iter().map(|(key, value)| (key.as_str().into(), to_dynamic(value))).collect()
}

/// Rhai's value as JSON. The error says what cannot be, in words.
pub(super) fn to_value(value: &Dynamic) -> Result<Value, String> {
    nested_value(value, 0)
}

fn nested_value(value: &Dynamic, depth: usize) -> Result<Value, String> {
    if DEPTH < depth {
        return Err(format!("lists and maps are nested deeper than {DEPTH}, the limit"));
    }
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.as_str().to_owned()));
    }
    if let Ok(map) = value.as_map_ref() {
        return map
            .iter()
            .map(|(key, value)| Ok((key.to_string(), nested_value(value, depth + 1)?)))
            .collect::<Result<Map, _>>()
            .map(Value::Object);
    }
    if let Ok(items) = value.as_array_ref() {
        return items.iter().map(|item| nested_value(item, depth + 1)).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Ok(blob) = value.as_blob_ref() {
        return Ok(Value::String(super::library::base64(&blob)));
    }
    scalar(value)
}

fn scalar(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(value) = value.as_int() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_bool() {
        return Ok(value.into());
    }
    if let Ok(value) = value.as_float() {
        return serde_json::Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("{value} is not a number that JSON knows"));
    }
    if let Ok(value) = value.as_char() {
        return Ok(Value::String(value.to_string()));
    }
    Err(format!("{} cannot be a value outside scripts; call it, or turn it into a text, list or map", kind(value)))
}

/// What a value is, with its article, for errors.
pub(super) fn kind(value: &Dynamic) -> String {
    match value.type_name() {
        "()" => "missing".to_owned(),
        "string" => "a text".to_owned(),
        "i64" | "f64" => format!("the number {value}"),
        "bool" => format!("`{value}`"),
        "array" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "Fn" => "a function".to_owned(),
        other if other.contains("Range") => "a range".to_owned(),
        other => format!("a {other}"),
    }
}

/// A value as a text with no type of its own: texts, numbers and bools. The error says what it was.
pub(super) fn to_text(value: &Dynamic) -> Result<String, String> {
    match to_value_of_text(value)? {
        Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

fn to_value_of_text(value: &Dynamic) -> Result<Value, String> {
    if let Ok(text) = value.as_immutable_string_ref() {
        return Ok(Value::String(text.as_str().to_owned()));
    }
    if value.is_map() || value.is_array() {
        return Err(format!("is {}, which is no text; use to_json(…) or join(…)", kind(value)));
    }
    scalar(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn check(text: &str, expected: &str) {
        let value = read(text.as_bytes()).and_then(|value| to_value(&value));
        assert_eq!(value.map(|value| value.to_string()), Ok(expected.to_owned()), "{text}");
    }

    #[test]
    fn numbers_keep_their_form() {
        check("[1,1.0,-0.5,0]", "[1,1.0,-0.5,0]");
        check("9223372036854775807", "9223372036854775807");
        check("-9223372036854775808", "-9223372036854775808");
        check("9223372036854775808", "9.223372036854776e+18");
        check("123456789012345678901234567890", "1.2345678901234568e+29");
    }

    #[test]
    fn the_last_of_two_equal_keys_counts() {
        check(r#"{"a":1,"a":2}"#, r#"{"a":2}"#);
    }

    #[test]
    fn an_error_says_where() {
        let error = read(b"{\n  \"a\": 1,\n}").unwrap_err();
        assert!(error.contains("line 3 column 1"), "{error}");
        assert!(read(b"1 2").is_err() && read(b"").is_err() && read(b"1e999").is_err() && read(b"\"\xff\"").is_err());
    }

    #[test]
    fn depth_is_bounded_both_ways() {
        let deep = |n| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(read(deep(127).as_bytes()).is_ok());
        assert!(read(deep(129).as_bytes()).unwrap_err().contains("recursion"));
        assert!(read(deep(100_000).as_bytes()).is_err());
        let out = (0..200).fold(Dynamic::UNIT, |inner, _| vec![inner].into());
        assert!(to_value(&out).unwrap_err().contains("128"));
    }

    #[test]
    fn what_has_no_json_form_is_named() {
        assert_eq!(to_value(&Dynamic::from(f64::NAN)).unwrap_err(), "NaN is not a number that JSON knows");
        assert!(to_value(&Dynamic::from(rhai::FnPtr::new("f").unwrap())).unwrap_err().starts_with("a function cannot be"));
        assert_eq!(to_value(&Dynamic::from('x')), Ok(json!("x")));
        assert_eq!(to_value(&Dynamic::from_blob(vec![0, 255])), Ok(json!("AP8=")));
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e15f64..1e15).prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map(".*", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_comes_out_as_it_went_in(value in any_json()) {
            prop_assert_eq!(to_value(&to_dynamic(&value)), Ok(value.clone()));
            let text = value.to_string();
            let back = read(text.as_bytes()).and_then(|read| to_value(&read)).map(|value| value.to_string());
            prop_assert_eq!(back, Ok(text));
        }
    }
}
