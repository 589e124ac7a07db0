//! When a schedule is due. Cron is read by `croner` (OCPS: five fields, or six with seconds);
//! days are civil days of the schedule's zone.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::time::Timestamp;

/// What a schedule says.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// When it is due.
    pub rule: Rule,
    /// What becomes of due times that passed while nobody looked.
    pub catch_up: CatchUp,
}

/// One of `cron`, `every`, `at`.
#[derive(Debug, Clone, PartialEq)]
pub enum Rule {
    /// A cron expression in a zone.
    Cron(Box<Cron>),
    /// Every so often, counted from the Unix epoch, so that a restart does not move it.
    Every(Duration),
    /// Once.
    At(Timestamp),
}

/// A cron expression and its zone.
#[derive(Debug, Clone)]
pub struct Cron {
    /// As written.
    pub text: String,
    pattern: croner::Cron,
    zone: TimeZone,
}

impl PartialEq for Cron {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text && self.zone == other.zone
    }
}

/// What becomes of missed due times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CatchUp {
    /// They are passed over.
    None,
    /// The latest one fires.
    #[default]
    Last,
    /// Each one fires, oldest first.
    All,
}

/// Why a cron expression cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCron {
    /// It cannot be read.
    #[error("`{text}` is not a cron expression: {why}; expected five fields, as in `0 9 * * MON-FRI`")]
    Unreadable {
        /// As written.
        text: String,
        /// The reader's word.
        why: String,
    },
    /// No such zone.
    #[error("`{0}` is not a time zone: expected an IANA name, as in `Europe/Berlin`")]
    Zone(String),
}

impl Cron {
    /// Reads an expression; `zone` is an IANA name.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn new(text: &str, zone: &str) -> Result<Self, BadCron> {
        let pattern =
            croner::Cron::from_str(text).map_err(|error| BadCron::Unreadable { text: text.to_owned(), why: error.to_string() })?;
        let zone = TimeZone::get(zone).ok().ok_or_else(|| BadCron::Zone(zone.to_owned()))?;
        Ok(Self { text: text.to_owned(), pattern, zone })
    }
}

/// Tells rules apart: a schedule's cursor is remembered by it, so that a changed rule starts anew.
impl std::fmt::Display for Rule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cron(cron) => write!(out, "cron {} {}", cron.text, cron.zone.iana_name().unwrap_or("UTC")),
            Self::Every(period) => write!(out, "every {}ms", period.as_millis()),
            Self::At(at) => write!(out, "at {at}"),
        }
    }
}

impl Rule {
    /// The zone whose clock it follows; UTC where it follows none.
    #[must_use]
    pub fn zone(&self) -> TimeZone {
        match self {
            Self::Cron(cron) => cron.zone.clone(),
            Self::Every(_) | Self::At(_) => TimeZone::UTC,
        }
    }

    /// The first due time after `time`, or nothing when there is none.
    #[must_use]
    pub fn next_after(&self, time: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Cron(cron) => {
                let local = time.to_jiff().to_zoned(cron.zone.clone());
                let due = cron.pattern.find_next_occurrence(&local, false).ok()?;
                Some(Timestamp::from(due.timestamp())).filter(|due| *due > time)
            }
            Self::Every(period) => {
                let period = i64::try_from(period.as_millis()).ok().filter(|ms| *ms > 0)?;
                time.0.div_euclid(period).checked_add(1)?.checked_mul(period).map(Timestamp)
            }
            Self::At(at) => Some(*at).filter(|at| *at > time),
        }
    }

    /// Due times after `last` up to `now`, oldest first.
    fn between(&self, last: Timestamp, now: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next_after(last), |slot| self.next_after(*slot)).take_while(move |slot| *slot <= now)
    }

    /// The newest due time after `last` up to `now`. Searches back for a place to start and then
    /// forward, because only `next_after` decides what counts where clocks change.
    fn latest(&self, last: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let near = match self {
            Self::Cron(cron) => {
                let local = now.to_jiff().to_zoned(cron.zone.clone());
                Timestamp::from(cron.pattern.find_previous_occurrence(&local, true).ok()?.timestamp()).before(CLOCK_CHANGE)
            }
            Self::Every(period) => now.before(*period).before(Duration::from_millis(1)),
            Self::At(_) => last,
        };
        self.between(last.max(near), now).last()
    }
}

impl Schedule {
    /// The due times after `last` up to `now` that are to fire, oldest first, at most `limit`.
    /// `all` beyond the limit is taken up by the next call, since the cursor moves with each slot.
    #[must_use]
    pub fn due(&self, last: Timestamp, now: Timestamp, limit: usize) -> Vec<Timestamp> {
        let latest = || self.rule.latest(last, now);
        match self.catch_up {
            CatchUp::All => self.rule.between(last, now).take(limit).collect(),
            CatchUp::Last => latest().into_iter().collect(),
            // A slot that is due right now is not missed.
            CatchUp::None => latest().filter(|slot| now.since(*slot) < ON_TIME).into_iter().collect(),
        }
    }
}

/// Longer than any change of a zone's clock.
const CLOCK_CHANGE: Duration = Duration::from_secs(3 * 3600);

/// How late a due time may be served and still count as kept.
const ON_TIME: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap_or_default()
    }

    fn cron(text: &str, zone: &str) -> Rule {
        match Cron::new(text, zone) {
            Ok(cron) => Rule::Cron(Box::new(cron)),
            Err(error) => unreachable!("{error}"),
        }
    }

    #[test]
    fn cron_is_due_in_its_own_zone() {
        let rule = cron("0 9 * * MON-FRI", "Europe/Berlin");
        assert_eq!(rule.next_after(time("2026-03-27T12:00:00Z")), Some(time("2026-03-30T07:00:00Z")));
        assert_eq!(rule.next_after(time("2026-03-30T07:00:00Z")), Some(time("2026-03-31T07:00:00Z")));
    }

    #[test]
    fn a_local_time_that_comes_twice_fires_once() {
        let rule = cron("30 2 * * *", "Europe/Berlin");
        let first = rule.next_after(time("2026-10-24T12:00:00Z"));
        assert_eq!(first, Some(time("2026-10-25T00:30:00Z")));
        assert_eq!(first.and_then(|t| rule.next_after(t)), Some(time("2026-10-26T01:30:00Z")));
    }

    #[test]
    fn an_unreadable_cron_says_so() {
        assert!(matches!(Cron::new("every day", "UTC"), Err(BadCron::Unreadable { .. })));
        assert!(matches!(Cron::new("* * * * *", "Mars/Base"), Err(BadCron::Zone(_))));
    }

    #[test]
    fn a_date_that_never_comes_ends_the_search() {
        assert_eq!(cron("0 0 30 2 *", "UTC").next_after(Timestamp(0)), None);
    }

    #[test]
    fn missed_times_follow_catch_up() {
        let due = |catch_up| Schedule { rule: Rule::Every(Duration::from_secs(600)), catch_up }.due(Timestamp(0), Timestamp(2_000_000), 10);
        assert_eq!(due(CatchUp::All), [Timestamp(600_000), Timestamp(1_200_000), Timestamp(1_800_000)]);
        assert_eq!(due(CatchUp::Last), [Timestamp(1_800_000)]);
        assert_eq!(due(CatchUp::None), []);
    }

    #[test]
    fn a_year_of_seconds_is_caught_up_at_once() {
        let now = time("2027-01-01T00:00:00.500Z");
        let second = |rule| Schedule { rule, catch_up: CatchUp::Last }.due(time("2026-01-01T00:00:00Z"), now, 10);
        assert_eq!(second(Rule::Every(Duration::from_secs(1))), [time("2027-01-01T00:00:00Z")]);
        assert_eq!(second(cron("* * * * *", "Europe/Berlin")), [time("2027-01-01T00:00:00Z")]);
    }

    proptest! {
        #[test]
        fn every_is_later_and_within_one_period(now in 0i64..4_000_000_000_000, period in 1u64..1_000_000_000) {
            let due = Rule::Every(Duration::from_millis(period)).next_after(Timestamp(now));
            prop_assert!(due.is_some_and(|due| due.0 > now && due.0 - now <= i64::try_from(period).unwrap_or(i64::MAX)));
        }

        #[test]
        fn cron_moves_forward(now in 0i64..4_000_000_000_000) {
            let due = cron("*/7 3,15 * * *", "America/New_York").next_after(Timestamp(now));
            prop_assert!(due.is_some_and(|due| due.0 > now));
        }
    }
}
