//! Hostile calls of the library: each by name, with the words that it ends in.

use super::hostile_tests::{BIG, check_within};

/// Name, source, words of the error. `s` is a text of a million bytes.
const SCRIPTS: &[(&str, &str, &str)] = &[
    ("pattern of nested counts", r#""a".matches("((a{100}){100}){100}")"#, "over the limit when compiled"),
    ("pattern of Unicode classes", r##""a".matches(#"\w{900}"#)"##, "over the limit when compiled"),
    ("pattern nested deep", r#""a".matches("(".repeat(400) + ")".repeat(400))"#, "is not a pattern"),
    ("pattern longer than allowed", r#""a".matches("a".repeat(1001))"#, "the pattern has 1001 characters, over the limit of 1000"),
    ("pattern with look-around", r#""a".matches("(?=a)")"#, "look-around"),
    ("pattern with a back-reference", r##""a".matches(#"(a)\1"#)"##, "backreferences"),
    ("pattern that is none", r#""a".find_all("(")"#, "`(` is not a pattern: unclosed group"),
    ("search in a long text", "s.matches(\"a\")", "over the limit of 131072 for a search by pattern"),
    ("replacement that multiplies", r#"s.slice(0, 120000).replace_regex(".*", "$0$0$0$0$0$0$0$0$0$0")"#, "over the limit"),
    ("replacement by a big text", r#"s.slice(0, 120000).replace_regex("0", s)"#, "over the limit"),
    ("matches beyond a list", r#"s.slice(0, 120000).find_all("")"#, "over the limit"),
    ("parts beyond a list", r#"s.slice(0, 120000).split_regex("")"#, "over the limit"),
    ("patterns without end", r#"let i = 0; loop { i += 1; "a".matches("[a-z]{200}" + i); }"#, "the limit; do less work"),
    ("CSV with a header of long names", "parse_csv(s.slice(0, 100000) + \"\\n\" + \"x\\n\".repeat(5000))", "over the limit"),
    ("CSV with many columns", "parse_csv(\",\".repeat(1000) + \"\\n\" + \"x\\n\".repeat(5000))", "over the limit"),
    ("CSV with too many lines", "parse_csv(\"x\\n\".repeat(200000))", "over the limit"),
    ("CSV with a line longer than its header", "parse_csv(\"a\\n1,2\")", "line 2 has 2 values, and the header names 1 columns"),
    ("CSV with a bad delimiter", "parse_csv(\"a\", #{delimiter: \"ab\"})", "expected a text of one ASCII character"),
    ("CSV with an unknown option", "parse_csv(\"a\", #{delimeter: \";\"})", "there is no option `delimeter`"),
    ("CSV of big texts", "to_csv([[s], [s]])", "over the limit"),
    ("CSV of many columns", "let l = []; l.pad(2000, #{}); to_csv(l, #{columns: range_list(0, 1000).map(|i| \"\" + i)})", "over the limit"),
    ("CSV of numbers", "to_csv([1])", "item 0 is the number 1; expected maps or lists"),
    ("chunks of nothing", "[1].chunk(0)", "the length is 0; expected at least 1"),
    ("chunks of a negative length", "[1].chunk(-9223372036854775808)", "expected at least 1"),
    ("chunks beyond a list", "range_list(0, 60000).chunk(1)", "over the limit"),
    ("a huge range", "range_list(0, 9223372036854775807)", "over the limit"),
    ("the hugest range", "range_list(-9223372036854775808, 9223372036854775807)", "over the limit"),
    ("a range without a step", "range_list(0, 1, 0)", "the step is 0"),
    ("pairs beyond a list", "range_list(0, 60000).zip(range_list(0, 60000))", "over the limit"),
    ("keys that are too much", "let l = range_list(0, 50000); l.group_by(|i| s + i)", "over the limit"),
    ("sorting what has no order", "[1, \"a\"].sorted()", "by another kind"),
    ("sorting with an endless function", "[1, 2].sort_by(|x| { loop {} })", "more than 1000000 operations"),
    ("sorting functions", "[|x| x].sorted()", "expected numbers or texts"),
    ("digits beyond sense", "round(1.5, 9223372036854775807)", "expected 0 to 15"),
    ("negative digits", "format_number(1, -1)", "expected 0 to 15"),
    ("thousands signs of a megabyte", "format_number(1000000, 2, s)", "at most 8 bytes"),
    ("rounding beyond whole numbers", "round(1.0e300)", "too large for a whole number"),
    ("cents beyond whole numbers", "to_minor(\"99999999999999999999\", 2)", "is too large"),
    ("cents with a third digit", "to_minor(\"1.005\", 2)", "more than 2 digits after the point"),
    ("cents of a text", "to_minor(s, 2)", "is not a decimal number"),
    ("parts without end", "split_minor(1, 9223372036854775807)", "over the limit"),
    ("no parts", "split_minor(1, 0)", "expected at least 1"),
    ("percent of nothing", "percent(1, 0)", "the whole is 0"),
    ("limits that cross", "clamp(1, 5, 2)", "the low limit is above the high one"),
    ("a time beyond the calendar", "from_ms(9223372036854775807)", "after 9999"),
    ("seconds beyond the calendar", "from_unix(9223372036854775807)", "after 9999"),
    ("adding beyond the calendar", "add(now(), \"9000 years\")", "after 9999"),
    ("a duration beyond numbers", "add(now(), \"99999999999999999999d\")", "is not a duration"),
    ("a duration of a megabyte", "parse_duration(s)", "is too long"),
    ("a duration of months", "parse_duration(\"1 month\")", "not equally long"),
    ("a time of a megabyte", "unix(s)", "is too long"),
    ("a format of a megabyte", "format_time(now(), s)", "is too long"),
    ("a format that is none", "format_time(now(), \"%!\")", "is not a format"),
    ("a zone that is none", "in_zone(now(), \"Mars/Phobos\")", "there is no time zone `Mars/Phobos`"),
    ("a zone out of the file system", "in_zone(now(), \"../../etc/passwd\")", "there is no time zone"),
    ("a unit that is none", "start_of(now(), \"eon\")", "there is no unit `eon`"),
    ("HTML that grows", "escape_html(\"&\".repeat(1000000))", "over the limit"),
    ("a template that grows", "format(\"{a}\".repeat(300000), #{a: s})", "over the limit"),
    ("a template with a lone brace", "format(\"{a\", #{a: 1})", "has no partner"),
    ("a template with too few values", "format(\"{} {}\", [1])", "more `{}` than values"),
    ("a query that grows", "query_encode(#{a: [s, s, s]})", "over the limit"),
    ("indented JSON that grows", "let l = range_list(0, 90000); to_json_pretty(#{a: #{b: #{c: #{d: l}}}})", "over the limit"),
    ("JSON nested deep", "parse_json(\"[\".repeat(100000))", "recursion limit"),
    ("merging deep maps", "let a = #{}; for i in 0..2000 { a = #{a: a}; } merge_deep(a, a)", "nested deeper than 128"),
    ("a huge pad", "\"\".pad_start(9223372036854775807, \"ab\")", "over the limit"),
    ("chance without numbers", "random_int(2, 1)", "holds no number"),
];

#[test]
fn hostile_calls_end_in_words() {
    assert!(30 <= SCRIPTS.len());
    for (name, source, expected) in SCRIPTS {
        let message = check_within(&format!("{BIG}{source}")).map(|_value| ());
        assert!(message.as_ref().is_err_and(|message| message.contains(expected)), "{name}: {source}\n{message:?}");
    }
}

/// Text without a period, so that a search meets ever new states.
const NOISE: &str = "let t = range_list(0, 2048).map(|i| sha256(\"\" + i)).join(\"\");\n";

#[test]
fn slow_searches_end_by_time() {
    // No cache holds the states of this pattern; each search takes a good part of a second.
    let source = format!("{NOISE}let n = 0; while n < 30 {{ n += 1; t.matches(\"[0-9a-f]*[89a-f][0-9a-f]{{1500}}[G-Zg-z]\"); }}");
    let message = check_within(&source).unwrap_err();
    assert!(message.contains("took longer than 2000 ms"), "{message}");
}
