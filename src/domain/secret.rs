//! Secret values and how they are kept out of sight.

mod encoded;

use std::collections::BTreeMap;
use std::fmt;

use super::Value;

/// What stands in place of a secret wherever it would be shown.
pub const MASK: &str = "***";
/// Shorter values are not looked for in texts: they would mask half the alphabet.
const SHORTEST_MASKED_BYTES: usize = 6;

/// A secret value. Shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret with this value.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value, for those who must use it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(MASK)
    }
}

/// All secrets by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets(BTreeMap<String, Secret>);

impl Secrets {
    /// These secrets.
    #[must_use]
    pub fn new(values: BTreeMap<String, Secret>) -> Self {
        Self(values)
    }

    /// This one value, to mask it.
    #[must_use]
    pub fn of(value: &str) -> Self {
        Self(BTreeMap::from([(String::new(), Secret::new(value))]))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Names and values as a JSON object, for `secrets.NAME` in expressions.
    #[must_use]
    pub fn expose_all(&self) -> super::Map {
        self.0.iter().map(|(name, secret)| (name.clone(), Value::String(secret.0.clone()))).collect()
    }

    /// The longest first: one may be the beginning of another.
    fn masked(&self) -> impl Iterator<Item = &str> {
        let mut values: Vec<_> =
            self.0.values().map(|secret| secret.0.as_str()).filter(|value| SHORTEST_MASKED_BYTES <= value.len()).collect();
        values.sort_unstable_by_key(|value| std::cmp::Reverse(value.len()));
        values.into_iter()
    }

    /// Replaces every secret in a text.
    pub fn mask_text(&self, text: &mut String) {
        for secret in self.masked() {
            if text.contains(secret) {
                *text = text.replace(secret, MASK);
            }
        }
    }

    /// Replaces every secret in all texts of a value, keys included.
    pub fn mask_value(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => self.mask_text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask_value(item)),
            Value::Object(map) => {
                for item in map.values_mut() {
                    self.mask_value(item);
                }
                if map.keys().any(|key| self.masked().any(|secret| key.contains(secret))) {
                    *map = std::mem::take(map)
                        .into_iter()
                        .map(|(mut key, item)| {
                            self.mask_text(&mut key);
                            (key, item)
                        })
                        .collect();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_secret_is_masked_in_texts_keys_and_depth() {
        let secrets = Secrets::new(BTreeMap::from([("KEY".to_owned(), Secret::new("hunter22"))]));
        let mut value = json!({"a": ["say hunter22 twice: hunter22", 1], "hunter22": null});
        secrets.mask_value(&mut value);
        assert_eq!(value, json!({"a": ["say *** twice: ***", 1], "***": null}));
        let nested =
            Secrets::new(BTreeMap::from([("A".to_owned(), Secret::new("hunter22")), ("B".to_owned(), Secret::new("hunter22-extra"))]));
        let mut text = "hunter22-extra hunter22".to_owned();
        nested.mask_text(&mut text);
        assert_eq!(text, "*** ***");
        assert_eq!(format!("{secrets:?}"), r#"Secrets({"KEY": ***})"#);
    }
}
