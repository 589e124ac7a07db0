//! Forms in a plan.

use std::collections::BTreeMap;

use super::{plan, project};
use crate::workflow::plan::Change;

const FULL: &str = "
when:
  - form:
      path: 'apply/{job}'
      redirect: /thanks
      honeypot: website
      uploads: {max: 1MiB, count: 2, types: [image/png, 'audio/*', .csv]}
      cors: {origins: [https://a.example, https://b.example]}
      limits: {body: 2KiB, rate: {limit: 10, per: 1m}, burst: 3}
      schema: {required: [email]}
      dedupe: {key: event.body.email, within: 1h}
      title: Apply
      fields:
        email: {type: email, label: E-mail, required: true, max: 90, pattern: '.+'}
        age: {type: number, min: 18.5, value: 20}
        day: {type: date, max: 2026-12-31}
        size: {type: select, options: {s: Small, l: Large}, help: Choose}
        cv: {type: file, multiple: true}
        from: {type: hidden, value: web}
        ok: checkbox
steps: []
";

#[test]
fn every_key_of_a_form_is_told() {
    let project = project(&[("a", FULL)]);
    let trigger = &project.workflows[0].triggers[0];
    let route = trigger.route.as_ref().unwrap();
    assert_eq!(
        (route.path.as_str(), route.methods.join(" "), route.verify.as_str()),
        ("/forms/apply/{job}", "GET POST".to_owned(), "form")
    );
    let expected = BTreeMap::from([
        ("redirect", "/thanks"),
        ("honeypot", "website"),
        ("uploads", "2 files of image/png, audio/*, .csv, 1048576 bytes each"),
        ("cors", "https://a.example, https://b.example, remembered for 10m"),
        ("limits.rate", "10 in 1m, 3 at once"),
        ("limits.body", "2048 bytes"),
        ("dedupe", "event.body.email within 1h"),
        ("title", "Apply"),
        ("fields", "email, age, day, size, cv, from, ok"),
        ("fields.email", "email, required, label E-mail, max 90, pattern .+"),
        ("fields.age", "number, label Age, value 20, min 18.5"),
        ("fields.day", "date, label Day, max 2026-12-31"),
        ("fields.size", "select, label Size, help Choose, options s: Small, l: Large"),
        ("fields.cv", "file, label Cv, multiple"),
        ("fields.from", "hidden, label From, value web"),
        ("fields.ok", "checkbox, label Ok"),
    ]);
    assert!(trigger.settings["schema"].len() < 80, "a schema in the file is told by its digest: {trigger:?}");
    let told: BTreeMap<&str, &str> =
        trigger.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).filter(|(key, _)| *key != "schema").collect();
    assert_eq!(told, expected);
}

#[test]
fn a_form_that_changes_is_the_same_form() {
    let other = FULL.replace("max: 90", "max: 80").replace("        ok: checkbox\n", "");
    let plan = plan(&[("a", FULL)], &[("a", &other)]);
    assert!(plan.routes.is_empty(), "{plan:?}");
    let [change] = plan.workflows.changed[0].triggers.as_slice() else { panic!("{plan:?}") };
    assert_eq!((change.change, change.trigger.as_str()), (Change::Changed, "form GET, POST /forms/apply/{job}"));
    let keys: Vec<&str> = change.settings.iter().map(|setting| setting.key.as_str()).collect();
    assert_eq!(keys, ["fields", "fields.email", "fields.ok"]);

    let without = FULL.split("      title:").next().unwrap().to_owned() + "steps: []\n";
    let plan = super::plan(&[("a", FULL)], &[("a", &without)]);
    let gone: Vec<(Change, &str, &str)> = plan.routes.iter().map(|route| (route.change, &*route.method, &*route.path)).collect();
    assert_eq!(gone, [(Change::Removed, "GET", "/forms/apply/{job}")], "the form has no page any more");
}
