//! Reads everything and follows every reference: what `hence store check` says.

use super::super::{Checked, StoreError};
use super::prune::is_of_a_sender;
use super::record::{Reader, Remembered, RunRecord};
use super::snapshot::{END, walk};
use super::{Core, Wanted, key, open_record, read};
use crate::domain::file::FileId;
use crate::domain::id::{EventId, RunId};
use crate::domain::run::{Run, Status};
use crate::domain::time::Timestamp;

/// Why a record does not pass.
enum Amiss {
    /// Something for a person to look at.
    Problem(String),
    /// It cannot be read now: what it is like is not known.
    Unread(StoreError),
}

impl From<String> for Amiss {
    fn from(problem: String) -> Self {
        Self::Problem(problem)
    }
}

impl From<&str> for Amiss {
    fn from(problem: &str) -> Self {
        Self::Problem(problem.to_owned())
    }
}

impl From<StoreError> for Amiss {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Damaged(_) => Self::Problem(error.to_string()),
            error => Self::Unread(error),
        }
    }
}

impl Core {
    pub(super) fn check(&self, wanted: &Wanted) -> Result<Checked, StoreError> {
        let mut checked = Checked::default();
        let mut last_facts = None;
        walk(&*self.kv, (Vec::new(), END.to_vec()), wanted, &mut |key, value| {
            let Some(kind) = key::kind(key) else {
                checked.problem(|| format!("a record is of no known kind (its key begins with {:?})", key.first()));
                return Ok(());
            };
            checked.kinds.entry(kind).or_default().add(key.len() + value.len());
            let id = key::leading_id(key);
            let found = match kind {
                "events" => self.check_event(id),
                "bodies" => self.check_owner(id, "a part of a body", key::event),
                "keys" => self.check_key(key, value),
                "expiries" => self.check_expiry(key),
                "runs" => self.check_run(id, value),
                "open runs" => self.check_open(id, value),
                "facts" if last_facts.replace(id) == Some(id) => Ok(()),
                "facts" => self.check_owner(id, "a fact", |id| key::run(RunId::from_bytes(id.to_bytes()))),
                "revisions" => self.check_revision(key),
                "schedules" => Reader(value).time().map(drop).ok_or_else(|| "a schedule's cursor cannot be read".into()),
                "waited-for events" => self.check_event_of("an event that may be waited for", value),
                "gathered events" => self.check_gathered(id, value),
                _ => Ok(()),
            };
            match found {
                Ok(()) => {}
                Err(Amiss::Problem(problem)) => checked.problem(|| problem),
                Err(Amiss::Unread(error)) => return Err(error),
            }
            Ok(())
        })?;
        Ok(checked)
    }

    fn check_event(&self, id: Option<[u8; 16]>) -> Result<(), Amiss> {
        let id = EventId::from_bytes(id.ok_or("an event's key cannot be read")?);
        let event = self.event(id).map_err(|error| told(&id, error))?.ok_or_else(|| format!("{id} cannot be found"))?;
        if event.head.id != id {
            return Err(format!("{id} says that it is {}", event.head.id).into());
        }
        // A file without its event is on its way, or was given up: a retention pass takes it away.
        event.head.files.iter().try_for_each(|file| self.check_file(file.id(id), file.size))
    }

    fn check_file(&self, file: FileId, size: u64) -> Result<(), Amiss> {
        let found = self.file_bytes(file).map_err(|error| told(&file, error))?;
        if found == size { Ok(()) } else { Err(format!("the file {file} has {found} bytes, and its event says {size}").into()) }
    }

    fn check_owner(&self, id: Option<[u8; 16]>, what: &str, key: impl Fn(EventId) -> Vec<u8>) -> Result<(), Amiss> {
        let id = EventId::from_bytes(id.ok_or_else(|| format!("the key of {what} cannot be read"))?);
        match self.kv.get(&key(id))? {
            Some(_) => Ok(()),
            None => Err(format!("{what} is left of something that is gone ({:02x?})", id.to_bytes()).into()),
        }
    }

    fn check_event_of(&self, what: &str, value: &[u8]) -> Result<(), Amiss> {
        let id = value.try_into().ok().map(EventId::from_bytes).ok_or_else(|| format!("the id of {what} cannot be read"))?;
        match self.kv.get(&key::event(id))? {
            Some(_) => Ok(()),
            None => Err(format!("{what} is gone: {id}").into()),
        }
    }

    fn check_gathered(&self, run: Option<[u8; 16]>, value: &[u8]) -> Result<(), Amiss> {
        self.check_owner(run, "a gathered event", |id| key::run(RunId::from_bytes(id.to_bytes())))?;
        self.check_event_of("an event that a run gathered", value)
    }

    fn check_key(&self, key: &[u8], value: &[u8]) -> Result<(), Amiss> {
        let hash = key::dedupe_hash(key).ok_or("a dedupe key cannot be read")?;
        let until = Reader(value).time().ok_or("a dedupe key cannot be read")?;
        if let Some((end, _)) = key::by_end_parts(key) {
            if end != until {
                return Err("a dedupe key lies under another time than it names".into());
            }
        } else if self.kv.get(&key::expiry(until, &hash))?.is_none() {
            return Err(format!("a dedupe key has no expiry and would be kept for ever ({:02x?})", &hash.first_chunk::<4>()).into());
        }
        if !is_of_a_sender(&hash) {
            return Ok(());
        }
        let Remembered { event, matches, .. } = Remembered::read(value)?;
        if matches.is_some() { Ok(()) } else { self.check_event_of("the event of a dedupe key", &event.to_bytes()) }
    }

    fn check_expiry(&self, key: &[u8]) -> Result<(), Amiss> {
        let hash = key::expiry_hash(key).ok_or("an expiry cannot be read")?;
        let value = self.kv.get(&key::dedupe(&hash))?;
        let until: Option<Timestamp> = value.and_then(|value| Reader(&value).time());
        match until {
            Some(until) if key::expiry(until, &hash) == key => Ok(()),
            Some(_) => Err("an expiry names another time than its dedupe key".into()),
            None => Err("an expiry is left of a dedupe key that is gone".into()),
        }
    }

    fn check_run(&self, id: Option<[u8; 16]>, value: &[u8]) -> Result<(), Amiss> {
        let id = RunId::from_bytes(id.ok_or("a run's key cannot be read")?);
        let run = RunRecord::read(value).map_err(|error| told(&id, error))?;
        let head = run.head(id).map_err(|error| told(&id, error))?;
        let facts = self.facts(id).map_err(|error| told(&id, error))?;
        if u32::try_from(facts.len()).ok() != Some(run.len) {
            return Err(format!("{id} has {} facts, and its head says {}", facts.len(), run.len).into());
        }
        let replayed = Run::replay(id, run.accepted, facts).map_err(|error| format!("{id} cannot go on: {error}"))?;
        if replayed.has_ended() != run.status.is_final() {
            return Err(format!("{id} is {}, and its facts say otherwise", Status::as_str(run.status)).into());
        }
        self.check_event_of(&format!("the event of {id}"), &head.event.to_bytes())?;
        let get = |key: Vec<u8>| self.kv.get(&key).map_err(|error| told(&id, error));
        if get(key::revision(head.revision))?.is_none() {
            return Err(format!("the revision of {id} ({}) is gone", head.workflow).into());
        }
        if get(key::open(id))?.is_none() && !run.status.is_final() {
            return Err(format!("{id} has not ended and is not among the open runs: it would never go on").into());
        }
        Ok(())
    }

    fn check_open(&self, id: Option<[u8; 16]>, value: &[u8]) -> Result<(), Amiss> {
        let bytes = id.ok_or("the key of an open run cannot be read")?;
        let id = RunId::from_bytes(bytes);
        open_record::read(bytes, value).ok_or_else(|| format!("the open run {id} cannot be read"))?;
        match read::run_record(self.view(), id).map_err(|error| told(&id, error))? {
            Some(run) if run.status.is_final() => Err(format!("{id} is among the open runs and has ended").into()),
            Some(_) => Ok(()),
            None => Err(format!("{id} is among the open runs, and there is no such run").into()),
        }
    }

    fn check_revision(&self, key: &[u8]) -> Result<(), Amiss> {
        let (revision, first) = key::revision_of(key).ok_or("a revision's key cannot be read")?;
        match self.revision(revision) {
            Ok(Some(_)) => Ok(()),
            // The error is told once, at the first piece.
            Ok(None) | Err(StoreError::Damaged(_)) if !first => Ok(()),
            Ok(None) => Err(format!("the revision {revision} is empty").into()),
            Err(error) => Err(error.into()),
        }
    }
}

fn told(id: &dyn std::fmt::Display, error: StoreError) -> Amiss {
    match Amiss::from(error) {
        Amiss::Problem(problem) => Amiss::Problem(format!("{id}: {problem}")),
        unread @ Amiss::Unread(_) => unread,
    }
}
