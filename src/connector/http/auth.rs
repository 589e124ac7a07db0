//! Credentials: bearer, basic, a header, or a query parameter.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use reqwest::Url;

use super::headers::{name, value};
use super::input::{bad, known_keys, map, text};
use crate::domain::Value;
use crate::domain::failure::Failure;

const KINDS: [&str; 4] = ["bearer", "basic", "header", "query"];

/// One credential, ready to be put into a request.
pub(super) enum Credential {
    Header(HeaderName, HeaderValue),
    Query(String, String),
}

impl Credential {
    pub(super) fn read(auth: &Value) -> Result<Self, Failure> {
        let auth = map("`auth`", auth)?;
        known_keys("`auth`", auth, &KINDS)?;
        let mut kinds = auth.iter();
        let (Some((kind, inner)), None) = (kinds.next(), kinds.next()) else {
            return Err(bad(format!("`auth` needs exactly one of {}", KINDS.join(", "))));
        };
        Ok(match kind.as_str() {
            "bearer" => {
                let token = text("`auth`", auth, "bearer")?;
                Self::Header(AUTHORIZATION, secret("`auth.bearer`", &format!("Bearer {}", token.trim()))?)
            }
            "basic" => {
                let basic = map("`auth.basic`", inner)?;
                known_keys("`auth.basic`", basic, &["user", "password"])?;
                let user = text("`auth.basic`", basic, "user")?;
                let password = if basic.contains_key("password") { text("`auth.basic`", basic, "password")? } else { "".into() };
                Self::basic(&user, &password)?
            }
            place => {
                let place = if place == "header" { "`auth.header`" } else { "`auth.query`" };
                let inner = map(place, inner)?;
                known_keys(place, inner, &["name", "value"])?;
                let (key, content) = (text(place, inner, "name")?, text(place, inner, "value")?);
                if kind == "query" {
                    Self::Query(key.into_owned(), content.into_owned())
                } else {
                    Self::Header(name(place, &key)?, secret(place, &content)?)
                }
            }
        })
    }

    /// User and password as RFC 7617 has them.
    pub(super) fn basic(user: &str, password: &str) -> Result<Self, Failure> {
        if user.contains(':') {
            return Err(bad("`auth.basic.user` has a colon in it: basic authentication cannot carry that"));
        }
        Ok(Self::Header(AUTHORIZATION, secret("`auth.basic`", &format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))?))
    }

    pub(super) fn put(self, url: &mut Url, headers: &mut HeaderMap) {
        match self {
            Self::Header(name, value) => {
                headers.insert(name, value);
            }
            Self::Query(name, value) => {
                url.query_pairs_mut().append_pair(&name, &value);
            }
        }
    }
}

fn secret(place: &str, text: &str) -> Result<HeaderValue, Failure> {
    let mut value = value(place, text)?;
    value.set_sensitive(true);
    Ok(value)
}
