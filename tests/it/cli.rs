//! The commands and their exit codes, which are API: 0 fine, 1 problems or a failed run, 2 wrong
//! usage, 3 no server, 4 store damaged or in use.

mod backup;
mod check;
mod plan;
mod record;
mod replay;
mod runs;
mod shutdown;
mod store;
mod testing;
mod tls;
mod token;
mod usage;
mod why;

use crate::process::Ran;

/// The command ended with `code`, and standard error says each of `words`.
fn check_refused(ran: &Ran, code: i32, words: &[&str]) {
    assert_eq!(ran.code, Some(code), "{ran:?}");
    for word in words {
        assert!(ran.err.contains(word), "`{word}` is missing: {ran:?}");
    }
}
