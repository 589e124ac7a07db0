//! How a server is reached and believed, and what is said when it is not.

use std::path::Path;
use std::time::Duration;

use super::{Exit, Trouble};
use crate::config::{self, ServerAddress};
use crate::connector::http::{Distrust, api_client, tls_api_client};

/// What helps where a certificate is not believed.
const NAME_IT: &str = "--ca FILE or HENCE_CA";

/// How many names of a certificate are told.
const NAMES: usize = 5;

/// A client for a server. `ca` is what the flag says.
pub(super) fn client(address: &ServerAddress, ca: Option<&Path>, timeout: Duration) -> Result<reqwest::Client, Trouble> {
    let unusable = |why: String| Trouble::new(Exit::Unreachable, why);
    if !address.url.starts_with("https://") {
        return api_client(timeout).map_err(unusable);
    }
    let own = address.certificates.clone();
    if !address.is_named && ca.is_none() {
        // It is the server of this data folder or none: the token is not for whoever else has a good certificate.
        return tls_api_client(timeout, own, None).map_err(unusable);
    }
    let named = match (ca, &address.ca) {
        (Some(file), _) => Some(("--ca", file)),
        (None, Some(file)) => Some(("HENCE_CA", &**file)),
        (None, None) => None,
    };
    let Some((word, file)) = named else { return tls_api_client(timeout, own, Some(Vec::new())).map_err(unusable) };
    let usage = |why: String| {
        let help = "name a PEM file with the certificate of an authority, or of the server itself";
        Trouble::new(Exit::Usage, format!("{word}: {} {why}; {help}", file.display()))
    };
    let certificates = config::read_certificates(file).map_err(usage)?;
    tls_api_client(timeout, own, Some(certificates)).map_err(|why| usage(format!("is of no use: {why}")))
}

/// Why no answer came.
pub(super) fn trouble(address: &ServerAddress, error: &reqwest::Error) -> Trouble {
    let text = match Distrust::behind(error) {
        None => format!("no hence server answers at {}: {}; start one with `hence serve`", address.url, innermost(error)),
        Some(why) => distrusted(address, &why),
    };
    Trouble::new(Exit::Unreachable, text)
}

fn distrusted(ServerAddress { url, is_named, certificates, .. }: &ServerAddress, why: &Distrust) -> String {
    if !is_named && !matches!(why, Distrust::ClearText) {
        return format!(
            "what answers at {url} is not the server that uses this data folder: it shows another certificate than {}. Something else may \
             have taken its port; start the server again with `hence serve`, or name another one with --url",
            certificates.display()
        );
    }
    match why {
        Distrust::Stranger => format!(
            "the certificate of {url} is not believed: it is signed by nobody that this machine knows. If it is one of your own, name it, or \
             the authority that signed it, with {NAME_IT}"
        ),
        Distrust::OtherName(names) => {
            let names = if names.is_empty() {
                "another name".to_owned()
            } else {
                names.iter().take(NAMES).map(String::as_str).collect::<Vec<_>>().join(", ")
            };
            format!(
                "the certificate of {url} is for {names}: ask by the name that it is for, or name the certificate itself with {NAME_IT}"
            )
        }
        Distrust::Expired => {
            format!("the certificate of {url} has expired: renew it at the server, or name the certificate itself with {NAME_IT}")
        }
        Distrust::NotYet => format!("the certificate of {url} is not valid yet: look at the clock of this machine"),
        Distrust::ClearText => format!("what answers at {url} speaks no TLS: begin the URL with http://"),
        Distrust::Other(words) => format!("{url} cannot be spoken to over TLS: {words}"),
    }
}

/// The cause of causes: what the system said.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source()).last().unwrap_or(error).to_string()
}
