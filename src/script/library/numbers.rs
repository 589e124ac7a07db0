//! Numbers, and money in minor units (cents).

use rhai::{Array, Dynamic, NativeCallContext};

use super::super::json::kind;
use super::decimal::{self, DIGITS_LIMIT, Units};
use super::{Function, Outcome, function, list_fits, shown, size, wrong};

pub(super) const ABOUT: &str = "\
Whole numbers have 64 bits and never overflow in silence. `5 / 2` of two whole numbers is `2`; write `5 / 2.0` for `2.5`.
Rounding works on the decimal digits, half away from zero. Keep money in minor units (cents), as whole numbers.";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "round(number, digits?) -> number",
        "Rounded to so many digits after the point; without `digits` a whole number.",
        "[round(1.005, 2), round(2.5)] => [1.01, 3]",
        |e, n| {
            e.register_fn(n, |x: i64| x).register_fn(n, |x: f64| whole("round", x.round()));
            e.register_fn(n, |x: i64, digits: i64| round_whole(x, digits)).register_fn(n, round);
        },
    ),
    function("floor(number) -> number", "The next whole number below.", "floor(-1.5) => -2", |e, n| {
        e.register_fn(n, |x: i64| x).register_fn(n, |x: f64| whole("floor", x.floor()));
    }),
    function("ceil(number) -> number", "The next whole number above; also `ceiling`.", "ceil(1.2) => 2", |e, n| {
        for name in [n, "ceiling"] {
            e.register_fn(name, |x: i64| x).register_fn(name, |x: f64| whole("ceil", x.ceil()));
        }
    }),
    function("clamp(number, low, high) -> number", "Not less than `low`, not more than `high`.", "clamp(120, 0, 100) => 100", |e, n| {
        e.register_fn(n, |x: i64, low: i64, high: i64| if high < low { limits_crossed() } else { Ok(x.clamp(low, high)) });
        e.register_fn(n, |x: f64, low: f64, high: f64| if low <= high { Ok(x.clamp(low, high)) } else { limits_crossed() });
    }),
    function(
        "parse_int(text, default?) -> number",
        "The whole number that it is. With a default, that stands for anything that is none, also for a missing value.",
        r#"[parse_int(" 42 "), parse_int("n/a", 0)] => [42, 0]"#,
        |e, n| {
            let strict = |value: Dynamic| whole_of(&value).or_else(|words| wrong(format!("parse_int: {words}")));
            e.register_fn(n, strict).register_fn(n, move |text: &str| strict(text.into()));
            // Rhai's own reads the second number as a radix; one that is exactly for it has to stand in its way.
            e.register_fn(n, |text: &str, default: i64| whole_of(&text.into()).unwrap_or(default));
            e.register_fn(n, |value: Dynamic, default: Dynamic| whole_of(&value).map_or(default, Dynamic::from));
        },
    ),
    function(
        "parse_int_radix(text, radix) -> number",
        "The whole number it is in this radix, from 2 to 36.",
        r#"parse_int_radix("ff", 16) => 255"#,
        |e, n| {
            e.register_fn(n, parse_int_radix);
        },
    ),
    function(
        "parse_float(text, default?) -> number",
        "The float that it is, with a point and no thousands signs.",
        r#"[parse_float("1.5"), parse_float("", 0.0)] => [1.5, 0.0]"#,
        |e, n| {
            let strict = |value: Dynamic| float_of(&value).or_else(|words| wrong(format!("parse_float: {words}")));
            e.register_fn(n, strict).register_fn(n, move |text: &str| strict(text.into()));
            e.register_fn(n, |value: Dynamic, default: Dynamic| float_of(&value).map_or(default, Dynamic::from));
        },
    ),
    function(
        "format_number(number, digits, thousands?, point?) -> text",
        "With so many digits after the point. `thousands` is `,` and `point` is `.` unless given.",
        r#"format_number(1234567.891, 2, ".", ",") => "1.234.567,89""#,
        |e, n| {
            e.register_fn(n, |x: Dynamic, digits: i64| format_number(&x, digits, ",", "."));
            e.register_fn(n, |x: Dynamic, digits: i64, thousands: &str| format_number(&x, digits, thousands, "."));
            e.register_fn(n, |x: Dynamic, digits: i64, thousands: &str, point: &str| format_number(&x, digits, thousands, point));
        },
    ),
    function(
        "to_minor(amount, digits) -> number",
        "A text or number in minor units. More digits than the currency has are an error, not rounded.",
        r#"to_minor("12.34", 2) => 1234"#,
        |e, n| {
            e.register_fn(n, to_minor);
        },
    ),
    function("from_minor(number, digits) -> text", "Minor units as a decimal text.", r#"from_minor(1234, 2) => "12.34""#, |e, n| {
        e.register_fn(n, |units: i64, digits: i64| Outcome::Ok(decimal::write(units.into(), digit_count("from_minor", digits)?, "", ".")));
    }),
    function(
        "split_minor(number, parts) -> list",
        "Minor units in parts as equal as can be; their sum is the whole.",
        "split_minor(1000, 3) => [334, 333, 333]",
        |e, n| {
            e.register_fn(n, split_minor);
        },
    ),
    function("percent(part, whole) -> number", "How many hundredths of the whole the part is.", "percent(1, 4) => 25.0", |e, n| {
        e.register_fn(n, percent);
    }),
];

fn limits_crossed<T>() -> Outcome<T> {
    wrong("clamp: the low limit is above the high one")
}

fn digit_count(function: &str, digits: i64) -> Outcome<usize> {
    match usize::try_from(digits) {
        Ok(digits) if digits <= DIGITS_LIMIT => Ok(digits),
        _ => wrong(format!("{function}: {digits} digits are not possible; expected 0 to {DIGITS_LIMIT}")),
    }
}

/// A float without a fraction as a whole number.
fn whole(function: &str, x: f64) -> Outcome<i64> {
    // Whole floats are shown without an exponent, so every one that fits can be read.
    format!("{x}").parse().or_else(|_| wrong(format!("{function}: {x} is too large for a whole number")))
}

fn round_whole(x: i64, digits: i64) -> Outcome<i64> {
    digit_count("round", digits).map(|_| x)
}

fn round(x: f64, digits: i64) -> Outcome<f64> {
    let digits = digit_count("round", digits)?;
    let rounded = decimal::read(&format!("{x}"), digits).map(|units| decimal::write(units.count, digits, "", "."));
    // What has too many digits before the point has none after it.
    Ok(rounded.and_then(|text| text.parse().ok()).unwrap_or(x))
}

fn whole_of(value: &Dynamic) -> Result<i64, String> {
    if let Ok(x) = value.as_int() {
        return Ok(x);
    }
    if let Ok(x) = value.as_float() {
        let read = format!("{x}").parse().ok();
        return read.ok_or_else(|| format!("{x} is not a whole number; round it first"));
    }
    match value.as_immutable_string_ref() {
        // The text may be anything out of a body, so it is not repeated.
        Ok(text) => text.trim().parse().or(Err("this text is not a whole number".to_owned())),
        Err(_) => Err(format!("expected a text or number, and this is {}", kind(value))),
    }
}

fn parse_int_radix(text: &str, radix: i64) -> Outcome<i64> {
    let Some(radix) = u32::try_from(radix).ok().filter(|radix| (2..=36).contains(radix)) else {
        return wrong(format!("parse_int_radix: expected a radix from 2 to 36, not {radix}"));
    };
    i64::from_str_radix(text.trim(), radix).or_else(|_| wrong(format!("parse_int_radix: this text is not a whole number in radix {radix}")))
}

fn float_of(value: &Dynamic) -> Result<f64, String> {
    if let Some(x) = number(value) {
        return Ok(x);
    }
    match value.as_immutable_string_ref() {
        Ok(text) => match text.trim().parse::<f64>() {
            Ok(x) if x.is_finite() => Ok(x),
            _ => Err("this text is not a number".to_owned()),
        },
        Err(_) => Err(format!("expected a text or number, and this is {}", kind(value))),
    }
}

/// A number of either kind as a float.
#[expect(clippy::cast_precision_loss, reason = "a whole number among floats counts as a float")]
pub(super) fn number(value: &Dynamic) -> Option<f64> {
    value.as_float().ok().or_else(|| value.as_int().ok().map(|x| x as f64))
}

fn format_number(x: &Dynamic, digits: i64, thousands: &str, point: &str) -> Outcome<String> {
    const SIGN_BYTES: usize = 8;
    if SIGN_BYTES < thousands.len() || SIGN_BYTES < point.len() {
        return wrong(format!("format_number: the signs between digits have at most {SIGN_BYTES} bytes"));
    }
    let digits = digit_count("format_number", digits)?;
    units("format_number", x, digits).map(|units| decimal::write(units.count, digits, thousands, point))
}

fn units(function: &str, amount: &Dynamic, digits: usize) -> Outcome<Units> {
    let text = if let Ok(text) = amount.as_immutable_string_ref() {
        text.to_string()
    } else if let Ok(x) = amount.as_float() {
        format!("{x}")
    } else if let Ok(x) = amount.as_int() {
        x.to_string()
    } else {
        return wrong(format!("{function}: expected a number, and this is {}", kind(amount)));
    };
    match decimal::read(&text, digits) {
        Some(units) => Ok(units),
        None => {
            wrong(format!("{function}: {} is not a decimal number such as 12.34 with at most 20 digits before the point", shown(&text)))
        }
    }
}

fn to_minor(amount: Dynamic, digits: i64) -> Outcome<i64> {
    let digits = digit_count("to_minor", digits)?;
    let units = units("to_minor", &amount, digits)?;
    if !units.exact {
        return wrong(format!("to_minor: {} has more than {digits} digits after the point; round it first", shown(&amount.to_string())));
    }
    i64::try_from(units.count).or_else(|_| wrong(format!("to_minor: {} is too large", shown(&amount.to_string()))))
}

fn split_minor(context: NativeCallContext<'_>, total: i64, parts: i64) -> Outcome<Array> {
    if parts < 1 {
        return wrong(format!("split_minor: {parts} parts are not possible; expected at least 1"));
    }
    list_fits(&context, size(parts))?;
    let (each, left) = (total.div_euclid(parts), total.rem_euclid(parts));
    Ok((0..parts).map(|index| Dynamic::from(each + i64::from(index < left))).collect())
}

fn percent(part: Dynamic, whole: Dynamic) -> Outcome<f64> {
    match (number(&part), number(&whole)) {
        (Some(_), Some(0.0)) => wrong("percent: the whole is 0"),
        (Some(part), Some(whole)) => Ok(part * 100.0 / whole),
        (None, _) => wrong(format!("percent: the part is {}, not a number", kind(&part))),
        (_, None) => wrong(format!("percent: the whole is {}, not a number", kind(&whole))),
    }
}
