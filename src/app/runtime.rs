//! The threads that the server runs on.

use std::io;

use tokio::runtime::{Builder, Runtime};

use crate::script;

/// Makes them. Their stacks are as deep as scripts need, so that no evaluation has to change threads;
/// of such a stack only what is touched takes memory.
///
/// # Errors
/// When the system gives no threads.
pub fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread().enable_all().thread_stack_size(script::STACK_BYTES).on_thread_start(script::this_thread_has_room).build()
}
