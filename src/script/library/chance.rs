//! Chance, which derives from run and step: the same evaluation gives the same values again.

use super::super::ambient;
use super::{Function, Outcome, function, wrong};

pub(super) const FUNCTIONS: &[Function] = &[
    function("uuid", "uuid() -> text", "A UUID (RFC 9562, version 4). Every call gives another one.", |e, n| {
        e.register_fn(n, uuid);
    }),
    function(
        "random",
        "random() -> number",
        "A float from 0 up to, not including, 1; `random(a, b)` a whole number from a to b.",
        |e, n| {
            e.register_fn(n, fraction).register_fn(n, whole);
        },
    ),
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

fn whole(from: i64, to: i64) -> Outcome<i64> {
    if to < from {
        return wrong(format!("random: {from} to {to} holds no number; the smaller one comes first"));
    }
    let span = u128::from(from.abs_diff(to)) + 1;
    // The product's upper half is even enough: the bias is below span / 2^64.
    let step = (u128::from(ambient::chance()) * span) >> 64;
    Ok(i64::try_from(i128::from(from).saturating_add(i128::try_from(step).unwrap_or(0))).unwrap_or(to))
}
