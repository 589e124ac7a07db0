//! Days, weeks and months of a zone.

use jiff::civil::Time;
use jiff::{ToSpan, Unit, Zoned, ZonedRound};
use rhai::{Dynamic, Map};

use super::time::{shown_time, zoned};
use super::{Function, Outcome, function, shown, wrong};

pub(super) const ABOUT: &str = "All take a time and, last, a zone; without one, UTC. Weeks begin on Monday (ISO 8601).";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "start_of(time, unit, zone?) -> text",
        "When its `minute`, `hour`, `day`, `week`, `month`, `quarter` or `year` began.",
        r#"start_of("2026-03-29T12:00:00Z", "day", "Europe/Berlin") => "2026-03-28T23:00:00.000Z""#,
        |e, n| {
            e.register_fn(n, |time: &str, unit: &str| start_of(time, unit, "UTC")).register_fn(n, start_of);
        },
    ),
    function("weekday(time, zone?) -> number", "1 for Monday to 7 for Sunday.", r#"weekday("2026-03-01T09:00:00Z") => 7"#, |e, n| {
        e.register_fn(n, |time: &str| weekday(time, "UTC")).register_fn(n, weekday);
    }),
    function("is_weekend(time, zone?) -> bool", "Whether it is Saturday or Sunday.", "is_weekend(now()) => true", |e, n| {
        e.register_fn(n, |time: &str| weekday(time, "UTC").map(|day| 6 <= day));
        e.register_fn(n, |time: &str, zone: &str| weekday(time, zone).map(|day| 6 <= day));
    }),
    function(
        "is_between(time, from, to, zone?) -> bool",
        "Whether the clock shows `from` or later and is before `to`, `\"22:00\"` to `\"06:00\"` being the night.",
        r#"is_between(now(), "09:00", "17:30", "Europe/Berlin") => true"#,
        |e, n| {
            e.register_fn(n, |time: &str, from: &str, to: &str| is_between(time, from, to, "UTC")).register_fn(n, is_between);
        },
    ),
    function(
        "days_between(from, to, zone?) -> number",
        "How many days of the calendar there are from the one to the other.",
        r#"days_between("2026-03-28T23:30:00Z", "2026-03-29T00:30:00Z") => 1"#,
        |e, n| {
            e.register_fn(n, |from: &str, to: &str| days_between(from, to, "UTC")).register_fn(n, days_between);
        },
    ),
    function(
        "date_parts(time, zone?) -> map",
        "`year`, `month`, `day`, `hour`, `minute`, `second`, `weekday`, `yearday` and `week` (ISO).",
        r#"date_parts(now()).week => 9"#,
        |e, n| {
            e.register_fn(n, |time: &str| date_parts(time, "UTC")).register_fn(n, date_parts);
        },
    ),
];

fn start_of(time: &str, unit: &str, zone: &str) -> Outcome<String> {
    let time = zoned(time, zone)?;
    let days_back = match unit {
        "minute" => return shown_time(floor(&time, Unit::Minute), "start_of"),
        "hour" => return shown_time(floor(&time, Unit::Hour), "start_of"),
        "day" => 0,
        "week" => i64::from(time.weekday().to_monday_zero_offset()),
        "month" | "quarter" => i64::from(time.day()) - 1,
        "year" => i64::from(time.day_of_year()) - 1,
        _ => return wrong(format!("start_of: there is no unit {}; expected minute, hour, day, week, month, quarter or year", shown(unit))),
    };
    let months_back = if unit == "quarter" { (time.month() - 1) % 3 } else { 0 };
    let date = time.date().checked_sub(days_back.days()).and_then(|date| date.checked_sub(months_back.months()));
    // The first moment of a day need not be 00:00: some zones skip it.
    shown_time(date.and_then(|date| date.to_zoned(time.time_zone().clone())).and_then(|day| day.start_of_day()), "start_of")
}

fn floor(time: &Zoned, unit: Unit) -> Result<Zoned, jiff::Error> {
    time.round(ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Floor))
}

fn weekday(time: &str, zone: &str) -> Outcome<i64> {
    zoned(time, zone).map(|time| i64::from(time.weekday().to_monday_one_offset()))
}

fn clock(text: &str) -> Outcome<Time> {
    text.parse().or_else(|_| wrong(format!("is_between: {} is not a time of the day; expected one such as `09:00`", shown(text))))
}

fn is_between(time: &str, from: &str, to: &str, zone: &str) -> Outcome<bool> {
    let (time, from, to) = (zoned(time, zone)?.time(), clock(from)?, clock(to)?);
    Ok(if from <= to { from <= time && time < to } else { from <= time || time < to })
}

fn days_between(from: &str, to: &str, zone: &str) -> Outcome<i64> {
    let (from, to) = (zoned(from, zone)?.date(), zoned(to, zone)?.date());
    match from.until(to) {
        Ok(span) => Ok(i64::from(span.get_days())),
        Err(_) => wrong("days_between: the times are too far apart"),
    }
}

fn date_parts(time: &str, zone: &str) -> Outcome<Map> {
    let time = zoned(time, zone)?;
    let parts: [(&str, i64); 9] = [
        ("year", time.year().into()),
        ("month", time.month().into()),
        ("day", time.day().into()),
        ("hour", time.hour().into()),
        ("minute", time.minute().into()),
        ("second", time.second().into()),
        ("weekday", time.weekday().to_monday_one_offset().into()),
        ("yearday", time.day_of_year().into()),
        ("week", time.date().iso_week_date().week().into()),
    ];
    Ok(parts.into_iter().map(|(key, value)| (key.into(), Dynamic::from(value))).collect())
}
