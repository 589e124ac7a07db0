//! Faults of what is below the program: the disk fails, memory and descriptors run out, the process
//! stands still, the clock is set. Nothing acknowledged is lost, and what can go on goes on by itself.

mod calls;
mod clock;
mod disk;
mod kept;
mod limits;
mod paused;
mod sender;
