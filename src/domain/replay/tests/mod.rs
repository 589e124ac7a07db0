//! Journals by hand for what a person may ask; steps that speak with somebody in `inside`; workflows drawn by chance in `drawn`.

mod build;
mod drawn;
mod inside;

use build::Kind::{Call as C, Caught, Each, If, Once, Parallel, Repeat, Script, Wait as W};
use build::{check, check_between, check_changed, flow, steps};

#[test]
fn what_was_done_before_the_step_is_reused() {
    let named = || [("look", C), ("1", Script), ("charge", C), ("tell", C)];
    let facts = ["retry look", "failed look"];
    check(&named(), &facts, "look", Ok(&[]));
    let facts = ["done look", "gave 1", "retry charge", "failed charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1]));
    check(&named(), &facts, "1", Ok(&[0]));
    check(&named(), &facts, "tell", Err("`charge` comes before `tell` and did not finish: replay from `charge`, or the whole run"));
    check(&named(), &["done look", "gave 1", "done charge", "done tell"], "tell", Ok(&[0, 1, 2]));
    check(&named(), &facts, "chrge", Err("the workflow has no step `chrge`; it has `look`, `1`, `charge`, `tell`"));
    check(&named(), &facts, "charge[0]", Err("the workflow has no step `charge[0]`; it has `look`, `1`, `charge`, `tell`"));
}

#[test]
fn a_branch_stays_as_it_was_taken() {
    let named = || [("2", If(vec![("0", Script), ("charge", C)], vec![("other", C)])), ("tell", C)];
    let facts = ["took 2 then", "gave 2/then/0", "failed 2/then/charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1]));
    check(&named(), &facts, "2/then/charge", Ok(&[0, 1]));
    check(&named(), &facts, "2", Ok(&[]));
    let other = "the run did not come to `2/else/other`, `2` went on without it: replay from `2`, or the whole run";
    check(&named(), &facts, "other", Err(other));
}

#[test]
fn a_step_of_a_loop_needs_its_iteration() {
    let named = || [("each", Each(1, vec![("look", Script), ("charge", C)])), ("tell", C)];
    let facts = ["loop each 3", "gave each[0]/look", "done each[0]/charge", "end each 0", "gave each[1]/look", "failed each[1]/charge"];
    check(&named(), &facts, "each[1]/charge", Ok(&[0, 1, 2, 3, 4]));
    check(&named(), &facts, "each[0]/charge", Ok(&[0, 1]));
    check(&named(), &facts, "each", Ok(&[]));
    let in_a_loop = |step: &str| format!("`{step}` is in a loop: say in which iteration, as in `each[1]/charge`, or replay from `each`");
    check(&named(), &facts, "charge", Err(&in_a_loop("charge")));
    check(&named(), &facts, "each/charge", Err(&in_a_loop("each/charge")));
    check(&named(), &facts, "each[01]/charge", Err(&in_a_loop("each[01]/charge")));
    check(&named(), &facts, "each[9]", Err("the workflow has no step `each[9]`; it has `each`, `each[N]/look`, `each[N]/charge`, `tell`"));
    let unfinished = "`each[1]/charge` comes before `each[2]/charge` and did not finish: replay from `each[1]/charge`, or the whole run";
    check(&named(), &facts, "each[2]/charge", Err(unfinished));
    let without = "the run did not come to `each[3]/look`, `each` went on without it: replay from `each`, or the whole run";
    check(&named(), &facts, "each[3]/look", Err(without));
}

#[test]
fn rounds_before_the_step_are_over() {
    let named = || [("poll", Repeat(vec![("look", C)]))];
    let facts = ["done poll[0]/look", "round poll 0", "done poll[1]/look", "round poll 1", "done poll[2]/look", "gave poll"];
    check(&named(), &facts, "poll[1]/look", Ok(&[0, 1]));
    check(&named(), &facts, "poll[2]/look", Ok(&[0, 1, 2, 3]));
    let without = "the run did not come to `poll[3]/look`, `poll` went on without it: replay from `poll`, or the whole run";
    check(&named(), &facts, "poll[3]/look", Err(without));
}

#[test]
fn what_goes_side_by_side_is_not_done_again() {
    let named = || [("both", Parallel(false, vec![("sms", C), ("rest", W), ("mail", C)], vec![("0", Script), ("charge", C)])), ("tell", C)];
    let facts = ["gave both/b/0", "done both/a/sms", "wait both/a/rest", "failed both/b/charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1, 2]));
    check(&named(), &facts, "sms", Ok(&[0]));
    let unfinished = "`both/b/charge` comes before `tell` and did not finish: replay from `both/b/charge`, or the whole run";
    check(
        &named(),
        &["gave both/b/0", "done both/a/sms", "wait both/a/rest", "gave both/a/rest", "done both/a/mail", "failed both/b/charge"],
        "tell",
        Err(unfinished),
    );
    // A call that had not ended there is made anew, with all its tries.
    let facts = ["gave both/b/0", "retry both/a/sms", "failed both/b/charge"];
    check(&named(), &facts, "charge", Ok(&[0]));
    // One that failed there, too.
    let facts = ["gave both/b/0", "done both/b/charge", "failed both/a/sms"];
    check(&named(), &facts, "charge", Ok(&[0]));
    check(&named(), &facts, "sms", Ok(&[0, 1]));
}

#[test]
fn iterations_side_by_side_keep_what_they_did() {
    let named = || [("each", Each(2, vec![("look", Script), ("charge", C)]))];
    let facts = [
        "loop each 3",
        "gave each[0]/look",
        "gave each[1]/look",
        "done each[0]/charge",
        "end each 0",
        "gave each[2]/look",
        "failed each[1]/charge",
    ];
    check(&named(), &facts, "each[1]/charge", Ok(&[0, 1, 2, 3, 4, 5]));
    check(&named(), &facts, "each[0]/look", Ok(&[0, 2]));
}

#[test]
fn a_decided_race_is_not_run_again_from_within() {
    let named = || [("race", Parallel(true, vec![("fast", C)], vec![("slow", C), ("late", C)]))];
    let facts = ["done race/b/slow", "done race/a/fast", "gave race"];
    let decided = "the run did not come to `race/b/late`, `race` went on without it: replay from `race`, or the whole run";
    check(&named(), &facts, "late", Err(decided));
    check(&named(), &facts, "fast", Ok(&[0]));
}

#[test]
fn a_call_that_may_have_been_made_is_for_a_person_to_decide() {
    let named = || [("both", Parallel(false, vec![("pay", Once)], vec![("charge", C)]))];
    let facts = ["start both/a/pay", "failed both/b/charge"];
    let under_way = "`both/a/pay` may be made at most once and was under way when the run ended: \
                     look whether it took effect at the other side, then replay from `both/a/pay`, or the whole run";
    check(&named(), &facts, "charge", Err(under_way));
    check(&named(), &facts, "pay", Ok(&[]));
    check(&named(), &["start both/a/pay", "done both/a/pay", "failed both/b/charge"], "charge", Ok(&[0, 1]));
}

#[test]
fn a_failure_that_was_taken_care_of_is_part_of_what_was_done() {
    let named = || [("look", Caught(Box::new(C), vec![("0", Script), ("note", C)])), ("charge", C)];
    let facts = ["failed look", "gave look/on_error/0", "done look/on_error/note", "failed charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1, 2]));
    check(&named(), &facts, "note", Ok(&[0, 1]));
    check(&named(), &facts, "look", Ok(&[]));
    let without = "the run did not come to `look/on_error/note`, `look` went on without it: replay from `look`, or the whole run";
    check(&named(), &["done look", "failed charge"], "note", Err(without));
    check(&named(), &["failed look", "failed look/on_error/0"], "look/on_error/0", Ok(&[0]));
    let around = || [("both", Caught(Box::new(Parallel(false, vec![("sms", C)], vec![("charge", C)])), vec![("note", C)])), ("tell", C)];
    let facts = ["done both/a/sms", "failed both/b/charge", "done both/on_error/note", "failed tell"];
    check(&around(), &facts, "charge", Ok(&[0]));
    check(&around(), &facts, "note", Ok(&[0, 1]));
    check(&around(), &facts, "tell", Ok(&[0, 1, 2]));
    let each = || [("each", Each(2, vec![("0", Caught(Box::new(If(vec![("x", C)], vec![])), vec![("y", C)])), ("charge", C)]))];
    let facts = [
        "loop each 2",
        "took each[0]/0 then",
        "took each[1]/0 then",
        "failed each[0]/0/then/x",
        "done each[0]/0/on_error/y",
        "done each[1]/0/then/x",
    ];
    check(&each(), &facts, "each[1]/0/then/x", Ok(&[0, 1, 2, 3, 4]));
}

#[test]
fn steps_of_the_whole_run_s_handler_are_no_place_to_begin() {
    let mut workflow = flow(&[("charge", C)]);
    workflow.on_error = steps("on_error/", &[("alarm", C)]);
    let refused = "`alarm` is done when a run ends: replay from one of the workflow's own steps";
    check_between((&workflow, &workflow), &["failed charge", "done on_error/alarm"], "alarm", Err(refused));
    check_between((&workflow, &workflow), &["failed charge", "done on_error/alarm"], "charge", Ok(&[]));
}

fn changed(before: &str, step: &str) -> String {
    format!(
        "`{before}` was done before `{step}`, and the workflow has changed there since: \
         replay the whole run (a step with an `id` may change, but not its kind or its place)"
    )
}

#[test]
fn a_mended_workflow_takes_over_what_is_still_the_same() {
    let facts = ["done look", "gave 1", "failed charge"];
    let old = || [("look", C), ("1", Script), ("charge", C)];
    check_changed(&old(), &[("look", C), ("1", Script), ("charge", Script), ("tell", C)], &facts, "charge", Ok(&[0, 1]));
    let mended = "`charge` comes before `tell` and did not finish: replay from `charge`, or the whole run";
    check_changed(&old(), &[("look", C), ("1", Script), ("charge", C), ("tell", C)], &facts, "tell", Err(mended));
    // Put in before the step that failed.
    check_changed(&old(), &[("look", C), ("1", Script), ("fix", C), ("charge", C)], &facts, "fix", Ok(&[0, 1]));
    check_changed(&old(), &[("look", C), ("fix", C), ("charge", C)], &facts, "fix", Err(&changed("1", "fix")));
    // Put into a block of its own: the step is known by its id.
    check_changed(&old(), &[("look", C), ("1", Script), ("2", If(vec![("charge", C)], vec![]))], &facts, "2", Ok(&[0, 1]));
    let unfinished = "`2` comes before `2/then/charge` and did not finish: replay from `2`, or the whole run";
    check_changed(&old(), &[("look", C), ("1", Script), ("2", If(vec![("charge", C)], vec![]))], &facts, "charge", Err(unfinished));
}

#[test]
fn a_step_that_changed_is_not_reused() {
    let facts = ["done look", "gave 1", "failed charge"];
    let old = || [("look", C), ("1", Script), ("charge", C)];
    check_changed(&old(), &[("look", Script), ("1", Script), ("charge", C)], &facts, "charge", Err(&changed("look", "charge")));
    check_changed(&old(), &[("1", Script), ("charge", C)], &facts, "charge", Err(&changed("look", "charge")));
    check_changed(&old(), &[("look", C), ("charge", C), ("2", Script)], &facts, "charge", Err(&changed("1", "charge")));
    check_changed(
        &old(),
        &[("look", C), ("1", Caught(Box::new(Script), vec![])), ("charge", C)],
        &facts,
        "charge",
        Err(&changed("1", "charge")),
    );
    check_changed(&old(), &[("look", Caught(Box::new(C), vec![])), ("1", Script), ("charge", C)], &facts, "charge", Ok(&[0, 1]));
    // A step that leaves the same fact and is another kind.
    let facts = ["gave a", "failed charge"];
    check_changed(&[("a", Script), ("charge", C)], &[("a", W), ("charge", C)], &facts, "charge", Err(&changed("a", "charge")));
    check_changed(&[("a", Script), ("charge", C)], &[("a", Repeat(vec![])), ("charge", C)], &facts, "charge", Err(&changed("a", "charge")));
}
