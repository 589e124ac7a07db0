//! Time. It stands still during an evaluation: it is the time of the run's last recorded fact.

use std::time::Duration;

use super::super::ambient;
use super::{Function, Outcome, function, wrong};
use crate::domain::time::{BadTime, Timestamp, parse_duration};

pub(super) const FUNCTIONS: &[Function] = &[
    function("now", "now() -> text", "The time of the run's last recorded fact: RFC 3339, UTC.", |e, n| {
        e.register_fn(n, || ambient::now().to_string());
    }),
    function("now_ms", "now_ms() -> number", "The same, in Unix milliseconds.", |e, n| {
        e.register_fn(n, || ambient::now().0);
    }),
    function("to_ms", "to_ms(time) -> number", "An RFC 3339 time in Unix milliseconds.", |e, n| {
        e.register_fn(n, |time: &str| read(time).map(|time| time.0));
    }),
    function("from_ms", "from_ms(number) -> text", "Unix milliseconds as RFC 3339, UTC.", |e, n| {
        e.register_fn(n, |ms: i64| Timestamp(ms).to_string());
    }),
    function("after", "after(time, duration) -> text", "A time later by `10s`, `5m`, `2h`, `7d`.", |e, n| {
        e.register_fn(n, |time: &str, span: &str| shifted(time, span, Timestamp::after));
    }),
    function("before", "before(time, duration) -> text", "A time earlier by `10s`, `5m`, `2h`, `7d`.", |e, n| {
        e.register_fn(n, |time: &str, span: &str| shifted(time, span, Timestamp::before));
    }),
];

fn read(time: &str) -> Outcome<Timestamp> {
    time.parse().or_else(|error: BadTime| wrong(error.to_string()))
}

fn shifted(time: &str, span: &str, shift: fn(Timestamp, Duration) -> Timestamp) -> Outcome<String> {
    Ok(shift(read(time)?, duration(span)?).to_string())
}

fn duration(text: &str) -> Outcome<Duration> {
    parse_duration(text).or_else(|error| wrong(error.to_string()))
}
