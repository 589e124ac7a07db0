//! Log lines: text for people or JSON for programs, on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::LogFormat;

/// Starts logging. A second start in one process (tests) changes nothing.
///
/// # Errors
/// When the filter cannot be read.
pub fn start(format: LogFormat, filter: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| format!("the log level `{filter}` cannot be read: {error}; expected `info`, or `hence=debug,warn`"))?;
    let colors = std::io::stderr().is_terminal();
    // A line that cannot be written is lost. To say so would be to write to the same place, and that panics.
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colors).log_internal_errors(false);
    let started = match format {
        LogFormat::Text => builder.with_target(false).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
    Ok(())
}
