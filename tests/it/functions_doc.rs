//! `docs/reference/functions.md` is what the tables of the library say.

use std::fs;
use std::path::Path;

use hence::script::library::reference;

#[test]
fn functions_doc_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference/functions.md");
    #[expect(clippy::disallowed_methods, reason = "a test that is asked to write the page anew; no part of the program")]
    let is_blessed = std::env::var_os("HENCE_BLESS").is_some();
    if is_blessed {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, reference()).unwrap();
    }
    let page = fs::read_to_string(&path).unwrap_or_default();
    assert!(page == reference(), "docs/reference/functions.md is old; write it anew: HENCE_BLESS=1 cargo test functions_doc");
}

#[test]
fn check_knows_every_function_of_the_reference() {
    let steps: String = hence::script::library::SUBJECTS
        .iter()
        .flat_map(|subject| subject.functions)
        .filter_map(|function| Some(format!("  - script: |\n      {}\n", function.example.split_once(" => ")?.0.replace('\n', "\n      "))))
        .collect();
    let project = crate::support::Project::of(&format!("when: [{{manual: }}]\nsteps:\n{steps}"));
    let unknown: Vec<_> =
        hence::app::check(project.dir()).problems.into_iter().filter(|problem| problem.code == "unknown-function").collect();
    assert!(100 < steps.lines().count() && unknown.is_empty(), "{unknown:?}");
}
