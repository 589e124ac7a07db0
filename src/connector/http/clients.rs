//! The pooled clients. The guard's resolver has to know the port and the client does not tell it, so
//! each port that `egress.allow` names has a client, and all other ports share one.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use reqwest::{Certificate, Client, ClientBuilder, redirect};

use super::HttpSettings;
use crate::connector::egress::{ANY_OTHER_PORT, GuardedResolver};
use crate::domain::failure::{Failure, FailureKind};

type Slot = OnceLock<Result<Client, String>>;

/// Made when first needed: reading the machine's root certificates takes longer than all else at start.
pub(super) struct Clients {
    by_port: BTreeMap<u16, Slot>,
    others: Slot,
    roots: Vec<Certificate>,
}

impl Clients {
    /// Fails on certificates that cannot be used, so that this shows at start and not at the first call.
    pub(super) fn new(settings: &HttpSettings) -> Result<Self, String> {
        // Fails when a provider is installed already, and then that one is used.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let mut roots = Vec::new();
        for (at, pem) in settings.extra_root_pems.iter().enumerate() {
            let found = Certificate::from_pem_bundle(pem).map_err(|why| format!("extra root certificate file {}: {why}", at + 1))?;
            if found.is_empty() {
                return Err(format!("extra root certificate file {}: no `BEGIN CERTIFICATE` in it: expected PEM", at + 1));
            }
            roots.extend(found);
        }
        let by_port = settings.egress.ports().into_iter().map(|port| (port, Slot::new())).collect();
        let clients = Self { by_port, others: Slot::new(), roots };
        if !clients.roots.is_empty() {
            clients.of(ANY_OTHER_PORT, settings).map_err(|failure| failure.message)?;
        }
        Ok(clients)
    }

    pub(super) fn of(&self, port: u16, settings: &HttpSettings) -> Result<&Client, Failure> {
        let (slot, port) = self.by_port.get(&port).map_or((&self.others, ANY_OTHER_PORT), |slot| (slot, port));
        slot.get_or_init(|| self.make(port, settings)).as_ref().map_err(|why| Failure::new(FailureKind::Internal, why.clone()))
    }

    fn make(&self, port: u16, settings: &HttpSettings) -> Result<Client, String> {
        let client = builder(port, settings).tls_certs_merge(self.roots.iter().cloned()).build();
        match client {
            // A machine without any root certificates can still call http:// addresses.
            Err(_no_roots) if self.roots.is_empty() => builder(port, settings).tls_certs_only([]).build(),
            built => built,
        }
        .map_err(|why| {
            let cause = std::error::Error::source(&why).map_or_else(|| why.to_string(), ToString::to_string);
            format!("the HTTP client cannot be made: {cause}")
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the one place that makes outbound clients")]
fn builder(port: u16, settings: &HttpSettings) -> ClientBuilder {
    Client::builder()
        .dns_resolver(GuardedResolver { egress: settings.egress.clone(), port })
        .connect_timeout(settings.connect_timeout)
        .pool_idle_timeout(settings.idle_timeout)
        .pool_max_idle_per_host(settings.max_idle_per_host)
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .tcp_nodelay(true)
}
