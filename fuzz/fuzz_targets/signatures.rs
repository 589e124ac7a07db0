//! Nobody is believed who has not signed, whatever the headers say, and no header stops its reader.
//!
//! An input is a line with the scheme, lines of headers, an empty line, and the body. Every scheme has one message that was signed for
//! it; where the body is signed as it stands, no other body may be believed.
#![no_main]

mod schemes;

use bytes::Bytes;
use futures_util::FutureExt;
use hence::domain::time::Timestamp;
use hence::intake::verify::Sent;
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use schemes::{BODY, Case, NOW_S, World};

/// As sent. Schemes that sign the URL sign this one.
const TARGET: &str = "/hooks/a?b=c";

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let at = line.iter().position(|byte| *byte == b':')?;
    let value = line.get(at + 1..)?;
    let value = value.strip_prefix(b" ").unwrap_or(value);
    Some((HeaderName::from_bytes(line.get(..at)?).ok()?, HeaderValue::from_bytes(value).ok()?))
}

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at(end);
        rest = &after[1..];
        Some(line)
    };
    let World { verifier, cases } = schemes::world();
    let Some(Case { name, verify, signs_body }) = line().and_then(|line| cases.iter().find(|case| case.name.as_bytes() == line)) else {
        return;
    };
    let mut headers = HeaderMap::new();
    loop {
        match line() {
            None => return,
            Some([]) => break,
            Some(line) => drop(header(line).map(|(name, value)| headers.append(name, value))),
        }
    }
    let body = Bytes::copy_from_slice(rest);
    let sent = Sent { method: "POST", target: TARGET, headers: &headers, body: &body, now: Timestamp(NOW_S * 1_000) };
    let found = verifier.verify(verify, &sent).now_or_never().expect("nothing is waited for");
    if let Err(denied) = &found {
        assert!(!denied.to_string().is_empty());
    }
    assert!(found.is_err() || !signs_body || *body == *BODY, "{name} believed a body that was not signed: {headers:?} {body:?}");
});
