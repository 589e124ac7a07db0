//! Chance, which derives from run and step: the same evaluation gives the same values again.

use super::super::ambient;
use super::{Function, Outcome, function, wrong};

pub(super) const ABOUT: &str = "\
Chance derives from the run and the step: the same step of the same run draws the same again. It is not fit for passwords or tokens.";

pub(super) const FUNCTIONS: &[Function] = &[
    function("uuid() -> text", "A UUID (RFC 9562, version 4). Every call gives another one.", "uuid().len => 36", |e, n| {
        e.register_fn(n, uuid);
    }),
    function("random() -> number", "A float from 0 up to, not including, 1.", "random() < 1.0 => true", |e, n| {
        e.register_fn(n, fraction).register_fn(n, |from: i64, to: i64| whole("random", from, to));
    }),
    function("random_int(from, to) -> number", "A whole number, both ends included.", "random_int(6, 6) => 6", |e, n| {
        e.register_fn(n, |from: i64, to: i64| whole("random_int", from, to));
    }),
];

fn uuid() -> String {
    let bits = (u128::from(ambient::chance()) << 64) | u128::from(ambient::chance());
    let bits = bits & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or("");
    [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-")
}

#[expect(clippy::cast_precision_loss, reason = "53 bits fit a float exactly")]
fn fraction() -> f64 {
    (ambient::chance() >> 11) as f64 / (1_u64 << 53) as f64
}

fn whole(function: &str, from: i64, to: i64) -> Outcome<i64> {
    if to < from {
        return wrong(format!("{function}: {from} to {to} holds no number; the smaller one comes first"));
    }
    let span = u128::from(from.abs_diff(to)) + 1;
    // The product's upper half is even enough: the bias is below span / 2^64.
    let step = (u128::from(ambient::chance()) * span) >> 64;
    Ok(i64::try_from(i128::from(from).saturating_add(i128::try_from(step).unwrap_or(0))).unwrap_or(to))
}
