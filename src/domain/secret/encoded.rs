//! Secrets that stand in a text in Base64, alone or with something around them: `dXNlcjpodW50ZXIyMg==` is `user:hunter22`.

use base64::Engine as _;
use base64::alphabet::{Alphabet, STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::super::Value;
use super::{MASK, Secrets};

/// Shorter texts hold no secret that is looked for.
const SHORTEST_RUN_BYTES: usize = 8;

const fn code(alphabet: &Alphabet, is_padded: bool) -> GeneralPurpose {
    let config = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    GeneralPurpose::new(alphabet, config.with_decode_allow_trailing_bits(true).with_encode_padding(is_padded))
}

/// RFC 4648, sections 4 and 5.
const PADDED: GeneralPurpose = code(&STANDARD, true);
const BARE: GeneralPurpose = code(&STANDARD, false);
const URL_PADDED: GeneralPurpose = code(&URL_SAFE, true);
const URL_BARE: GeneralPurpose = code(&URL_SAFE, false);

impl Secrets {
    /// Replaces every secret that stands in Base64 in a text of a value, keys included. What is Base64 as a whole stays so: what is
    /// behind it has the mask in the secret's place.
    pub fn mask_encoded(&self, value: &mut Value) {
        let wanted = Wanted::of(self);
        if !wanted.secrets.is_empty() {
            wanted.mask(value);
        }
    }

    /// The same for one text.
    #[must_use]
    pub fn masked_encoded(&self, text: &str) -> String {
        let wanted = Wanted::of(self);
        if wanted.secrets.is_empty() { text.to_owned() } else { wanted.masked(text) }
    }
}

/// What is looked for.
struct Wanted<'s> {
    secrets: Vec<&'s [u8]>,
    /// What of each secret's Base64 is the same whatever stands around it.
    cores: Vec<String>,
}

impl<'s> Wanted<'s> {
    fn of(secrets: &'s Secrets) -> Self {
        let secrets: Vec<&[u8]> = secrets.masked().map(str::as_bytes).collect();
        let cores = secrets.iter().flat_map(|secret| [&BARE, &URL_BARE].into_iter().flat_map(|code| cores(code, secret))).collect();
        Self { secrets, cores }
    }

    fn mask(&self, value: &mut Value) {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) => *text = self.masked(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.mask(item)),
            Value::Object(map) => {
                *map = std::mem::take(map)
                    .into_iter()
                    .map(|(key, mut item)| {
                        self.mask(&mut item);
                        (self.masked(&key), item)
                    })
                    .collect();
            }
        }
    }

    fn masked(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while !rest.is_empty() {
            let (before, after) = rest.split_at(rest.find(is_digit).unwrap_or(rest.len()));
            let (run, after) = after.split_at(after.find(|c| !is_digit(c)).unwrap_or(after.len()));
            let (padding, after) = after.split_at(after.bytes().take(2).take_while(|byte| *byte == b'=').count());
            out.push_str(before);
            match self.masked_run(run, padding) {
                Some(masked) => out.push_str(&masked),
                None => out.extend([run, padding]),
            }
            rest = after;
        }
        out
    }

    /// Digits of Base64 with the secrets in it masked; nothing where there are none.
    fn masked_run(&self, run: &str, padding: &str) -> Option<String> {
        if run.len() < SHORTEST_RUN_BYTES {
            return None;
        }
        // Of whole groups of digits nobody can tell whether they would be padded; most are, but for those in addresses and tokens.
        let code = match (run.contains(['-', '_']), padding.is_empty()) {
            (false, true) if !run.len().is_multiple_of(4) => &BARE,
            (false, _) => &PADDED,
            (true, false) => &URL_PADDED,
            (true, true) => &URL_BARE,
        };
        if let Ok(mut bytes) = code.decode(run) {
            let found: Vec<bool> = self.secrets.iter().map(|secret| replace(&mut bytes, secret)).collect();
            if found.contains(&true) {
                return Some(code.encode(bytes));
            }
        }
        // It may begin within the run, as after `/` in a path.
        let mut masked = run.to_owned();
        for core in self.cores.iter().filter(|core| run.contains(&***core)) {
            masked = masked.replace(core, MASK);
        }
        (masked != run).then(|| masked + padding)
    }
}

fn is_digit(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_')
}

/// The digits that a secret alone decides, for each of the three places at which it may begin.
fn cores<'s>(code: &'s GeneralPurpose, secret: &'s [u8]) -> impl Iterator<Item = String> + 's {
    (0..3_usize).map(move |before| {
        let bytes: Vec<u8> = std::iter::repeat_n(0, before).chain(secret.iter().copied()).collect();
        let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
        code.encode(&bytes).chars().take(end).skip(first).collect()
    })
}

/// Replaces all there is of a secret; says whether there was any.
fn replace(bytes: &mut Vec<u8>, secret: &[u8]) -> bool {
    let mut out = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((before, after)) =
        rest.windows(secret.len()).position(|window| window == secret).and_then(|at| rest.split_at_checked(at))
    {
        out.extend_from_slice(before);
        out.extend_from_slice(MASK.as_bytes());
        rest = after.get(secret.len()..).unwrap_or_default();
    }
    let is_found = rest.len() < bytes.len();
    if is_found {
        out.extend_from_slice(rest);
        *bytes = out;
    }
    is_found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde_json::json;

    use super::super::Secret;
    use super::*;

    fn secrets() -> Secrets {
        let secret = |name: &str, value: &str| (name.to_owned(), Secret::new(value));
        Secrets::new(BTreeMap::from([secret("A", "hunter22"), secret("B", "gr¿öße?"), secret("SHORT", "abc")]))
    }

    fn check(text: &str, expected: &str) {
        assert_eq!(secrets().masked_encoded(text), expected, "{text}");
    }

    #[test]
    fn what_is_base64_stays_so_with_the_mask_in_it() {
        for code in [&PADDED, &BARE, &URL_PADDED, &URL_BARE] {
            for (before, after) in [("", ""), ("user:", ""), ("a", "b"), ("{\"key\": \"", "\"}"), ("hunter22 ", " gr¿öße?")] {
                for secret in ["hunter22", "gr¿öße?"] {
                    let text = format!("Basic {}, x", code.encode(format!("{before}{secret}{after}")));
                    let masked = secrets().masked_encoded(&text);
                    let digits = masked.strip_prefix("Basic ").unwrap().strip_suffix(", x").unwrap();
                    let expected = format!("{before}{MASK}{after}").replace("hunter22", MASK).replace("gr¿öße?", MASK);
                    assert_eq!(code.decode(digits).unwrap(), expected.as_bytes(), "{text}: {masked}");
                }
            }
        }
    }

    #[test]
    fn the_digits_are_those_that_were_used() {
        check("Pz8-aHVudGVyMjI", "Pz8-Kioq");
        check("Pz8-aHVudGVyMjI=", "Pz8-Kioq");
        check("Pz8+aHVudGVyMjI=", "Pz8+Kioq");
        check("dXNlcjpodW50ZXIyMg==", "dXNlcjoqKio=");
        check("dXNlcjpodW50ZXIyMg", "dXNlcjoqKio");
    }

    #[test]
    fn within_other_digits_only_the_secret_goes() {
        // The path's `/` is a digit of Base64, too.
        check("/token/x/aHVudGVyMjI", "/token/x/***I");
        check("aHVudGVyMjI.aHVudGVyMjI=", "Kioq.Kioq");
        check("abcd-efg/aHVudGVyMjI=", "abcd-efg/***I=");
    }

    #[test]
    fn what_holds_no_secret_is_left_as_it_is() {
        for text in
            ["", "=", "==a", "hunter2", "YWJj", "YWJjYWJjYWJj", "plain words, and Größe", "aHVudGVyM", "////////", "dXNlcjpwYXNzd29yZA=="]
        {
            check(text, text);
        }
        assert_eq!(Secrets::default().masked_encoded("aHVudGVyMjI="), "aHVudGVyMjI=");
    }

    #[test]
    fn values_are_masked_in_depth_and_in_keys() {
        let mut value = json!({"a": [{"b": "aHVudGVyMjI="}, 1, null], "aHVudGVyMjI=": true});
        secrets().mask_encoded(&mut value);
        assert_eq!(value, json!({"a": [{"b": "Kioq"}, 1, null], "Kioq": true}));
    }

    proptest! {
        #[test]
        fn a_secret_is_found_wherever_it_begins(before in prop::collection::vec(any::<u8>(), 0..9), after in prop::collection::vec(any::<u8>(), 0..9), joined in "[a-z/]{0,5}") {
            let bytes = [&before[..], b"hunter22", &after[..]].concat();
            for code in [&BARE, &URL_BARE] {
                let text = format!("{joined}{}", code.encode(&bytes));
                let masked = secrets().masked_encoded(&text);
                prop_assert_ne!(&masked, &text);
            }
        }
    }
}
