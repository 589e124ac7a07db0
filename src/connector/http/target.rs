//! The URL that is called, and the part of it that may be shown.

use reqwest::Url;

use super::input::{bad, given, map, pairs, text};
use crate::domain::Map;
use crate::domain::failure::Failure;

/// The URL of a call: absolute, or below the connection's `base_url`, with `query` added.
pub(super) fn url(with: &Map, connection: &Map) -> Result<Url, Failure> {
    let written = text("`with`", with, "url")?;
    let base = given(connection, "base_url").map(|_| text("the connection", connection, "base_url").and_then(|base| read_base(&base)));
    let mut url = match (is_absolute(&written), base) {
        (true, None) => parse(&written)?,
        (true, Some(base)) => same_origin(parse(&written)?, &base?)?,
        (false, Some(base)) => below(&base?, &written)?,
        (false, None) => {
            return Err(bad(format!(
                "`url` is not a full URL: begin it with https:// or http://, or set `base_url` in the connection and name it with \
                 `using`{}",
                if written.contains("localhost") { " (as in `http://localhost:8080/`)" } else { "" }
            )));
        }
    };
    url.set_fragment(None);
    if let Some(query) = given(with, "query") {
        let pairs = pairs(map("`query`", query)?);
        if !pairs.is_empty() {
            url.query_pairs_mut().extend_pairs(pairs);
        }
    }
    Ok(url)
}

/// Scheme, host, port and path. Queries and user names may be secret and are left out.
pub(super) fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn is_absolute(written: &str) -> bool {
    written.trim_start().split_once("://").is_some_and(|(scheme, _)| scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)))
}

fn parse(written: &str) -> Result<Url, Failure> {
    let url = Url::parse(written).map_err(|why| bad(format!("`url` cannot be read: {why}")))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(bad("`url` has no host: expected a URL such as https://example.com/path"));
    }
    Ok(url)
}

fn read_base(written: &str) -> Result<Url, Failure> {
    let base = Url::parse(written).map_err(|why| bad(format!("the connection's `base_url` cannot be read: {why}")))?;
    if base.query().is_some() || base.fragment().is_some() {
        return Err(bad("the connection's `base_url` has a query or a fragment: it is a scheme, a host and a path"));
    }
    Ok(base)
}

/// The connection's credentials go with the call, so they must not go to a host that an event named.
fn same_origin(url: Url, base: &Url) -> Result<Url, Failure> {
    if url.origin() == base.origin() {
        return Ok(url);
    }
    Err(bad(format!(
        "`url` leads to {}, but the connection and its credentials are for {}: use a URL below it, or call without this connection",
        shown(&url),
        shown(base)
    )))
}

/// Appends, as people expect of a base: `https://api.example.com/v1` and `/users` are `/v1/users`.
fn below(base: &Url, relative: &str) -> Result<Url, Failure> {
    let root = base.as_str().trim_end_matches('/');
    let relative = relative.trim();
    let slash = if relative.is_empty() || relative.starts_with(['/', '?', '#']) { "" } else { "/" };
    let url = parse(&format!("{root}{slash}{relative}"))?;
    let base_path = base.path().trim_end_matches('/');
    let inside = url.path().strip_prefix(base_path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if url.origin() != base.origin() || !inside {
        return Err(bad(format!("`url` leads out of the connection's `base_url` {}: `..` is not allowed to", shown(base))));
    }
    Ok(url)
}
