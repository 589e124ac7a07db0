//! The client that the CLI asks the server's own API with. It calls nothing else, so it has no egress guard.

use std::time::Duration;

use reqwest::{Client, redirect};

/// A client for `/api`.
///
/// # Errors
/// When the TLS library cannot be set up.
pub fn api_client(timeout: Duration) -> Result<Client, String> {
    // Fails when a provider is installed already, and then that one is used.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    #[expect(clippy::disallowed_methods, reason = "it goes to the server the user named, not where a workflow says")]
    let builder = Client::builder();
    let builder = builder.timeout(timeout).no_proxy().redirect(redirect::Policy::none());
    builder.build().map_err(|error| format!("the HTTP client cannot be made: {error}"))
}
