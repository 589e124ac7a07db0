//! Steps that wait for somebody, that are done anew as a whole, and that are taken back.

use super::build::Kind::{Ask, Call as C, Caught, Emit, Hear, If, Parallel, Respond, Run, Script, Twice, Undone, Wait as W};
use super::build::{Kind, Named, check};

#[test]
fn what_was_answered_heard_or_told_is_reused() {
    let named = || [("ask", Ask(vec![("mail", C)], vec![])), ("hear", Hear), ("sub", Run), ("3", Emit), ("4", Respond), ("charge", C)];
    let facts = [
        "asked ask",
        "done ask/notify/mail",
        "taken ask",
        "hears hear",
        "taken hear",
        "child sub",
        "taken sub",
        "emitted 3",
        "responded 4",
        "failed charge",
    ];
    check(&named(), &facts, "charge", Ok(&[0, 1, 2, 3, 4, 5, 6, 7, 8]));
    check(&named(), &facts, "sub", Ok(&[0, 1, 2, 3, 4]));
    check(&named(), &facts, "ask", Ok(&[]));
    check(&named(), &facts, "mail", Err("`mail` is done only together with `ask`: replay from `ask`"));
    let unfinished = |step: &str| format!("`{step}` comes before `charge` and did not finish: replay from `{step}`, or the whole run");
    check(&named(), &facts[..2], "charge", Err(&unfinished("ask")));
    check(&named(), &facts[..4], "charge", Err(&unfinished("hear")));
    check(&named(), &facts[..6], "charge", Err(&unfinished("sub")));
}

#[test]
fn a_no_is_an_answer_where_it_was_taken_care_of() {
    let named = || [("ask", Ask(vec![("mail", C)], vec![("note", C), ("1", Script)])), ("charge", C)];
    let facts = ["asked ask", "done ask/notify/mail", "denied ask", "done ask/else/note", "gave ask/else/1", "failed charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1, 2, 3, 4]));
    check(&named(), &facts, "ask/else/1", Ok(&[0, 1, 2, 3]));
    let without = "the run did not come to `ask/else/note`, `ask` went on without it: replay from `ask`, or the whole run";
    check(&named(), &["asked ask", "taken ask", "failed charge"], "note", Err(without));
    let bare = || [("ask", Ask(vec![], vec![])), ("charge", C)];
    let unfinished = "`ask` comes before `charge` and did not finish: replay from `ask`, or the whole run";
    check(&bare(), &["asked ask", "denied ask"], "charge", Err(unfinished));
}

#[test]
fn what_was_waited_for_side_by_side_is_waited_for_anew() {
    let beside = |kind: Kind| -> Vec<Named> { vec![("both", Parallel(false, vec![("0", Script), ("other", kind)], vec![("charge", C)]))] };
    let check_dropped = |kind: Kind, facts: &[&str]| {
        let facts = [&["gave both/a/0"], facts, &["failed both/b/charge"]].concat();
        check(&beside(kind), &facts, "charge", Ok(&[0]));
    };
    check_dropped(Ask(vec![("mail", C)], vec![]), &["asked both/a/other", "done both/a/other/notify/mail"]);
    check_dropped(Hear, &["hears both/a/other"]);
    check_dropped(Run, &["child both/a/other"]);
    check(&beside(W), &["gave both/a/0", "wait both/a/other", "failed both/b/charge"], "charge", Ok(&[0, 1]));
}

#[test]
fn a_call_that_was_taken_back_is_not_reused() {
    let named = || [("pay", Undone(vec![("refund", C)])), ("ship", C)];
    let facts = ["done pay undo", "failed ship", "done pay/undo/refund"];
    let back = "`pay`, which `ship` builds on, was taken back when the run failed (`undo`): \
                replay from `pay` or a step before it, or the whole run";
    check(&named(), &facts, "ship", Err(back));
    check(&named(), &facts, "pay", Ok(&[]));
    check(&named(), &facts, "refund", Err("`refund` is done only together with `pay`: replay from `pay`"));
    check(&named(), &["done pay undo", "failed ship"], "ship", Ok(&[0]));
}

#[test]
fn of_a_block_that_was_done_anew_the_last_try_counts() {
    let named = || [("all", Twice(Box::new(If(vec![("look", Script), ("charge", C)], vec![])))), ("tell", C)];
    let first = ["took all then", "gave all/then/look", "failed all/then/charge", "again all 1"];
    let facts = [&first[..], &["took all then", "gave all/then/look", "failed all/then/charge"]].concat();
    check(&named(), &facts, "charge", Ok(&[4, 5]));
    check(&named(), &facts, "all", Ok(&[]));
    let facts = [&first[..], &["took all then", "gave all/then/look", "done all/then/charge", "gave all", "failed tell"]].concat();
    check(&named(), &facts, "tell", Ok(&[0, 1, 2, 3, 4, 5, 6, 7]));
    check(&named(), &facts, "charge", Ok(&[4, 5]));
    // Side by side with the step: what failed for good is done anew, and its tries before are history.
    let beside = || [("both", Parallel(false, vec![("try", Twice(Box::new(If(vec![("x", C)], vec![]))))], vec![("charge", C)]))];
    let facts = ["done both/b/charge", "took both/a/try then", "failed both/a/try/then/x", "again both/a/try 1", "took both/a/try then"];
    check(&beside(), &[&facts[..], &["failed both/a/try/then/x"]].concat(), "charge", Ok(&[1, 2, 3, 4]));
}

#[test]
fn a_block_that_took_too_long_is_through_when_that_was_taken_care_of() {
    let named = || [("all", Caught(Box::new(If(vec![("look", Script), ("slow", W)], vec![])), vec![("note", C)])), ("charge", C)];
    let facts = ["took all then", "gave all/then/look", "wait all/then/slow", "late all", "done all/on_error/note", "failed charge"];
    check(&named(), &facts, "charge", Ok(&[0, 1, 2, 3, 4]));
    check(&named(), &facts, "note", Ok(&[0, 1, 2, 3]));
    check(&named(), &facts, "slow", Ok(&[0, 1]));
}
