//! Decimal numbers by their digits, so that 1.005 rounds to 1.01 and 0.1 + 0.2 in cents is 30.

/// How many digits after the point there can be.
pub(super) const DIGITS_LIMIT: usize = 15;
/// How many digits before the point there can be.
const WHOLE_DIGITS: usize = 20;

/// A number in units of its last digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Units {
    pub(super) count: i128,
    /// Whether nothing was lost in rounding.
    pub(super) exact: bool,
}

/// Reads `-12.345` as units of 10^-`digits`, rounded half away from zero. Nothing if it is not such a
/// text, or has more digits than fit.
pub(super) fn read(text: &str, digits: usize) -> Option<Units> {
    let text = text.trim();
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) || DIGITS_LIMIT < digits {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    if WHOLE_DIGITS < whole.len() {
        return None;
    }
    let kept = fraction.get(..digits).unwrap_or(fraction);
    let dropped = fraction.get(digits..).unwrap_or("");
    let mut count: i128 = format!("0{whole}{kept:0<digits$}").parse().ok()?;
    if dropped.starts_with(|c: char| '5' <= c) {
        count += 1;
    }
    Some(Units { count: if negative { -count } else { count }, exact: dropped.bytes().all(|byte| byte == b'0') })
}

/// Units of 10^-`digits` as a text, with signs between groups of three digits and before the fraction.
pub(super) fn write(count: i128, digits: usize, thousands: &str, point: &str) -> String {
    let sign = if count < 0 { "-" } else { "" };
    let all = format!("{:0>width$}", count.unsigned_abs(), width = digits + 1);
    let (whole, fraction) = all.split_at(all.len() - digits);
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if 0 < index && (whole.len() - index).is_multiple_of(3) {
            grouped.push_str(thousands);
        }
        grouped.push(digit);
    }
    if digits == 0 { format!("{sign}{grouped}") } else { format!("{sign}{grouped}{point}{fraction}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_exactly() {
        for (text, digits, count, exact) in [
            ("12.34", 2, 1234, true),
            ("12.345", 2, 1235, false),
            ("-12.345", 2, -1235, false),
            ("1.005", 2, 101, false),
            ("0.1", 2, 10, true),
            (".5", 0, 1, false),
            ("7.", 2, 700, true),
            ("+007", 0, 7, true),
            ("1.50", 1, 15, true),
            ("99999999999999999999", 15, 99_999_999_999_999_999_999 * 1_000_000_000_000_000, true),
        ] {
            assert_eq!(read(text, digits), Some(Units { count, exact }), "{text}");
        }
        for text in ["", ".", "-", "1e3", "1,5", "1.2.3", "--1", "0x1", "1 2", "NaN", "100000000000000000000"] {
            assert_eq!(read(text, 2), None, "{text}");
        }
        assert_eq!(read("1", 16), None);
    }

    #[test]
    fn units_are_written_with_their_signs() {
        for (count, digits, expected) in [
            (1234, 2, "12.34"),
            (-5, 2, "-0.05"),
            (0, 2, "0.00"),
            (123_456_789, 2, "1,234,567.89"),
            (123_456, 0, "123,456"),
            (999, 0, "999"),
            (-100_000, 2, "-1,000.00"),
        ] {
            assert_eq!(write(count, digits, ",", "."), expected);
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read_again(count: i64, digits in 0_usize..=DIGITS_LIMIT) {
            let text = write(count.into(), digits, "", ".");
            proptest::prop_assert_eq!(read(&text, digits), Some(Units { count: count.into(), exact: true }));
        }
    }
}
