//! `schedule`: zone, cron, point in time.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::schedule::{BadCron, Cron, Rule, Schedule};
use crate::domain::time::Timestamp;
use crate::workflow::file::{At, Report, RuleFile, ScheduleFile};
use crate::workflow::problem::codes;

/// The zone when none is given.
const ZONE: &str = "UTC";

/// Builds the schedule.
pub(super) fn compile(file: &ScheduleFile, report: &mut Report) -> Option<Schedule> {
    let zone = match &file.timezone {
        Some(At { value, span }) => match TimeZone::get(value) {
            Ok(_) => Some(&**value),
            Err(_) => {
                let message = BadCron::Zone(value.as_ref().to_owned()).to_string();
                report.error(codes::BAD_ZONE, *span, message, "write `timezone: Europe/Berlin` or another IANA name");
                None
            }
        },
        None => Some(ZONE),
    };
    let rule = match &file.rule {
        RuleFile::Cron(cron) => read_cron(cron, zone.unwrap_or(ZONE), report),
        RuleFile::At(at) => at_rule(at, zone.unwrap_or(ZONE), report),
        RuleFile::Every(every) => {
            if let Some(zone) = &file.timezone {
                let message = "`every` counts from one instant to the next: a time zone changes nothing";
                report.error(codes::BAD_VALUE, zone.span, message, "take `timezone` away, or use `cron`");
            }
            Some(Rule::Every(*every))
        }
    };
    zone?;
    Some(Schedule { rule: rule?, catch_up: file.catch_up })
}

fn read_cron(cron: &At<Arc<str>>, zone: &str, report: &mut Report) -> Option<Rule> {
    let help = "write `cron: 0 9 * * MON-FRI`: minute, hour, day of the month, month, day of the week";
    match Cron::new(&cron.value, zone) {
        Ok(read) => {
            let rule = Rule::Cron(Box::new(read));
            if rule.next_after(Timestamp(0)).is_none() {
                report.error(codes::BAD_CRON, cron.span, format!("`{}` never comes", cron.value), help);
                return None;
            }
            Some(rule)
        }
        Err(error) => {
            report.error(codes::BAD_CRON, cron.span, error.to_string(), help);
            None
        }
    }
}

fn at_rule(at: &At<Arc<str>>, zone: &str, report: &mut Report) -> Option<Rule> {
    let found = read_at(&at.value, Some(zone));
    if found.is_none() {
        let message = at.value.parse::<Timestamp>().err().map(|error| error.to_string()).unwrap_or_default();
        report.error(codes::BAD_TIME, at.span, message, "write `at: 2026-03-01T09:00:00Z`, or without `Z` in `timezone`");
    }
    found.map(Rule::At)
}

/// An instant with its offset, or a local time of the zone. A local time that the zone skips is read as
/// the instant just as far behind the gap; one that comes twice, as the first.
pub(crate) fn read_at(at: &str, zone: Option<&str>) -> Option<Timestamp> {
    let local = || {
        let time: DateTime = at.parse().ok()?;
        Some(Timestamp::from(time.in_tz(zone.unwrap_or(ZONE)).ok()?.timestamp()))
    };
    at.parse::<Timestamp>().ok().or_else(local)
}
