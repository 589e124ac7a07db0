//! `verify`: the secrets are there and have their services' forms, and the signed URL is known.

use super::Compiler;
use crate::domain::workflow::{Scheme, Verify};
use crate::workflow::file::WebhookFile;
use crate::workflow::keys::{self, Form};
use crate::workflow::problem::{Problem, codes};

impl Compiler<'_, '_> {
    pub(super) fn sender(&mut self, file: &WebhookFile) {
        self.secrets.extend(file.secrets.iter().map(|secret| secret.value.clone()));
        // What ran once runs on: a stored revision receives nothing.
        if self.context.rebuilds {
            return;
        }
        for secret in &file.secrets {
            let name = &secret.value.0;
            let Some(value) = self.context.secrets.get(name) else {
                let message = format!("the secret `{name}` is not set");
                let problem = Problem::error(codes::MISSING_SECRET, self.report.file(), secret.span, message);
                let help = format!(
                    "set HENCE_SECRET_{name} in the environment, or add {name}=… to secrets.env; a server reads secrets at its start"
                );
                self.report.push(problem.help(help).severity(self.context.missing_secret));
                continue;
            };
            let form = match &file.verify {
                Verify::Signed(signed) if signed.secrets.contains(&secret.value) => keys::form(&signed.scheme),
                Verify::Signed(_)
                | Verify::None
                | Verify::Hmac(_)
                | Verify::Bearer { .. }
                | Verify::Basic { .. }
                | Verify::Header { .. } => Form::Text,
            };
            if let Err(wrong) = keys::read(form, value) {
                let message = format!("the secret `{name}` is not a secret of `{}`: {}", file.verify.word(), wrong.what);
                self.report.error(codes::BAD_SECRET, secret.span, message, wrong.right);
            }
        }
        let url = if let Verify::Signed(signed) = &file.verify { signed.scheme.url().map(|url| (&signed.scheme, url)) } else { None };
        if let Some((scheme, url)) = url {
            self.signed_url(file, scheme, url.is_some());
        }
    }

    fn signed_url(&mut self, file: &WebhookFile, scheme: &Scheme, is_exact: bool) {
        let (name, path) = (scheme.name(), &file.path.value);
        if is_exact && path.contains('{') {
            let message = format!("`url` is one URL, and `{path}` stands for many");
            let help = "take `url` out and set `public_url` in hence.yaml, or give the webhook a path without `{ }`";
            self.report.error(codes::BAD_VALUE, file.verify_span, message, help);
        }
        if !is_exact && self.context.public_url.is_none() {
            let message = format!("`{name}` signs the URL that it calls, and hence does not know it");
            let help = format!(
                "add `public_url: https://hence.example.com` to hence.yaml, the address at which senders reach this server, or the whole \
                 URL here: `url: https://hence.example.com/hooks/{}`",
                path.trim_start_matches('/')
            );
            self.report.error(codes::MISSING_SETTING, file.verify_span, message, help);
        }
    }
}
