//! The signals that end the server.

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Signals that end the process.
pub(in super::super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(in super::super) fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one and names it.
    pub(in super::super) async fn end(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
