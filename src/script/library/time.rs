//! Points in time. Time stands still during an evaluation: it is the time of the run's last recorded fact.

use jiff::civil::{Date, DateTime};
use jiff::fmt::rfc2822;
use jiff::tz::TimeZone;
use jiff::{Span, SpanRound, Unit, Zoned};

use super::super::ambient;
use super::{Function, Outcome, function, shown, wrong};
use crate::domain::time::Timestamp;

pub(super) const ABOUT: &str = "\
A time is a text as in RFC 3339. Functions that give one give UTC with milliseconds, so that times can be compared as texts, too;
all of them take any offset. A zone is a name such as `Europe/Berlin`; without one, UTC is meant. A local time that the clocks skip
is read as the one as much later; one that comes twice as the first of the two.";

pub(super) const FUNCTIONS: &[Function] = &[
    function("now() -> text", "The time of the run's last recorded fact.", r#"now() => "2026-03-01T09:00:00.123Z""#, |e, n| {
        e.register_fn(n, || ambient::now().to_string());
    }),
    function(
        "parse_time(text, format_or_zone?, zone?) -> text",
        "A time out of a text: RFC 3339, RFC 2822 (e-mail), a date, a date with time, or a format as in `format_time`. The zone is for texts that name none.",
        r#"parse_time("01.03.2026 10:00", "%d.%m.%Y %H:%M", "Europe/Berlin") => "2026-03-01T09:00:00.000Z""#,
        |e, n| {
            e.register_fn(n, |text: &str| parse(text, "", TimeZone::UTC));
            e.register_fn(
                n,
                |text: &str, other: &str| {
                    if other.contains('%') { parse(text, other, TimeZone::UTC) } else { parse(text, "", zone(other)?) }
                },
            );
            e.register_fn(n, |text: &str, format: &str, in_zone: &str| parse(text, format, zone(in_zone)?));
        },
    ),
    function(
        "format_time(time, format, zone?) -> text",
        "As the format says: `%Y %m %d %H %M %S`, `%B` and `%A` for names of month and day, `%j` day of the year, `%V` ISO week, `%z` offset and more of `strftime`.",
        r#"format_time(now(), "%d.%m.%Y %H:%M", "Europe/Berlin") => "01.03.2026 10:00""#,
        |e, n| {
            e.register_fn(n, |time: &str, format: &str| format_time(time, format, "UTC")).register_fn(n, format_time);
        },
    ),
    function(
        "in_zone(time, zone) -> text",
        "The same time with the zone's offset.",
        r#"in_zone(now(), "Europe/Berlin") => "2026-03-01T10:00:00.123+01:00""#,
        |e, n| {
            e.register_fn(n, |time: &str, in_zone: &str| {
                zoned(time, in_zone).map(|time| time.strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string())
            });
        },
    ),
    function(
        "add(time, duration, zone?) -> text",
        "A time later by `90s`, `1h30m`, `2 days`, `1 week`, `1 month`, `1y`, or earlier by `-1h`. A day in a zone is a day of the calendar, be it 23 or 25 hours long.",
        r#"add("2026-03-28T12:00:00+01:00", "1 day", "Europe/Berlin") => "2026-03-29T10:00:00.000Z""#,
        |e, n| {
            e.register_fn(n, |time: &str, span: &str| add(time, span, "UTC", false));
            e.register_fn(n, |time: &str, span: &str, in_zone: &str| add(time, span, in_zone, false));
        },
    ),
    function(
        "subtract(time, duration, zone?) -> text",
        "The same, earlier.",
        r#"subtract("2026-03-31T00:00:00Z", "1 month") => "2026-02-28T00:00:00.000Z""#,
        |e, n| {
            e.register_fn(n, |time: &str, span: &str| add(time, span, "UTC", true));
            e.register_fn(n, |time: &str, span: &str, in_zone: &str| add(time, span, in_zone, true));
        },
    ),
    function(
        "after(time, duration) -> text",
        "As `add`, in UTC.",
        r#"after("2026-03-01T09:00:00Z", "1h30m") => "2026-03-01T10:30:00.000Z""#,
        |e, n| {
            e.register_fn(n, |time: &str, span: &str| add(time, span, "UTC", false));
        },
    ),
    function(
        "before(time, duration) -> text",
        "As `subtract`, in UTC.",
        r#"before("2026-03-01T09:00:00Z", "1d") => "2026-02-28T09:00:00.000Z""#,
        |e, n| {
            e.register_fn(n, |time: &str, span: &str| add(time, span, "UTC", true));
        },
    ),
    function(
        "is_before(time, other) -> bool",
        "Whether it is earlier.",
        r#"is_before("2026-03-01T09:00:00+01:00", now()) => true"#,
        |e, n| {
            e.register_fn(n, |time: &str, other: &str| Outcome::Ok(read(time)? < read(other)?));
        },
    ),
    function("is_after(time, other) -> bool", "Whether it is later.", r#"is_after("2026-03-02", now()) => true"#, |e, n| {
        e.register_fn(n, |time: &str, other: &str| Outcome::Ok(read(other)? < read(time)?));
    }),
    function(
        "seconds_between(from, to) -> number",
        "The seconds, without their fraction; negative if `to` is earlier.",
        r#"seconds_between("2026-03-01T09:00:00Z", "2026-03-01T10:30:00Z") => 5400"#,
        |e, n| {
            e.register_fn(n, seconds_between);
        },
    ),
    function(
        "seconds_since(time) -> number",
        "The seconds from then to `now()`.",
        r#"seconds_since("2026-03-01T08:59:00.123Z") => 60"#,
        |e, n| {
            e.register_fn(n, |time: &str| seconds_between(time, &ambient::now().to_string()));
        },
    ),
    function(
        "seconds_until(time) -> number",
        "The seconds from `now()` to then.",
        r#"seconds_until("2026-03-01T09:01:00.123Z") => 60"#,
        |e, n| {
            e.register_fn(n, |time: &str| seconds_between(&ambient::now().to_string(), time));
        },
    ),
    function(
        "parse_duration(text) -> number",
        "A duration in seconds; days have 24 hours.",
        r#"parse_duration("1h30m") => 5400"#,
        |e, n| {
            e.register_fn(n, parse_duration);
        },
    ),
    function(
        "format_duration(seconds) -> text",
        "Seconds as people write them.",
        r#"[format_duration(5400), format_duration(90061)] => ["1h30m", "1d1h1m1s"]"#,
        |e, n| {
            e.register_fn(n, format_duration);
        },
    ),
    function("unix(time) -> number", "A time in Unix seconds.", r#"unix("1970-01-01T00:01:00Z") => 60"#, |e, n| {
        e.register_fn(n, |time: &str| read(time).map(|time| time.0.div_euclid(1000)));
    }),
    function("from_unix(number) -> text", "Unix seconds as a time.", r#"from_unix(60) => "1970-01-01T00:01:00.000Z""#, |e, n| {
        e.register_fn(n, |seconds: i64| from_ms("from_unix", seconds.checked_mul(1000), seconds));
    }),
    function("to_ms(time) -> number", "A time in Unix milliseconds.", r#"to_ms("1970-01-01T00:00:01Z") => 1000"#, |e, n| {
        e.register_fn(n, |time: &str| read(time).map(|time| time.0));
    }),
    function("from_ms(number) -> text", "Unix milliseconds as a time.", r#"from_ms(1000) => "1970-01-01T00:00:01.000Z""#, |e, n| {
        e.register_fn(n, |ms: i64| from_ms("from_ms", Some(ms), ms));
    }),
    function("now_ms() -> number", "`now()` in Unix milliseconds.", "now_ms() => 1772355600123", |e, n| {
        e.register_fn(n, || ambient::now().0);
    }),
];

/// The length of a text that is to be a time, duration or format.
const TEXT_BYTES: usize = 256;

/// A text short enough to be looked at.
fn short(text: &str) -> Outcome<&str> {
    if TEXT_BYTES < text.len() {
        return wrong(format!("{} is too long: times and formats have at most {TEXT_BYTES} bytes", shown(text)));
    }
    Ok(text)
}

/// A time in any of the forms that need no format.
pub(super) fn read(text: &str) -> Outcome<Timestamp> {
    read_in(text, TimeZone::UTC)
}

fn read_in(text: &str, zone: TimeZone) -> Outcome<Timestamp> {
    let text = short(text)?.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.into());
    }
    let local = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    let zoned = match local {
        // `2026-03-01T10:00` with something behind it is no local time.
        Ok(local) if !text.contains('[') => local.to_zoned(zone).ok(),
        _ => rfc2822::DateTimeParser::new().parse_zoned(text).ok(),
    };
    match zoned {
        Some(time) => Ok(time.timestamp().into()),
        None => wrong(format!(
            "{} is not a time: expected RFC 3339, as in `2026-03-01T09:00:00Z`, or a date; parse_time reads other forms",
            shown(text)
        )),
    }
}

fn parse(text: &str, format: &str, zone: TimeZone) -> Outcome<String> {
    if format.is_empty() {
        return read_in(text, zone).map(|time| time.to_string());
    }
    let parsed = jiff::fmt::strtime::parse(short(format)?, short(text)?);
    let time = parsed.and_then(|parts| {
        if parts.offset().is_some() || parts.timestamp().is_some() {
            return parts.to_timestamp();
        }
        let local = parts.to_datetime().or_else(|_| parts.to_date().map(|date| date.at(0, 0, 0, 0)))?;
        local.to_zoned(zone).map(|zoned| zoned.timestamp())
    });
    match time {
        Ok(time) => Ok(Timestamp::from(time).to_string()),
        Err(error) => wrong(format!("parse_time: {} is not a time in the format {}: {error}", shown(text), shown(format))),
    }
}

pub(super) fn zone(name: &str) -> Outcome<TimeZone> {
    TimeZone::get(name)
        .or_else(|_| wrong(format!("there is no time zone {}; expected a name such as `Europe/Berlin` or `UTC`", shown(name))))
}

pub(super) fn zoned(time: &str, in_zone: &str) -> Outcome<Zoned> {
    Ok(read(time)?.to_jiff().to_zoned(zone(in_zone)?))
}

/// A point of the calendar back as a time.
pub(super) fn shown_time(time: Result<Zoned, jiff::Error>, function: &str) -> Outcome<String> {
    match time {
        Ok(time) => Ok(Timestamp::from(time.timestamp()).to_string()),
        Err(_) => wrong(format!("{function}: the result is before the year -9999 or after 9999")),
    }
}

fn format_time(time: &str, format: &str, in_zone: &str) -> Outcome<String> {
    let time = zoned(time, in_zone)?;
    jiff::fmt::strtime::format(short(format)?, &time)
        .or_else(|error| wrong(format!("format_time: {} is not a format: {error}", shown(format))))
}

fn span(text: &str) -> Outcome<Span> {
    match short(text)?.trim().parse::<Span>() {
        Ok(span) => Ok(span),
        Err(_) => wrong(format!("{} is not a duration: expected one such as `90s`, `1h30m`, `2 days` or `1 month`", shown(text))),
    }
}

fn add(time: &str, duration: &str, in_zone: &str, back: bool) -> Outcome<String> {
    let (time, span) = (zoned(time, in_zone)?, span(duration)?);
    if back { shown_time(time.checked_sub(span), "subtract") } else { shown_time(time.checked_add(span), "add") }
}

fn seconds_between(from: &str, to: &str) -> Outcome<i64> {
    Ok((read(to)?.0 - read(from)?.0) / 1000)
}

fn parse_duration(text: &str) -> Outcome<i64> {
    let span = span(text)?;
    let options = SpanRound::new().largest(Unit::Second).smallest(Unit::Second).days_are_24_hours();
    match span.round(options) {
        Ok(span) => Ok(span.get_seconds()),
        Err(_) => {
            wrong(format!("parse_duration: {} has months or years, which are not equally long; add it to a time instead", shown(text)))
        }
    }
}

fn format_duration(seconds: i64) -> String {
    let mut text = if seconds < 0 { "-".to_owned() } else { String::new() };
    let mut left = seconds.unsigned_abs();
    for (unit, length) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        let n = left / length;
        left %= length;
        if 0 < n || (unit == "s" && seconds == 0) {
            text.push_str(&format!("{n}{unit}"));
        }
    }
    text
}

fn from_ms(function: &str, ms: Option<i64>, given: i64) -> Outcome<String> {
    match ms.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok()) {
        Some(time) => Ok(Timestamp::from(time).to_string()),
        None => wrong(format!("{function}: {given} is before the year -9999 or after 9999")),
    }
}
