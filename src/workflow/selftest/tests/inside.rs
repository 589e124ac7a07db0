//! The runner on what runs say inside: events, people, children, answers, and the ways a run can end.

use super::{check_passes, outcome, outcome_beside, said};

const ORDER: &str = "
when: [manual]
steps:
  - {id: asked, emit: order.placed, with: {id: '${event.body.id}'}}
  - id: paid
    wait:
      event: order.paid
      if: event.body.id == run.event.body.id
      for: 3d
      else: [{emit: order.expired, with: {id: '${event.body.id}', why: '${error.kind}'}}, {stop: '\"late\"'}]
  - stop: steps.paid.body.sum
";

#[test]
fn an_event_that_comes_wakes_the_run_at_its_time() {
    check_passes(
        ORDER,
        "
cases:
  - name: paid in time; what is for another order is passed over
    event: {body: {id: o1}}
    arrive:
      - {type: order.paid, body: {id: o2, sum: 1}, after: 1h}
      - {type: order.paid, body: {id: o1, sum: 2}, after: 2d}
      - {type: order.paid, body: {id: o1, sum: 3}, at: '2026-01-03T12:00:00Z'}
    expect: {output: 2, emitted: [{type: order.placed, body: {id: o1}}], steps: {paid: {body: {id: o1}, time: '2026-01-03T00:00:00.000Z'}}}
  - name: too late
    event: {body: {id: o1}}
    arrive: [{type: order.paid, body: {id: o1, sum: 2}, after: 4d}]
    expect: {output: late, emitted: [order.placed, {type: order.expired, body: {why: expired}}]}
",
    );
    let wrong = "
cases:
  - name: types
    event: {body: {id: o1}}
    expect: {output: late, emitted: [order.placed]}
  - name: bodies
    event: {body: {id: o1}}
    expect: {output: late, emitted: [{type: order.placed, body: {id: o2}}, order.expired]}
";
    insta::assert_snapshot!(said(ORDER, wrong), @r#"
    types: emitted | ["order.placed"] | ["order.placed","order.expired"]
    bodies: emitted[0].body.id | "o2" | "o1"
    "#);
}

#[test]
fn an_event_that_nobody_brings_is_named_with_its_step() {
    let workflow = "
when: [manual]
steps:
  - wait: 1h
  - wait: 1h
  - {id: paid, wait: {event: order.paid, if: event.body.ok}}
";
    insta::assert_snapshot!(said(workflow, "
cases:
  - {name: none, expect: {}}
  - {name: early and wrong, arrive: [{type: order.paid, body: {ok: true}, after: 0s}, {type: order.paid, body: {ok: false}, after: 3h}], expect: {}}
"), @r"
    none: step `paid` waits for an event `order.paid`, and the case brings none; add
      arrive:
        - {type: order.paid, body: {}, after: 1h}
    early and wrong: step `paid` waits for an event `order.paid`, and the case brings none; 2 came, and were too early, taken already, or not the one by its `if`; add
      arrive:
        - {type: order.paid, body: {}, after: 1h}
    ");
}

#[test]
fn an_event_is_not_missed_while_the_step_before_is_done_and_is_taken_once() {
    let workflow = "
when: [manual]
steps:
  - {call: http.post, with: {url: https://example.com}, retry: {attempts: 2}}
  - {id: one, wait: {event: tick}}
  - {id: two, wait: {event: tick}}
  - stop: '[steps.one.body, steps.two.body]'
";
    check_passes(
        workflow,
        "
cases:
  - name: while the call was tried again
    mock: {http.post: [{error: {status: 503, retry_after: 2h}}, {output: 1}]}
    arrive: [{type: tick, body: 1, after: 1h}, {type: tick, body: 2, after: 5h}]
    expect: {output: [1, 2]}
",
    );
}

const REFUND: &str = "
when: [manual]
steps:
  - id: boss
    approve:
      to: boss@example.com
      message: 'Refund ${event.body?.sum ?? 5}?'
      within: 2d
      notify: [{call: http.post, with: {url: https://example.com/ask, text: '${approval.link}'}}]
      else: [{fail: 'no: ${error.kind}, ${error.message}'}]
  - stop: '[steps.boss.who, steps.boss.when]'
";

#[test]
fn a_person_says_yes_no_or_nothing() {
    check_passes(
        REFUND,
        "
cases:
  - name: yes
    mock: {http.post: {output: 1}}
    approvals: {boss: {what: approved, who: Ann, after: 3h}}
    expect: {output: [Ann, '2026-01-01T03:00:00.000Z'], calls: [http.post], steps: {boss: {comment: ''}}}
  - name: yes, in a word
    mock: {http.post: {output: 1}}
    approvals: {boss: approved}
    expect: {output: [boss@example.com, '2026-01-01T00:00:00.000Z']}
  - name: no
    mock: {http.post: {output: 1}}
    approvals: {boss: {what: denied, who: Ann, comment: too much}}
    expect: {error: 'no: denied, Ann said no: too much'}
  - name: nothing
    mock: {http.post: {output: 1}}
    expect: {error: 'no: expired'}
",
    );
    let (found, missed) = outcome(
        REFUND,
        "cases:\n  - {name: yes, mock: {http.post: {output: 1}}, approvals: {boss: approved}, expect: {}}\n  - {name: wrong name, approvals: {bos: approved}, expect: {}}\n",
    );
    assert_eq!(found, "wrong name: `approvals.bos`: no `approve` step has this id or address; did you mean `boss`? valid here: `boss`\n");
    assert_eq!(missed, ["boss else", "boss/else/0"]);
}

#[test]
fn an_approve_that_is_retried_gets_one_answer_after_the_other() {
    let workflow = "
when: [manual]
steps:
  - id: ask
    retry: {attempts: 3, first: 1h}
    if: true == event.body.ask
    then:
      - {id: ok, approve: {to: a, message: b, within: 1d}}
";
    let cases = "
cases:
  - name: nothing, then yes
    event: {body: {ask: true}}
    approvals: {ok: [{what: approved, after: 2d}, {what: approved, who: Bo}]}
    expect: {steps: {ok: {who: Bo}}}
  - name: used up
    event: {body: {ask: true}}
    approvals: {ok: []}
    expect: {}
";
    assert_eq!(said(workflow, cases), "used up: step `ask/then/ok` asks for the 1. time, and `approvals.ok` has no more answers\n");
}

const PARENT: &str = "
when: [manual]
steps:
  - {id: bill, run: billing, with: {sum: '${event.body.sum}'}}
  - stop: steps.bill
";
const BILLING: &str = "
when: [manual]
input: {sum: {type: number, required: true}}
steps:
  - {call: http.post, with: {url: https://example.com, json: {sum: '${input.sum}'}}}
  - {wait: 2d}
  - {emit: billed, with: {sum: '${input.sum}'}}
  - stop: input.sum * 2
on_cancel: [{call: http.get, with: {url: https://example.com/undo}}]
";

#[test]
fn a_child_is_the_workflow_of_the_project_or_a_mock() {
    let cases = "
cases:
  - name: real
    event: {body: {sum: 3}}
    mock: {http.post: {output: 1}}
    expect: {output: 6, calls: [http.post], with: {http.post: {json: {sum: 3}}, run billing: {sum: 3}}, emitted: [{type: billed, body: {sum: 3}}]}
  - name: real, and it fails
    event: {body: {sum: many}}
    expect: {error: the input `sum` is of type number}
  - name: mocked
    event: {body: {sum: 3}}
    mock: {run billing: {output: 9}}
    expect: {output: 9, calls: [run billing], with: {run billing: {sum: 3}}}
  - name: mocked to fail
    event: {body: {sum: 3}}
    mock: {run billing: {error: {message: no account}}}
    expect: {error: no account}
  - name: canceled with its child
    event: {body: {sum: 3}}
    mock: {http.post: {output: 1}, http.get: {output: 1}}
    cancel: {after: 1d}
    expect: {status: canceled, calls: [http.post, http.get]}
";
    assert_eq!(outcome_beside(PARENT, &[("billing", BILLING)], cases).0, "");
    let gone = "cases:\n  - {name: gone, event: {body: {sum: 1}}, mock: {run billing: []}, expect: {}}\n";
    assert_eq!(
        outcome_beside(PARENT, &[("billing", BILLING)], gone).0,
        "gone: step `bill` makes call 1 of `run billing`, and its mock has 0 answers; add one to the list\n"
    );
}

#[test]
fn a_workflow_that_starts_itself_for_ever_is_stopped() {
    let own = "when: [manual]\nsteps: [{if: event.body != 1, run: drip}]\n";
    check_passes(own, "cases:\n  - {name: circle, expect: {error: events have led to one another}}\n");
}

#[test]
fn an_answer_is_compared_in_the_words_of_respond() {
    let workflow = "
when: [manual]
steps:
  - switch: event.body
    cases:
      json: [{respond: {status: 201, headers: {X-Id: 5}, json: {id: 5, more: true}}}]
      text: [{respond: {text: hello}}]
      away: [{respond: {redirect: https://example.com/thanks}}]
";
    let cases = "
cases:
  - {name: json, event: {body: json}, expect: {response: {status: 201, headers: {x-id: '5', Content-Type: application/json}, json: {id: 5}}}}
  - {name: text, event: {body: text}, expect: {response: {status: 200, text: hello}}}
  - {name: away, event: {body: away}, expect: {response: {status: 303, redirect: https://example.com/thanks}}}
  - {name: wrong, event: {body: json}, expect: {response: {status: 200, json: {id: 6}, headers: {x-none: a}}}}
  - {name: none, event: {body: other}, expect: {response: {status: 200}}}
";
    insta::assert_snapshot!(said(workflow, cases), @r#"
    wrong: response.headers.x-none | "a" | nothing
    wrong: response.json.id | 6 | 5
    wrong: response.status | 200 | 201
    none: response | {"status":200} | no answer
    "#);
}

const SAGA: &str = "
when: [manual]
steps:
  - {id: flight, call: http.post, with: {url: https://example.com/flight}, undo: [{call: http.get, with: {url: 'https://example.com/undo/${steps.flight}'}}]}
  - {id: hotel, call: http.post, with: {url: https://example.com/hotel}, undo: [{call: http.get, with: {url: 'https://example.com/undo/${steps.hotel}'}}]}
  - {wait: 1d}
  - {if: event.body.fails, fail: sold out}
on_error: [{call: http.post, with: {url: https://example.com/alarm}}]
on_cancel: [{call: http.post, with: {url: https://example.com/canceled}}]
finally: [{call: http.post, with: {url: https://example.com/last}}]
";

#[test]
fn undo_handlers_and_finally_are_calls_in_order() {
    let cases = "
cases:
  - name: fails
    event: {body: {fails: true}}
    mock: {http.post: [{output: F}, {output: H}, {output: 1}, {output: 1}], http.get: {output: 1}}
    expect:
      error: sold out
      calls: [http.post, http.post, http.get, http.get, http.post, http.post]
      with:
        http.get: [{url: https://example.com/undo/H}, {url: https://example.com/undo/F}]
        http.post: [{}, {}, {url: https://example.com/alarm}, {url: https://example.com/last}]
";
    let (found, missed) = outcome(SAGA, cases);
    assert_eq!(found, "");
    assert_eq!(missed, ["3 skipped", "on_cancel/0"]);
    let rest = "
cases:
  - name: canceled: nothing is taken back
    event: {body: {fails: false}}
    mock: {http.post: {output: 1}}
    cancel: {after: 1h}
    expect: {status: canceled, calls: [http.post, http.post, http.post, http.post], with: {http.post: [{}, {}, {url: https://example.com/canceled}, {url: https://example.com/last}]}}
  - name: succeeds
    event: {body: {fails: false}}
    mock: {http.post: {output: 1}}
    expect: {calls: [http.post, http.post, http.post]}
"
    .replace("canceled: nothing", "canceled, nothing");
    let (found, missed) = outcome(SAGA, &rest);
    assert_eq!(found, "");
    assert_eq!(missed, ["flight/undo/0", "hotel/undo/0", "3", "on_error/0"]);
}

#[test]
fn a_block_that_is_retried_makes_its_calls_again() {
    let workflow = "
when: [manual]
steps:
  - id: both
    retry: {attempts: 2, first: 1s}
    parallel:
      a: [{call: http.get, with: {url: https://example.com/a}}]
      b: [{call: http.post, with: {url: https://example.com/b}, retry: {attempts: 1}}]
";
    check_passes(
        workflow,
        "
cases:
  - name: the second time
    mock: {http.get: {output: 1}, http.post: [{error: {status: 500}}, {output: 2}]}
    expect: {calls: [http.get, http.post, http.get, http.post], steps: {both: {a: 1, b: 2}}}
",
    );
}

#[test]
fn a_batch_is_given_all_its_events_but_those_that_do_not_match() {
    let workflow = "
when: [{event: {type: sale, if: event.body.n != 3}}]
if: event.body.n != 2
batch: {size: 10, within: 1m}
steps: [{stop: event.body}]
";
    check_passes(
        workflow,
        "
cases:
  - {name: some, events: [{body: {n: 1}}, {body: {n: 2}}, {body: {n: 3}}, {body: {n: 4}}], expect: {output: [{n: 1}, {n: 4}]}}
  - {name: none, events: [{body: {n: 2}}], expect: {status: not_matched}}
  - {name: one, event: {body: {n: 1}}, expect: {output: [{n: 1}]}}
",
    );
    let plain = "when: [manual]\nsteps: []\n";
    let cases = "cases:\n  - {name: a, events: [{body: 1}], expect: {}}\n";
    assert_eq!(said(plain, cases), "a: `events` is for a workflow with `batch`; write `event`\n");
}

#[test]
fn a_run_trigger_is_given_the_end_of_a_run() {
    let workflow = "
when: [manual, {run: {workflow: billing, outcome: failed}}]
steps: [{stop: 'event.body?.status ?? event.source'}]
";
    let cases = "
cases:
  - {name: by hand, expect: {output: manual}}
  - {name: an end, event: {type: run.ended}, expect: {output: failed}}
  - {name: another end, event: {type: run.ended, body: {status: succeeded}}, expect: {status: not_matched}}
";
    assert_eq!(outcome_beside(workflow, &[("billing", BILLING)], cases).0, "");
}

#[test]
fn each_trigger_is_asked_whether_it_takes_the_event() {
    let workflow = "
when:
  - {run: {workflow: billing, outcome: failed}}
  - {run: {workflow: shipping}}
  - {event: {type: paid, if: event.body.n > 10}}
  - {event: {type: paid, if: event.body.n < 5}}
steps: [{stop: event.body.n ?? event.body.workflow}]
";
    let shipping = "when: [manual]\nsteps: []\n";
    let cases = "
cases:
  - {name: the second of two ends, event: {type: run.ended, body: {workflow: shipping, status: succeeded}}, expect: {output: shipping}}
  - {name: another outcome, event: {type: run.ended, body: {workflow: billing, status: succeeded}}, expect: {status: not_matched}}
  - {name: the first of two types, event: {type: paid, body: {n: 11}}, expect: {output: 11}}
  - {name: the second of two types, event: {type: paid, body: {n: 1}}, expect: {output: 1}}
  - {name: neither, event: {type: paid, body: {n: 7}}, expect: {status: not_matched}}
";
    assert_eq!(outcome_beside(workflow, &[("billing", BILLING), ("shipping", shipping)], cases).0, "");
}
