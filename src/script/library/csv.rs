//! CSV (RFC 4180).

use rhai::{Array, Dynamic, Map, NativeCallContext};

use super::super::json;
use super::{Function, Outcome, fits, function, list_fits, shown, wrong};

pub(super) const ABOUT: &str = "\
Options are a map: `delimiter` (one character, `,` unless given), `header` (whether the first line names the columns, `true` unless
given), for `to_csv` also `columns` (the keys to write, in order; all keys in alphabetical order unless given).";

pub(super) const FUNCTIONS: &[Function] = &[
    function(
        "parse_csv(text, options?) -> list",
        "A map for each line, by the names in the first; without header a list for each. All values are texts.",
        r#"parse_csv("name;n\nAda;2", #{delimiter: ";"}) => [#{name: "Ada", n: "2"}]"#,
        |e, n| {
            e.register_fn(n, |context: NativeCallContext<'_>, text: &str| parse(&context, text, &Map::new()));
            e.register_fn(n, |context: NativeCallContext<'_>, text: &str, options: Map| parse(&context, text, &options));
        },
    ),
    function(
        "to_csv(list, options?) -> text",
        "A line for each map or list of values, quoted where needed.",
        r#"to_csv([#{a: 1, b: "x,y"}]) => "a,b\n1,\"x,y\"\n""#,
        |e, n| {
            e.register_fn(n, |context: NativeCallContext<'_>, list: Array| write(&context, &list, &Map::new()));
            e.register_fn(n, |context: NativeCallContext<'_>, list: Array, options: Map| write(&context, &list, &options));
        },
    ),
];

struct Options {
    delimiter: u8,
    header: bool,
    columns: Option<Vec<String>>,
}

fn options(function: &str, map: &Map) -> Outcome<Options> {
    let mut options = Options { delimiter: b',', header: true, columns: None };
    for (key, value) in map {
        match key.as_str() {
            "delimiter" => match value.clone().into_string().unwrap_or_default().as_bytes() {
                [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\r' | b'\n') => options.delimiter = *byte,
                _ => return wrong(format!("{function}: the delimiter is {}; expected a text of one ASCII character", json::kind(value))),
            },
            "header" => match value.as_bool() {
                Ok(header) => options.header = header,
                Err(_) => return wrong(format!("{function}: `header` is {}; expected true or false", json::kind(value))),
            },
            "columns" if function == "to_csv" => match value.clone().into_typed_array::<rhai::ImmutableString>() {
                Ok(columns) => options.columns = Some(columns.into_iter().map(|column| column.to_string()).collect()),
                Err(_) => return wrong("to_csv: `columns` has to be a list of texts"),
            },
            other => {
                return wrong(format!("{function}: there is no option {}; expected delimiter, header, columns (to_csv)", shown(other)));
            }
        }
    }
    Ok(options)
}

fn parse(context: &NativeCallContext<'_>, text: &str, map: &Map) -> Outcome<Array> {
    let options = options("parse_csv", map)?;
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().delimiter(options.delimiter).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut header: Option<Vec<String>> = None;
    let mut list = Array::new();
    let (mut bytes, mut items) = (0_usize, 0_usize);
    for record in reader.records() {
        let record = record.or_else(|error| wrong(format!("parse_csv: {error}")))?;
        if options.header && header.is_none() {
            header = Some(record.iter().map(|name| name.trim().to_owned()).collect());
            continue;
        }
        // Each line of a map repeats the names, so a small text can stand for much.
        let names: usize = header.iter().flatten().map(String::len).sum();
        bytes = bytes.saturating_add(names).saturating_add(record.as_slice().len());
        let columns = header.as_ref().map_or(record.len(), Vec::len);
        items = items.saturating_add(columns).saturating_add(1);
        fits(context, bytes)?;
        list_fits(context, items)?;
        match &header {
            Some(names) => list.push(line_map(names, &record)?.into()),
            None => list.push(record.iter().map(Dynamic::from_text).collect::<Array>().into()),
        }
    }
    Ok(list)
}

fn line_map(names: &[String], record: &csv::StringRecord) -> Outcome<Map> {
    if names.len() < record.len() {
        let line = record.position().map_or(0, csv::Position::line);
        return wrong(format!("parse_csv: line {line} has {} values, and the header names {} columns", record.len(), names.len()));
    }
    let values = names.iter().enumerate().map(|(index, name)| (name.as_str().into(), Dynamic::from_text(record.get(index).unwrap_or(""))));
    Ok(values.collect())
}

trait FromText {
    fn from_text(text: &str) -> Self;
}

impl FromText for Dynamic {
    fn from_text(text: &str) -> Self {
        text.into()
    }
}

fn write(context: &NativeCallContext<'_>, list: &Array, map: &Map) -> Outcome<String> {
    let options = options("to_csv", map)?;
    let columns = match options.columns {
        Some(columns) => columns,
        None => all_keys(context, list)?,
    };
    // The writer could fill memory in one line of many columns, so cells are counted first.
    list_fits(context, columns.len().saturating_mul(list.len()))?;
    let mut writer = csv::WriterBuilder::new().delimiter(options.delimiter).flexible(true).from_writer(Vec::new());
    let failed = |error: csv::Error| wrong(format!("to_csv: {error}"));
    if options.header && !columns.is_empty() {
        writer.write_record(&columns).or_else(failed)?;
    }
    let mut bytes = 0_usize;
    for (index, item) in list.iter().enumerate() {
        let cells = cells(index, item, &columns)?;
        bytes = bytes.saturating_add(cells.iter().map(|cell| cell.len().saturating_add(1)).sum());
        fits(context, bytes)?;
        writer.write_record(&cells).or_else(failed)?;
    }
    let text = writer.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    fits(context, text.len())?;
    Ok(text)
}

fn all_keys(context: &NativeCallContext<'_>, list: &Array) -> Outcome<Vec<String>> {
    let mut keys = std::collections::BTreeSet::new();
    for item in list {
        if let Ok(map) = item.as_map_ref() {
            keys.extend(map.keys().map(ToString::to_string));
        }
        list_fits(context, keys.len())?;
    }
    Ok(keys.into_iter().collect())
}

fn cells(index: usize, item: &Dynamic, columns: &[String]) -> Outcome<Vec<String>> {
    if let Ok(map) = item.as_map_ref() {
        return columns.iter().map(|column| map.get(column.as_str()).map_or(Ok(String::new()), |value| cell(index, value))).collect();
    }
    if let Ok(list) = item.as_array_ref() {
        return list.iter().map(|value| cell(index, value)).collect();
    }
    wrong(format!("to_csv: item {index} is {}; expected maps or lists", json::kind(item)))
}

fn cell(index: usize, value: &Dynamic) -> Outcome<String> {
    if value.is_unit() {
        return Ok(String::new());
    }
    json::to_text(value).or_else(|words| wrong(format!("to_csv: a value of item {index} {words}")))
}
