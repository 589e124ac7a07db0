//! Room on the stack for code that can nest data.
//!
//! A loop can nest lists as deep as its operations and time allow, and Rhai copies, compares and
//! drops them by recursion: on a 2 MiB thread that is the end of the process. So code that has
//! loops, closures or calls of scripts runs on threads with a stack as deep as that can get: where it
//! is called if that is such a thread, as the workers of the server are, and else on one of its own.

use std::cell::Cell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// The stack that scripts need. Only what is touched of it takes memory.
pub const STACK_BYTES: usize = 256 << 20;

thread_local! {
    static HAS_ROOM: Cell<bool> = const { Cell::new(false) };
}

/// Tells that this thread's stack has [`STACK_BYTES`], so that scripts need not be handed to another thread.
pub fn this_thread_has_room() {
    HAS_ROOM.set(true);
}

/// Whether it was told so.
pub(super) fn is_here() -> bool {
    HAS_ROOM.get()
}

type Job = Box<dyn FnOnce() + Send>;

/// Threads that wait for work. There are never more than threads that ask for it at once, for each of those waits.
static IDLE: Mutex<Vec<Sender<Job>>> = Mutex::new(Vec::new());

/// Whether the source can nest data without its nesting being visible in the source. Sure to be
/// true when it can; a word in a text may make it true when it cannot, which only costs time.
pub(super) fn is_needed(source: &str) -> bool {
    const WORDS: [&str; 7] = ["while", "loop", "for", "do", "fn", "Fn", "call"];
    let mut words = source.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    source.contains("::") || words.any(|word| WORDS.contains(&word)) || source.replace("||", "").contains('|') || source.contains("|| {")
}

/// Does the work on a thread with room, and waits for it. `None` if there can be no such thread or it died.
pub(super) fn with<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let crew = take_idle().or_else(start)?;
    let (answer, answered) = channel();
    let job: Job = Box::new(move || {
        // Nobody waits any more only if the asking thread is gone.
        drop(answer.send(work()));
    });
    crew.send(job).ok()?;
    let done = answered.recv().ok();
    if done.is_some() {
        IDLE.lock().unwrap_or_else(PoisonError::into_inner).push(crew);
    }
    done
}

fn take_idle() -> Option<Sender<Job>> {
    IDLE.lock().unwrap_or_else(PoisonError::into_inner).pop()
}

fn start() -> Option<Sender<Job>> {
    let (jobs, queue) = channel();
    let started = thread::Builder::new().name("script".to_owned()).stack_size(STACK_BYTES).spawn(move || serve(&queue));
    started.ok().map(|_thread| jobs)
}

fn serve(queue: &Receiver<Job>) {
    while let Ok(job) = queue.recv() {
        job();
    }
}
