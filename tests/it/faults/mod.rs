//! Faults of what is below the program: the disk fails, memory and descriptors run out, the process
//! stands still, the clock is set. Nothing acknowledged is lost, and what can go on goes on by itself.

mod asked;
mod backups;
mod calls;
mod clock;
mod disk;
mod exchange;
mod grow;
mod kept;
mod limits;
mod memory;
mod minute;
mod paused;
mod reads;
mod reloads;
mod sender;
mod strace;
mod unread;
mod upkeep;
mod wall;
