//! When a page was served, signed: nobody fills a form in within a moment, and no page is good for ever.
//!
//! A stamp is `MILLISECONDS.SIGNATURE`; the signature is HMAC-SHA256 (RFC 2104) over the form's path and the time, in base64url
//! (RFC 4648, section 5).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use crate::domain::time::Timestamp;

/// The hidden field of a served form that holds its stamp. No field of a workflow begins with `_`.
pub const STAMP_FIELD: &str = "_form";
/// Who is quicker is no person.
pub(super) const QUICKEST: Duration = Duration::from_secs(2);
/// A page that is older is shown again.
pub(super) const OLDEST: Duration = Duration::from_secs(24 * 3_600);

/// Makes stamps and knows its own again.
pub struct Stamps(hmac::Key);

/// What a stamp says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// The page was served a good while ago.
    Fine,
    /// It was served a moment ago.
    TooQuick,
    /// It was served too long ago.
    TooOld,
    /// There is none of ours.
    Missing,
}

/// A time that is no longer too quick.
pub(super) fn long_enough_ago(now: Timestamp) -> Timestamp {
    now.before(QUICKEST)
}

impl Stamps {
    /// Stamps signed with this key.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// The stamp of a page that is served at this time.
    #[must_use]
    pub fn make(&self, path: &str, at: Timestamp) -> String {
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.0, &signed(path, at.0)));
        format!("{}.{signature}", at.0)
    }

    pub(super) fn look(&self, path: &str, stamp: Option<&str>, now: Timestamp) -> Found {
        let read = || {
            let (time, signature) = stamp?.split_once('.')?;
            let (time, signature) = (time.parse::<i64>().ok()?, URL_SAFE_NO_PAD.decode(signature).ok()?);
            hmac::verify(&self.0, &signed(path, time), &signature).ok()?;
            Some(Timestamp(time))
        };
        match read() {
            None => Found::Missing,
            Some(at) if now < at || at.after(OLDEST) < now => Found::TooOld,
            Some(at) if now < at.after(QUICKEST) => Found::TooQuick,
            Some(_) => Found::Fine,
        }
    }
}

fn signed(path: &str, time_ms: i64) -> Vec<u8> {
    [&b"hence form 1\0"[..], &time_ms.to_be_bytes(), path.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_good_for_its_form_and_for_a_time() {
        let (ours, others) = (Stamps::new(&[1; 32]), Stamps::new(&[2; 32]));
        let at = Timestamp(1_000_000);
        let stamp = ours.make("contact", at);
        let look = |seconds: i64| ours.look("contact", Some(&stamp), Timestamp(at.0 + 1_000 * seconds));
        assert_eq!([look(-1), look(0), look(1)], [Found::TooOld, Found::TooQuick, Found::TooQuick]);
        assert_eq!([look(2), look(86_400), look(86_401)], [Found::Fine, Found::Fine, Found::TooOld]);
        let later = Timestamp(at.0 + 10_000);
        assert_eq!(ours.look("contact", Some(&ours.make("contact", long_enough_ago(later))), later), Found::Fine);
        assert_eq!(ours.look("other", Some(&stamp), later), Found::Missing);
        assert_eq!(others.look("contact", Some(&stamp), later), Found::Missing);
        let changed = stamp.replacen('1', "2", 1);
        for bad in ["", ".", "1000000", "1000000.", "1000000.!", "x.y", &changed] {
            assert_eq!(ours.look("contact", Some(bad), later), Found::Missing, "{bad}");
        }
        assert_eq!(ours.look("contact", None, later), Found::Missing);
    }
}
