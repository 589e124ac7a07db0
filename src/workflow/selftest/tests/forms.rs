//! Cases that fill forms in.

use super::{check_passes, said};

const FORM: &str = "
when:
  - webhook: {path: a, verify: none}
  - form:
      path: apply/{job}
      fields:
        email: {type: email, required: true}
        age: number
        topics: {type: checkbox, options: [a, b]}
        cv: {type: file, required: true}
if: event.source == \"form\"
steps:
  - {id: a, script: '#{job: event.params.job, body: event.body, file: event.files[0].name, size: event.files[0].size, kind: event.type}'}
";

#[test]
fn a_form_is_filled_in_as_a_browser_would() {
    check_passes(
        FORM,
        "
cases:
  - name: with everything
    event:
      path: apply/cook
      form: {email: ada@example.com, age: 36, topics: [b, a]}
      files: [{field: cv, name: cv.pdf, type: application/pdf, size: 2KiB}]
    expect:
      status: succeeded
      steps: {a: {job: cook, body: {email: ada@example.com, age: 36, topics: [a, b]}, file: cv.pdf, size: 2048, kind: form}}
",
    );
}

#[test]
fn what_the_form_would_not_take_fails_the_case() {
    let cases = "
cases:
  - name: wrong
    event: {form: {email: nowhere, age: many}}
    expect: {status: succeeded}
";
    let words = "wrong: the form would not take this: email: Write an address such as ada@example.com. \
                 age: Write a number, with digits and a point. cv: Choose a file.\n";
    assert_eq!(said(FORM, cases), words);
    let none =
        said("when: [manual]\nsteps: [{stop: '1'}]\n", "cases:\n  - {name: a, event: {form: {a: b}}, expect: {status: succeeded}}\n");
    assert_eq!(none, "a: `event.form` is for a workflow with a `form` trigger; write `body`\n");
}

#[test]
fn what_does_not_fit_the_forms_schema_is_refused() {
    let workflow = FORM.replace("      fields:", "      schema: {properties: {age: {minimum: 18}}}\n      fields:");
    let cases = |age: u8, expect: &str| {
        let event = format!("{{path: apply/cook, form: {{email: a@b.c, age: {age}}}, files: [{{field: cv, name: cv.pdf, size: 1KiB}}]}}");
        format!("cases:\n  - {{name: a, event: {event}, expect: {expect}}}\n")
    };
    check_passes(&workflow, &cases(17, "{status: refused, error: /age is less than 18}"));
    check_passes(&workflow, &cases(18, "{status: succeeded}"));
}
