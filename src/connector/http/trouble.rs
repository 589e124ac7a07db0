//! Why there was no answer, in words. The client's own messages hold whole URLs and stop at
//! "error sending request", so the cause is looked for behind them.

use std::error::Error;
use std::io::{self, ErrorKind};

use rustls::CertificateError;

use crate::connector::egress::{Refused, Unresolved};
use crate::domain::failure::{Failure, FailureKind};

/// The most causes that are looked behind.
const MAX_CAUSES: usize = 32;

/// The failure that the client's error means.
pub(super) fn failure(label: &str, error: &reqwest::Error) -> Failure {
    let causes = causes(error);
    if let Some(refused) = find::<Refused>(&causes) {
        return Failure::new(FailureKind::EgressRefused, format!("{label} was not sent: {refused}"));
    }
    if let Some(unresolved) = find::<Unresolved>(&causes) {
        return Failure::new(FailureKind::Network, format!("{label} was not sent: {unresolved}"));
    }
    if error.is_timeout() {
        let message = format!("{label}: no connection in time: check the address, the port and any firewall between");
        return Failure::new(FailureKind::Timeout, message);
    }
    let io = io_kind(&causes);
    let words = words(&causes, io);
    // The decompressing reader calls every trouble below it a decoding one, a lost connection too.
    let unreadable = match io {
        Some(ErrorKind::InvalidData | ErrorKind::InvalidInput) => find::<rustls::Error>(&causes).is_none(),
        // The decompressor's own error type is not ours to name.
        _ => words.contains("decompression"),
    };
    if error.is_decode() && unreadable {
        return Failure::new(FailureKind::BadAnswer, format!("{label}: the answer's compression or encoding is broken: {words}"));
    }
    let stage = if error.is_connect() {
        "could not connect"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "no answer"
    };
    Failure::new(FailureKind::Network, format!("{label}: {stage}: {words}"))
}

/// What the TLS library said, if it is behind an error.
pub(super) fn tls(error: &reqwest::Error) -> Option<&rustls::Error> {
    find::<rustls::Error>(&causes(error))
}

/// The error and what caused it, outermost first.
fn causes<'e>(error: &'e reqwest::Error) -> Vec<&'e (dyn Error + 'static)> {
    let mut found: Vec<&'e (dyn Error + 'static)> = Vec::new();
    let mut next: Option<&'e (dyn Error + 'static)> = error.source();
    while let Some(cause) = next.filter(|_| found.len() < MAX_CAUSES) {
        found.push(cause);
        // An I/O error's source is its content's source: the content itself has to be asked for.
        next = match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => cause.source(),
        };
    }
    found
}

fn find<'e, E: Error + 'static>(causes: &[&'e (dyn Error + 'static)]) -> Option<&'e E> {
    causes.iter().find_map(|cause| cause.downcast_ref())
}

fn io_kind(causes: &[&(dyn Error + 'static)]) -> Option<ErrorKind> {
    causes.iter().rev().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

fn words(causes: &[&(dyn Error + 'static)], io: Option<ErrorKind>) -> String {
    if let Some(error) = find::<rustls::Error>(causes) {
        return tls_words(error);
    }
    let said = causes.last().map_or_else(|| "no reason was given".to_owned(), ToString::to_string);
    match io {
        Some(ErrorKind::ConnectionRefused) => "connection refused: nothing listens at this address and port".to_owned(),
        Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => "the other side reset the connection".to_owned(),
        Some(ErrorKind::UnexpectedEof) => "the other side closed the connection too early".to_owned(),
        _ => said,
    }
}

fn tls_words(error: &rustls::Error) -> String {
    let rustls::Error::InvalidCertificate(why) = error else { return format!("TLS: {error}") };
    match why {
        CertificateError::UnknownIssuer => {
            "its certificate is not trusted (UnknownIssuer): if it is signed by your own authority, add that \
                                            authority's certificate to this machine's or to hence's trusted roots"
                .to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "its certificate has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet: check this machine's clock".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "its certificate is for another name: check the host in the URL".to_owned()
        }
        other => format!("its certificate is not accepted: {other}"),
    }
}
