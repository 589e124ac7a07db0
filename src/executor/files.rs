//! Files by reference: `{file: ${event.files[0]}}` in `multipart` or `body` of a call becomes the file's content, a moment before the
//! call is made. It is never part of what is stored of a run.
//!
//! A run gets files of its own events alone: what a stranger sends may look like a reference, and must not open anything else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::domain::Value;
use crate::domain::event::EventHead;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::file::{EventFile, FileId};
use crate::domain::id::RunId;
use crate::store::{Store, StoreError};

/// The most bytes of files in one call: they are held in memory while it is made.
const CALL_BYTES: u64 = 25 << 20;
/// What a reference may say besides its file.
const PART_KEYS: [&str; 2] = ["filename", "content_type"];

/// Puts the content of files in the place of references to them.
pub(super) async fn fill(store: &dyn Store, run: RunId, with: &mut Value) -> Result<(), Failure> {
    let mut places = references(with);
    if places.is_empty() {
        return Ok(());
    }
    let heads = events_of(store, run).await.map_err(|error| unread(&error))?;
    let mut left = CALL_BYTES;
    for (place, value) in &mut places {
        let (event, file) = find(&heads, value).ok_or_else(|| not_ours(place))?;
        left = left.checked_sub(file.size).ok_or_else(too_large)?;
        let content = read(store, file.id(event.id), file.size).await?;
        let filled = if place == "body" {
            json!({"base64": content})
        } else {
            json!({"filename": file.name, "content_type": file.kind, "base64": content})
        };
        // What the step says of the file goes before what its sender said.
        let said = value.as_object_mut().map(std::mem::take).unwrap_or_default();
        let mut filled = filled;
        if let Value::Object(filled) = &mut filled {
            filled.extend(said.into_iter().filter(|(key, _)| PART_KEYS.contains(&key.as_str())));
        }
        **value = filled;
    }
    Ok(())
}

/// Maps with a `file` in the places where a call has content, and what these places are called.
fn references(with: &mut Value) -> Vec<(String, &mut Value)> {
    let Value::Object(with) = with else { return Vec::new() };
    let mut found = Vec::new();
    for (key, value) in with.iter_mut() {
        match (key.as_str(), value) {
            ("body", value) if is_reference(value) => found.push(("body".to_owned(), value)),
            ("multipart", Value::Object(parts)) => {
                for (name, part) in parts.iter_mut() {
                    let several = if let Value::Array(several) = part { several.as_mut_slice() } else { std::slice::from_mut(part) };
                    found.extend(several.iter_mut().filter(|part| is_reference(part)).map(|part| (format!("multipart.{name}"), part)));
                }
            }
            _ => {}
        }
    }
    found
}

fn is_reference(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|map| map.contains_key("file") && map.keys().all(|key| key == "file" || PART_KEYS.contains(&key.as_str())))
}

/// The events whose files the run may read.
async fn events_of(store: &dyn Store, run: RunId) -> Result<Vec<EventHead>, StoreError> {
    let Some(head) = store.run(run).await? else { return Ok(Vec::new()) };
    let gathered = store.gathered(run).await?;
    if !gathered.is_empty() {
        return Ok(gathered.into_iter().map(|event| event.head).collect());
    }
    Ok(store.event(head.event).await?.map(|event| event.head).into_iter().collect())
}

fn find<'e>(heads: &'e [EventHead], value: &Value) -> Option<(&'e EventHead, &'e EventFile)> {
    let file = value.get("file")?;
    let id: FileId = file.get("id").unwrap_or(file).as_str()?.parse().ok()?;
    let event = heads.iter().find(|head| head.id == id.event)?;
    Some((event, event.files.iter().find(|file| file.number == id.number)?))
}

async fn read(store: &dyn Store, id: FileId, size: u64) -> Result<String, Failure> {
    let mut content = Vec::new();
    for index in 0.. {
        let Some(piece) = store.file(id, index).await.map_err(|error| unread(&error))? else { break };
        content.extend_from_slice(&piece);
    }
    if u64::try_from(content.len()).ok() != Some(size) {
        return Err(Failure::new(FailureKind::Internal, format!("the file {id} is damaged; see `hence store check`")));
    }
    Ok(STANDARD.encode(content))
}

fn not_ours(place: &str) -> Failure {
    let message = format!("`{place}.file` is not a file of this run's event: write `{{file: \"${{event.files[0]}}\"}}`");
    Failure::new(FailureKind::BadInput, message)
}

fn too_large() -> Failure {
    let message = format!("the files of one call are larger than {} MiB together: send them one by one", CALL_BYTES >> 20);
    Failure::new(FailureKind::BadInput, message)
}

/// A disk that cannot be read may be read later.
fn unread(error: &StoreError) -> Failure {
    Failure::new(FailureKind::Network, format!("a file cannot be read from the store now: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_where_content_is() {
        let file = json!({"file": {"id": "evt_01h00000000000000000000000/1"}});
        let mut with = json!({
            "url": file,
            "json": {"body": file, "multipart": {"a": file}},
            "body": file,
            "multipart": {"a": file, "b": ["x", file, {"file": 1, "filename": "b"}], "c": {"file": 1, "url": 2}, "d": "file"},
        });
        let places: Vec<String> = references(&mut with).into_iter().map(|(place, _)| place).collect();
        assert_eq!(places, ["body", "multipart.a", "multipart.b", "multipart.b"]);
        for mut other in [json!(null), json!([file]), json!({"body": "x", "multipart": [file]})] {
            assert!(references(&mut other).is_empty(), "{other}");
        }
    }
}
