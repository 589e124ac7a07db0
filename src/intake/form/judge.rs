//! Whether a person sent a form, as far as the fields tell that have come.

use super::stamp::{Found, OLDEST, QUICKEST, STAMP_FIELD, Stamps};
use crate::domain::time::{Timestamp, format_duration};
use crate::domain::workflow::Form;

/// Why a form has to be sent once more, whatever was filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nobody is so quick.
    TooQuick,
    /// Its page was served too long ago.
    TooOld,
    /// Nothing says when its page was served.
    Missing,
}

impl Why {
    /// For the person who filled it in.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::TooQuick => "That was very quick. Please look at what you have written and send it once more.",
            Self::TooOld => "This page was open for a long time. Please look at what you have written and send it once more.",
            Self::Missing => "Please look at what you have written and send it once more.",
        }
    }

    /// For whoever writes the program that sent it.
    #[must_use]
    pub fn told(self, form: &Form) -> String {
        let why = match self {
            Self::TooQuick => format!("says that the page was served less than {} ago", format_duration(QUICKEST)),
            Self::TooOld => format!("says that the page was served more than {} ago", format_duration(OLDEST)),
            Self::Missing => "is missing, or was not made for this form".to_owned(),
        };
        format!(
            "`{STAMP_FIELD}` {why}. It is a hidden field of the page at /forms/{}, which GET serves, and stands in `value` here: send it along. \
             Sites that the form's `cors` names need none.",
            form.path
        )
    }
}

/// Looks at one form.
pub(super) struct Judge<'j> {
    pub(super) form: &'j Form,
    pub(super) stamps: &'j Stamps,
    /// The site whose page sends it; empty when nobody says.
    pub(super) from: &'j str,
    pub(super) received: Timestamp,
}

/// Where the stamp is among what was sent.
pub(super) fn stamp_at(pairs: &[(String, String)]) -> Option<usize> {
    pairs.iter().position(|(name, _)| name == STAMP_FIELD)
}

impl Judge<'_> {
    /// Whether the field is filled in that people do not see.
    pub(super) fn is_trapped(&self, pairs: &[(String, String)]) -> bool {
        let honeypot = self.form.honeypot.as_deref();
        honeypot.is_some_and(|honeypot| pairs.iter().any(|(name, value)| name == honeypot && !value.is_empty()))
    }

    fn stamp(&self, pairs: &[(String, String)]) -> Found {
        let stamp = stamp_at(pairs).and_then(|at| pairs.get(at)).map(|(_, stamp)| stamp.as_str());
        self.stamps.look(&self.form.path, stamp, self.received)
    }

    /// Whether its page was served a good while ago, as a stamp of ours says.
    pub(super) fn is_stamped(&self, pairs: &[(String, String)]) -> bool {
        self.stamp(pairs) == Found::Fine
    }

    /// Why it has to be sent once more, if nothing else comes.
    pub(super) fn why(&self, pairs: &[(String, String)]) -> Option<Why> {
        self.form.fields.as_ref()?;
        match self.stamp(pairs) {
            Found::Fine => None,
            Found::TooQuick => Some(Why::TooQuick),
            Found::TooOld => Some(Why::TooOld),
            // A page of another site has no stamp of ours to send.
            Found::Missing if self.form.door.cors.as_ref().is_some_and(|cors| cors.allows(self.from)) => None,
            Found::Missing => Some(Why::Missing),
        }
    }

    /// Whether it is known that nothing of it will be stored, whatever else comes.
    pub(super) fn is_given_up(&self, pairs: &[(String, String)]) -> bool {
        self.is_trapped(pairs) || (stamp_at(pairs).is_some() && self.why(pairs).is_some())
    }
}
