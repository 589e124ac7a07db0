//! What the integration tests share.

pub mod app;
pub mod project;
pub mod recorder;
pub mod watched;

pub use app::{Life, TestApp};
pub use project::Project;
pub use recorder::{Recorder, ok};
