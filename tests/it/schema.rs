//! `hence schema`: it accepts whatever is shipped and shown, and rejects every case that is a matter of form.

use std::fs;
use std::path::Path;

use boon::{Compiler, SchemaIndex, Schemas};
use hence::domain::Value;
use hence::workflow::yaml::{self, Kind, Node};
use hence::workflow::{problem::codes, schema};

use crate::docs::{blocks, documents, shown_file};

/// Codes about the form of a file: what they name, the schema rejects.
const FORM: [&str; 15] = [
    codes::UNKNOWN_KEY,
    codes::MISSING_KEY,
    codes::WRONG_TYPE,
    codes::BAD_VALUE,
    codes::NOT_YET,
    codes::BAD_NAME,
    codes::BAD_DURATION,
    codes::BAD_SIZE,
    codes::BAD_PATH,
    codes::MISSING_VERIFY,
    codes::UNKNOWN_SCHEME,
    codes::UNKNOWN_STEP_KIND,
    codes::TWO_KINDS,
    codes::HOLE_IN_EXPRESSION,
    codes::TOO_MANY,
];

/// The schema, ready to be used by a validator that is not ours.
struct Validator {
    schemas: Schemas,
    index: SchemaIndex,
}

impl Validator {
    /// It also checks the schema itself against that of JSON Schema.
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.add_resource("workflow.json", schema::workflow()).unwrap();
        let index = compiler.compile("workflow.json", &mut schemas).unwrap();
        Self { schemas, index }
    }

    fn errors(&self, file: &Value) -> Option<String> {
        self.schemas.validate(file, self.index).err().map(|error| format!("{error:#}"))
    }
}

fn value(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::Null,
        Kind::Bool(value) => (*value).into(),
        Kind::Int(value) => (*value).into(),
        Kind::Float(value) => (*value).into(),
        Kind::Text => (*node.raw).into(),
        Kind::List(items) => items.iter().map(value).collect(),
        Kind::Map(entries) => Value::Object(entries.iter().map(|entry| (entry.key.to_string(), value(&entry.value))).collect()),
    }
}

/// The file as JSON; nothing when it is not YAML.
fn read(text: &str) -> Option<Value> {
    let (node, problems) = yaml::parse(&"file.yaml".into(), text);
    node.filter(|_| problems.is_empty()).map(|node| value(&node))
}

#[test]
fn the_command_prints_it() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_hence")).arg("schema").output().unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&output.stdout).unwrap(), schema::workflow());
}

#[test]
fn what_is_shipped_and_shown_is_accepted() {
    let (schema, root) = (Validator::new(), Path::new(env!("CARGO_MANIFEST_DIR")));
    let mut seen = 0;
    for folder in ["workflows", "src/cli/init"] {
        for entry in fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.ends_with(".yaml") && !name.ends_with(".test.yaml") && name != "hence.yaml" {
                assert_eq!(schema.errors(&read(&fs::read_to_string(&path).unwrap()).unwrap()), None, "{}", path.display());
                seen += 1;
            }
        }
    }
    for (path, text) in documents() {
        for block in blocks(&text)
            .iter()
            .filter(|block| shown_file(block).is_some_and(|file| file.starts_with("workflows/") && !file.ends_with(".test.yaml")))
        {
            assert_eq!(schema.errors(&read(&block.1).unwrap()), None, "{}: {}", path.display(), block.1);
            seen += 1;
        }
    }
    assert!(10 < seen, "{seen}");
}

#[test]
fn cases_of_form_are_rejected_and_others_accepted() {
    let (schema, folder) = (Validator::new(), Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases"));
    let (mut wrong, mut rejected, mut accepted) = (Vec::new(), 0, 0);
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let expected = fs::read_to_string(path.with_extension("txt")).unwrap();
        let of_form = FORM.iter().any(|code| expected.contains(&format!("error[{code}]")));
        // A time and a zone are partly a matter of form: nothing is promised.
        let either = ["bad-cron", "bad-zone", "bad-time"].iter().any(|code| expected.contains(&format!("error[{code}]")));
        let Some(file) = read(&fs::read_to_string(&path).unwrap()) else { continue };
        match (schema.errors(&file).is_none(), of_form) {
            (true, true) => wrong.push(format!("{} is accepted", path.display())),
            (false, false) if !either => wrong.push(format!("{} is rejected", path.display())),
            (false, _) => rejected += 1,
            (true, _) => accepted += 1,
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert!(10 < rejected && 5 < accepted, "{rejected} {accepted}");
}

#[test]
fn each_slip_alone_is_rejected() {
    let schema = Validator::new();
    let check = |expected: bool, step: &str| {
        let text = format!("when: [manual]\nsteps:\n  - {step}\n");
        assert_eq!(schema.errors(&read(&text).unwrap()).is_none(), expected, "{step}");
    };
    check(true, "{call: http.get, with: {url: x}, retry: patient, timeout: 1h30m, at_most_once: true}");
    check(true, "{foreach: a, as: line, parallel: 2, steps: []}");
    check(true, "{parallel: {a: [], b: []}, any: true}");
    check(true, "{switch: a, cases: {1: [], x y: []}, default: []}");
    check(true, "{if: a, stop: }");
    check(true, "{wait: {until: now()}}");
    check(true, "{emit: order.paid, with: {a: 1}}");
    check(true, "{run: other, with: {a: '${event.body}'}, timeout: 1h, retry: {attempts: 2}}");
    check(true, "{wait: {event: order.paid, if: event.body.ok, for: 3d, else: []}}");
    check(true, "{approve: {to: a, message: b, within: 3d, notify: [], else: []}}");
    check(true, "{respond: {status: 201, headers: {X-A: b}, json: {a: 1}}}");
    check(true, "{respond: {}}");
    check(true, "{script: 1, timeout: 5s}");
    check(true, "{call: http.get, undo: [{call: http.post}]}");
    for step in [
        "{call: http}",
        "{call: http.get, rerty: 3}",
        "{call: http.get, script: 1}",
        "{script: 1, undo: []}",
        "{script: 1, with: {}}",
        "{emit: a b}",
        "{emit: a, run: b}",
        "{wait: {event: a, until: b}}",
        "{wait: {event: a, else: []}}",
        "{wait: {if: a}}",
        "{approve: {to: a}}",
        "{approve: {to: a, message: b, on: c}}",
        "{respond: {json: 1, text: a}}",
        "{respond: hello}",
        "{foreach: a}",
        "{foreach: a, parallel: {a: []}, steps: []}",
        "{foreach: a, parallel: 101, steps: []}",
        "{foreach: a, as: event, steps: []}",
        "{parallel: 2}",
        "{parallel: {on_error: []}}",
        "{foreach: a, any: true, parallel: 2, steps: []}",
        "{switch: a}",
        "{then: []}",
        "{if: a, else: []}",
        "{repeat: {every: 5s}, steps: []}",
        "{wait: 0s}",
        "{wait: 5}",
        "{id: loop, script: 1}",
        "{id: a-b, script: 1}",
        "{set: {a: '${b}'}}",
        "{id: a}",
        "text",
    ] {
        check(false, step);
    }
}

#[test]
fn each_slip_at_the_top_is_rejected() {
    let schema = Validator::new();
    let check = |expected: bool, line: &str| {
        let text = format!("when: [manual]\nsteps: []\n{line}\n");
        assert_eq!(schema.errors(&read(&text).unwrap()).is_none(), expected, "{line}");
    };
    check(true, "input: {a: string, b: {type: integer, default: 5}, c: {default: '${event.id}'}, d: {required: true, enum: [1, x]}}");
    check(true, "vars: {a: 1, b: [x], c: '${event.id}'}");
    check(true, "concurrency: {key: event.body.id, limit: 10000, mode: restart}");
    check(true, "concurrency: {}");
    check(true, "debounce: {key: event.body.id, for: 5s}");
    check(true, "batch: {size: 1000, within: 1m}");
    check(true, "throttle: {limit: 1000, per: 1m}");
    check(true, "on_cancel: [{script: 1}]\nfinally: [{script: 1}]");
    for line in [
        "input: [a]",
        "input: {a: text}",
        "input: {a-b: string}",
        "input: {a: {type: integer, default: x}}",
        "input: {a: {required: true, default: 1}}",
        "input: {a: {requird: true}}",
        "vars: {a-b: 1}",
        "vars: 1",
        "concurrency: {limit: 0}",
        "concurrency: {limit: 10001}",
        "concurrency: {mode: wait}",
        "debounce: {key: a}",
        "debounce: {for: 0s}",
        "batch: {size: 5}",
        "batch: {size: 1001, within: 1m}",
        "throttle: {limit: 5}",
        "throttle: {limit: 5, per: 1m}\nbatch: {size: 5, within: 1m}",
        "debounce: {for: 5s}\nbatch: {size: 5, within: 1m}",
        "debounce: {for: 5s}\nthrottle: {limit: 5, per: 1m}",
        "on_cancel: fail",
        "finally: {script: 1}",
    ] {
        check(false, line);
    }
    let trigger = |expected: bool, trigger: &str| {
        let text = format!("when: [{trigger}]\nsteps: []\n");
        assert_eq!(schema.errors(&read(&text).unwrap()).is_none(), expected, "{trigger}");
    };
    trigger(true, "{event: {type: order.paid, if: event.body.ok}}");
    trigger(true, "{run: {workflow: other, outcome: [failed, canceled]}}");
    trigger(true, "{run: {workflow: other, outcome: failed}}");
    trigger(
        true,
        "{form: {path: a, redirect: /, honeypot: b, uploads: {max: 1MiB, count: 3, types: [image/*, .csv]}, cors: {origins: '*'}}}",
    );
    trigger(
        true,
        "{form: {path: 'a/{b}', redirect: 'https://a.example/b?c=d', uploads: {types: image/png}, cors: {origins: ['https://a.example:8443']}}}",
    );
    trigger(
        true,
        "{form: {path: a, title: b, fields: {a: text, b: {}, c: {type: number, min: 1.5}, d: {type: checkbox, options: {x: y}}}}}",
    );
    trigger(
        true,
        "{form: {path: a, fields: {a: {type: date, max: 2026-01-01}, b: {type: hidden, value: 7}, c: {type: file, multiple: true}}}}",
    );
    trigger(
        true,
        "{form: {path: a, limits: {body: 1KiB, rate: {limit: 1, per: 1m}, burst: 2}, schema: schemas/a.json, \
         cors: {origins: 'http://[::1]:80', headers: x-shop, max_age: 1h}}}",
    );
    for slip in [
        "{form: a}",
        "{form: {path: a, limits: {burst: 1}}}",
        "{form: {path: a, schema: a.json}}",
        "{form: {path: a, cors: {origins: 'https://a.example;x'}}}",
        "{form: {}}",
        "{form: {path: a, redirect: //b}}",
        "{form: {path: a, redirect: b}}",
        "{form: {path: a, redirect: 'javascript:b'}}",
        "{form: {path: a, honeypot: a-b}}",
        "{form: {path: a, title: b}}",
        "{form: {path: a, uploads: {types: [png]}}}",
        "{form: {path: a, uploads: {count: 101}}}",
        "{form: {path: a, cors: https://a.example}}",
        "{form: {path: a, cors: {origins: https://a.example/b}}}",
        "{form: {path: a, cors: {origins: []}}}",
        "{form: {path: a, fields: {}}}",
        "{form: {path: a, fields: [a]}}",
        "{form: {path: a, fields: {a-b: text}}}",
        "{form: {path: a, fields: {a: select}}}",
        "{form: {path: a, fields: {a: {type: select}}}}",
        "{form: {path: a, fields: {a: {type: hidden}}}}",
        "{form: {path: a, fields: {a: {type: number, pattern: b}}}}",
        "{form: {path: a, fields: {a: {type: colour}}}}",
        "{form: {path: a, fields: {a: {type: file, value: b}}}}",
        "{form: {path: a, fields: {a: {label: ' '}}}}",
        "{event: order.paid}",
        "{event: {type: a b}}",
        "{event: {}}",
        "{run: {}}",
        "{run: {workflow: a, outcome: []}}",
        "{run: {workflow: a, outcome: waiting}}",
    ] {
        trigger(false, slip);
    }
}
