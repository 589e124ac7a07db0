//! `hence schema`

use super::{Exit, say_json};
use crate::workflow::schema;

pub(super) fn run() -> Exit {
    say_json(&schema::workflow());
    Exit::Fine
}
