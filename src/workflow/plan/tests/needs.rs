//! Secrets and connections.

use std::collections::BTreeSet;

use super::super::{ConnectionOutline, Missing, compare};
use super::{project, served, steps};

fn missing(list: &[Missing]) -> Vec<String> {
    let names = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(" ");
    list.iter().map(|m| format!("{}: {} {}", m.name, names(&m.workflows), names(&m.connections)).trim_end().to_owned()).collect()
}

fn connection(name: &str, connector: &str, secrets: &[&str], digest: &str) -> ConnectionOutline {
    let secrets = secrets.iter().map(|name| (*name).to_owned()).collect();
    ConnectionOutline { name: name.to_owned(), connector: connector.to_owned(), secrets, digest: digest.to_owned() }
}

#[test]
fn secrets_are_looked_for_at_the_server() {
    let with = |text: &str| steps(&format!("  - call: http.get\n    # secrets.COMMENT\n    with: {{url: '{text}'}}\n"));
    let before = served(project(&[("a", &with("${secrets.HOOK_SECRET}")), ("b", &with("${secrets.GONE}"))]));
    let after = with("x ${secrets.MISSING} ${secrets[\"NEW_SECRET\"]} $${secrets.NOT}");
    let plan = compare(&before, &project(&[("a", &after)]), &BTreeSet::new());
    assert_eq!(missing(&plan.secrets.missing), ["MISSING: a"]);
    assert_eq!((plan.secrets.needed, plan.secrets.unused), (2, vec!["HOOK_SECRET".to_owned()]), "GONE is not set anyway");
    assert_eq!(plan.refused, ["a".to_owned()].into());

    let mut project = project(&[]);
    project.settings.connections = vec![connection("crm", "hubspot", &["HOOK_SECRET", "CRM"], "1")];
    let plan = compare(&before, &project, &BTreeSet::new());
    assert_eq!(missing(&plan.secrets.missing), ["CRM:  crm"], "used or not: the server does not start without it");
    assert_eq!((plan.secrets.unused, plan.refused), (vec![], BTreeSet::new()));
}

#[test]
fn connections_are_looked_for_at_the_server() {
    let call = |text: &str| steps(&format!("  - {{call: {text}}}\n"));
    let check = |text: &str, there: &[&ConnectionOutline], here: &[&ConnectionOutline], expected: &[&str]| {
        let mut before = served(project(&[("a", &call("http.post, using: crm"))]));
        before.project.settings.connections = there.iter().copied().cloned().collect();
        let mut after = project(&[("a", &call(text))]);
        after.settings.connections = here.iter().copied().cloned().collect();
        let plan = compare(&before, &after, &BTreeSet::new());
        let told = |mark: char, names: &[String]| names.iter().map(|name| format!("{mark} {name}")).collect::<Vec<_>>();
        let missing = missing(&plan.connections.missing).into_iter().map(|text| format!("! {text}"));
        let all: Vec<String> = missing.chain(told('~', &plan.connections.changed)).chain(told('-', &plan.connections.unused)).collect();
        assert_eq!(all, expected, "{text}");
    };
    let crm = connection("crm", "http", &[], "1");
    check("http.get, using: crm", &[&crm], &[&crm], &[]);
    check("http.get, using: crm", &[&crm], &[&connection("crm", "http", &[], "2")], &["~ crm"]);
    check("hubspot.upsert_contact, using: crm", &[&crm], &[&connection("crm", "hubspot", &[], "1")], &["! crm: a"]);
    check("http.get, using: crm", &[], &[&crm], &["! crm: a"]);
    check("http.get", &[&crm], &[&crm], &["- crm"]);
    // Without `using` it is the one named like the connector, where there is one.
    let own = connection("http", "http", &[], "1");
    check("http.get", &[&crm], &[&crm, &own], &["! http: a", "- crm"]);
    check("http.get", &[&crm, &own], &[&own], &["- crm"]);
}
