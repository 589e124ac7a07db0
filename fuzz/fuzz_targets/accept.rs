//! Whatever is asked for, one of the offers is answered. Each line of an input is an `Accept` of its own.
#![no_main]

use hence::web::accept::best;
use http::{HeaderMap, HeaderValue, header};
use libfuzzer_sys::fuzz_target;

const OFFERS: [&str; 3] = ["application/json", "application/xml", "text/xml"];

fuzz_target!(|input: &[u8]| {
    let mut headers = HeaderMap::new();
    for accept in input.split(|byte| *byte == b'\n').take(8) {
        if let Ok(value) = HeaderValue::from_bytes(accept) {
            headers.append(header::ACCEPT, value);
        }
    }
    assert!(OFFERS.contains(&best(&headers, &OFFERS)));
});
