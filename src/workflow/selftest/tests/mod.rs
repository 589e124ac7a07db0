//! The runner on small workflows: what passes, what is said when it does not, what is covered.

mod forms;
mod inside;

use super::super::cases::with_context;
use super::super::catalog::SourceFile;
use super::*;

fn load(workflow: &str, others: &[(&str, &str)]) -> Catalog {
    let others = others.iter().map(|(name, text)| (format!("workflows/{name}.yaml"), (*text).to_owned()));
    let sources = Sources::from_files(others.chain([("workflows/drip.yaml".to_owned(), workflow.to_owned())]));
    let (catalog, problems) = with_context(|context| Catalog::build(&sources, context));
    assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}");
    catalog
}

/// The files of the project that events are read from.
const FILES: [(&str, &str); 2] = [
    (
        "fixtures/xml.json",
        r#"{"method":"PUT","path":"drip/7","query":[["a","1"]],"headers":{"content-type":"text/xml"},"body":"<o n='1'/>"}"#,
    ),
    ("fixtures/bad.json", r#"{"boddy": 1}"#),
];

/// Runs the cases; what went wrong, and what was not reached.
fn outcome(workflow: &str, cases: &str) -> (String, Vec<String>) {
    outcome_beside(workflow, &[], cases)
}

/// The same, in a project with other workflows.
fn outcome_beside(workflow: &str, others: &[(&str, &str)], cases: &str) -> (String, Vec<String>) {
    let catalog = load(workflow, others);
    let loaded = catalog.get("drip").unwrap();
    let source = SourceFile { path: "workflows/drip.test.yaml".into(), text: cases.into() };
    let (file, problems) = file::read(&source, &|path| {
        FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()).ok_or_else(|| "no such file".to_owned())
    });
    assert_eq!(problems, []);
    let mut coverage = Coverage::default();
    let mut said = String::new();
    for case in &file.unwrap().cases {
        let result = run(&catalog, loaded, case, &mut coverage);
        result.trouble.iter().for_each(|trouble| said.push_str(&format!("{}: {trouble}\n", result.name)));
        for Difference { path, expected, got } in &result.differences {
            said.push_str(&format!("{}: {path} | {expected} | {got}\n", result.name));
        }
    }
    let missed = coverage.items(&loaded.workflow).into_iter().filter(|(_, reached)| !reached);
    let shown = |item: Item| item.branch.map_or_else(|| item.step.clone(), |branch| format!("{} {branch}", item.step));
    (said, missed.map(|(item, _)| shown(item)).collect())
}

fn said(workflow: &str, cases: &str) -> String {
    outcome(workflow, cases).0
}

fn check_passes(workflow: &str, cases: &str) {
    assert_eq!(said(workflow, cases), "");
}

const POST: &str = "when: [manual]\nsteps:\n  - {id: a, call: http.post, with: {url: https://example.com, json: {n: 1, text: hi}}}\n";

#[test]
fn an_event_has_the_type_that_its_service_says() {
    let workflow = "
when: [{webhook: {path: a, verify: {scheme: zoom, secret: HOOK_SECRET}}}]
steps: [{stop: event.type}]
";
    check_passes(workflow, "cases: [{name: a, event: {body: {event: meeting.started}}, expect: {output: meeting.started}}]");
    check_passes(workflow, "cases: [{name: a, event: {body: {other: 1}}, expect: {output: webhook}}]");
    check_passes(workflow, "cases: [{name: a, event: {type: own, body: {event: meeting.started}}, expect: {output: own}}]");
    let github = workflow.replace("zoom", "github");
    check_passes(&github, "cases: [{name: a, event: {headers: {X-GitHub-Event: push}, body: {}}, expect: {output: push}}]");
}

#[test]
fn a_campaign_of_thirty_days_takes_no_time() {
    let workflow = "
when: [manual]
steps:
  - {call: http.post, with: {url: https://example.com/1, json: {at: '${now()}'}}}
  - wait: 7d
  - {call: http.post, with: {url: https://example.com/2, json: {at: '${now()}'}}}
  - wait: 23d
  - {call: http.post, with: {url: https://example.com/3, json: {at: '${now()}'}}}
";
    check_passes(
        workflow,
        "
cases:
  - name: three mails
    now: 2026-03-01T09:00:00Z
    mock: {http.post: {output: {}}}
    expect:
      with:
        http.post:
          - {json: {at: '2026-03-01T09:00:00.000Z'}}
          - {json: {at: '2026-03-08T09:00:00.000Z'}}
          - {json: {at: '2026-03-31T09:00:00.000Z'}}
",
    );
}

#[test]
fn a_call_that_fails_is_tried_again_as_its_retry_says() {
    let workflow =
        "when: [manual]\nsteps:\n  - {id: a, call: http.post, with: {url: https://example.com}, retry: {attempts: 3}}\n  - stop: now()\n";
    check_passes(
        workflow,
        "
cases:
  - name: twice down, then up; what the other side asks for is waited
    mock: {http.post: [{error: {status: 503}}, {error: {status: 429, retry_after: 2h}}, {output: {ok: true}}]}
    expect: {status: succeeded, calls: [http.post, http.post, http.post], steps: {a: {ok: true}}}
  - name: down for good
    mock: {http.post: {error: {kind: timeout, message: no answer}}}
    expect: {status: failed, error: no answer, calls: [http.post, http.post, http.post]}
  - name: refused
    mock: {http.post: {error: {status: 404}}}
    expect: {error: answered 404, calls: [http.post]}
",
    );
    let asked = "cases:\n  - name: later\n    now: 2026-01-01T00:00:00Z\n    mock: {http.post: [{error: {status: 429, retry_after: 2h}}, {output: 1}]}\n    expect: {output: 0}\n";
    assert_eq!(said(workflow, asked), "later: output | 0 | \"2026-01-01T02:00:00.000Z\"\n");
}

#[test]
fn an_unmocked_call_names_the_step_and_shows_the_mock_to_write() {
    insta::assert_snapshot!(said(POST, "cases:\n  - {name: none, expect: {}}\n  - {name: used up, mock: {http.post: []}, expect: {}}\n"), @r"
    none: step `a` calls `http.post`, which the case does not mock; add
      mock:
        http.post: {output: {status: 200, body: {}}}
    used up: step `a` makes call 1 of `http.post`, and its mock has 0 answers; add one to the list
    ");
}

#[test]
fn a_wrong_expectation_shows_both_sides() {
    let cases = "
cases:
  - name: all wrong
    mock: {http.post: {output: {status: 201, list: [1, 2]}}}
    expect:
      status: failed
      calls: []
      with: {http.post: {json: {n: 2, text: hi, more: 1}}, http.get: {}}
      steps: {a: {status: 200, list: [1, 3]}, b: {}}
      output: {status: 201.0}
      vars: {x: 1}
  - name: more calls than there are
    mock: {http.post: {output: {}}}
    expect: {error: gone, with: {http.post: [{}, {url: x}]}}
  - name: another error
    mock: {http.post: {error: {status: 400, message: bad}}}
    expect: {error: good, output: 1}
";
    insta::assert_snapshot!(said(POST, cases), @r#"
    all wrong: status | failed | succeeded
    all wrong: calls | [] | ["http.post"]
    all wrong: with.http.get | {} | no such call
    all wrong: with.http.post[0].json.more | 1 | nothing
    all wrong: with.http.post[0].json.n | 2 | 1
    all wrong: steps.a.list[1] | 3 | 2
    all wrong: steps.a.status | 200 | 201
    all wrong: steps.b | {} | no step has this id
    all wrong: vars.x | 1 | nothing
    more calls than there are: status | failed | succeeded
    more calls than there are: with.http.post[1] | {"url":"x"} | no such call
    another error: error | … good … | a: bad
    another error: output | 1 | nothing
    "#);
}

#[test]
fn what_is_not_expected_may_be_anything_but_a_failure() {
    check_passes(POST, "cases:\n  - {name: a, mock: {http.post: {output: {status: 200}}}, expect: {steps: {a: {}}}}\n");
    let failed = said(POST, "cases:\n  - {name: a, mock: {http.post: {error: {status: 400}}}, expect: {}}\n");
    assert_eq!(failed, "a: status | succeeded | failed (a: answered 400)\n");
}

#[test]
fn a_secret_has_a_value_and_only_calls_see_it() {
    let workflow = "when: [manual]\nsteps:\n  - {call: http.post, with: {url: https://example.com, auth: {bearer: '${secrets.API_KEY}'}}}\n  - {call: http.get, with: {url: 'https://example.com/${secrets.OTHER}'}}\n";
    check_passes(
        workflow,
        "
cases:
  - name: as given, or by its name
    secrets: {OTHER: mine}
    mock: {http.post: {output: 1}, http.get: {output: 'echo secret-API_KEY'}}
    expect:
      with: {http.post: {auth: {bearer: secret-API_KEY}}, http.get: {url: https://example.com/mine}}
      output: 'echo ***'
",
    );
}

#[test]
fn calls_beside_each_other_are_both_made_and_one_that_may_happen_once_is_no_interruption() {
    let call = |id: &str| format!("[{{id: {id}, call: http.post, at_most_once: true, with: {{url: 'https://example.com/{id}'}}}}]");
    let workflow = format!("when: [manual]\nsteps:\n  - parallel: {{x: {}, y: {}}}\n", call("x"), call("y"));
    check_passes(
        &workflow,
        "cases:\n  - name: both\n    mock: {http.post: [{output: 1}, {output: 2}]}\n    expect: {output: {x: 1, y: 2}}\n",
    );
}

#[test]
fn a_run_that_takes_longer_than_its_timeout_fails() {
    let workflow = "when: [manual]\ntimeout: 1h\nsteps: [{wait: 2h}, {stop: 1}]\n";
    check_passes(workflow, "cases:\n  - {name: late, expect: {error: took longer than}}\n");
}

#[test]
fn coverage_names_every_way_that_no_case_went() {
    let workflow = "
when: [manual]
if: event.body.begin
steps:
  - {id: maybe, if: event.body.maybe, script: 1}
  - id: choice
    if: event.body.x > 1
    then: [{id: big, script: 1}]
  - id: word
    switch: event.body.word ?? 1
    cases: {a: [{id: in_a, script: 1}], b: []}
  - id: shaky
    call: http.post
    with: {url: https://example.com}
    on_error: [{id: mend, script: 1}]
on_error:
  - {id: alarm, script: 1}
";
    let (said, missed) = outcome(
        workflow,
        "cases:\n  - {name: one, event: {body: {begin: true, maybe: true, x: 2, word: b}}, mock: {http.post: {output: 1}}, expect: {}}\n",
    );
    assert_eq!(said, "");
    assert_eq!(
        missed,
        ["if not matched", "maybe skipped", "choice else", "word case a", "word default", "in_a", "shaky on_error", "mend", "alarm"]
            .map(|item| item.replace("in_a", "word/case-a/in_a").replace("mend", "shaky/on_error/mend").replace("alarm", "on_error/alarm"))
    );
    let all = "
cases:
  - {name: one, event: {body: {begin: true, maybe: true, x: 2, word: b}}, mock: {http.post: {output: 1}}, expect: {}}
  - {name: two, event: {body: {begin: true, maybe: false, x: 1, word: a}}, mock: {http.post: {error: {status: 400}}}, expect: {}}
  - {name: three, event: {body: {begin: false}}, expect: {status: not_matched}}
  - {name: four, event: {body: {begin: true}}, expect: {status: failed}}
  - {name: five, event: {body: {begin: true, maybe: false, x: 1}}, mock: {http.post: {output: 1}}, expect: {}}
";
    assert_eq!(outcome(workflow, all), (String::new(), Vec::new()));
}

const HOOK: &str = "
when:
  - webhook: {path: 'drip', verify: none, schema: {type: [object, 'null']}}
  - webhook: {path: 'drip/{n}', methods: [PUT], verify: none}
if: event.body != 1
steps:
  - stop: '#{b: event.body, m: event.method, p: event.path, n: event.params.n, a: event.query.a, x: event.headers[\"x-a\"], id: event.id, s: event.source, t: event.type}'
";

#[test]
fn events_come_from_files_as_xml_as_bytes_and_as_cloud_events() {
    check_passes(
        HOOK,
        "
cases:
  - name: from a file
    event: {file: fixtures/xml.json, headers: {X-A: b}}
    expect: {output: {b: {o: {'@n': '1'}}, m: PUT, p: drip/7, n: '7', a: '1', x: b}}
  - name: a file with another body
    event: {file: fixtures/xml.json, body: {p: {'@n': 2}}}
    expect: {output: {b: {p: {'@n': '2'}}, m: PUT, p: drip/7}}
  - name: xml
    event: {headers: {content-type: application/xml}, body: '<a><b>1</b></a>'}
    expect: {output: {b: {a: {b: '1'}}, m: POST, p: drip}}
  - name: bytes
    event: {headers: {content-type: image/png}, base64: iVBO}
    expect: {output: {b: null, m: POST}}
  - name: a cloud event
    event: {cloudevent: {id: A-1, type: order.paid}, body: {n: 1}}
    expect: {output: {b: {n: 1}, m: POST, p: drip, id: A-1, s: /test, t: order.paid}}
  - name: a cloud event as it is sent
    event:
      headers: {content-type: application/cloudevents+json}
      body: {specversion: '1.0', id: A-2, source: /shop, type: order.paid, data: {n: 2}}
    expect: {output: {b: {n: 2}, m: POST, p: drip, id: A-2, s: /shop, t: order.paid}}
  - name: a cloud event in headers
    event: {headers: {ce-specversion: '1.0', ce-id: A-3, ce-source: /shop, ce-type: order.paid}, body: {n: 3}}
    expect: {output: {b: {n: 3}, m: POST, p: drip, id: A-3, s: /shop, t: order.paid}}
  - name: refused
    event: {body: [1]}
    expect: {status: refused, error: the body is a list}
  - name: unreadable
    event: {headers: {content-type: text/xml}, body: '<a>'}
    expect: {status: refused, error: not XML}
",
    );
    let not_refused = said(HOOK, "cases:\n  - name: a\n    event: {body: {}}\n    expect: {status: refused}\n");
    assert_eq!(not_refused, "a: status | refused | succeeded\n");
}

fn problems(case: &str) -> Vec<String> {
    let source = SourceFile { path: "workflows/drip.test.yaml".into(), text: case.into() };
    let files =
        |path: &str| FILES.iter().find(|(name, _)| *name == path).map(|(_, text)| (*text).to_owned()).ok_or("it is not there".to_owned());
    file::read(&source, &files).1.into_iter().map(|problem| format!("{}: {}", problem.line, problem.message)).collect()
}

#[test]
fn an_event_that_cannot_be_read_is_told_with_its_place() {
    let case = |event: &str| format!("cases:\n  - name: a\n    event: {event}\n    expect: {{}}\n");
    assert_eq!(problems(&case("{file: fixtures/none.json}")), ["3: fixtures/none.json: it is not there"]);
    assert!(problems(&case("{file: fixtures/bad.json}"))[0].contains("it is not a recorded event: unknown field `boddy`"));
    assert!(problems(&case("{base64: '?'}"))[0].contains("3: `base64`: it is not Base64"));
    assert!(problems(&case("{base64: '', body: 1}"))[0].contains("`body` or `base64`, not both"));
    assert!(problems(&case("{cloudevent: 1}"))[0].contains("`cloudevent` is a map, not a number"));
}
