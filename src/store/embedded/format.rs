//! Which data format a store is in.

use std::cmp::Ordering;
use std::ops::ControlFlow;

use super::super::StoreError;
use super::super::kv::{Batch, Kv, Order};
use super::key;
use super::record::damaged;

/// The newest data format this program reads, and the one it writes. 1 kept every dedupe key by its hash.
pub const FORMAT: u32 = 2;

/// An empty engine becomes a store; one of a newer format is left as it is.
pub(super) fn check(kv: &dyn Kv) -> Result<(), StoreError> {
    if let Some(bytes) = kv.get(&key::format())? {
        let bytes = bytes.try_into().ok().ok_or_else(|| damaged("the data format's number"))?;
        let found = u32::from_be_bytes(bytes);
        return match found.cmp(&FORMAT) {
            Ordering::Greater => Err(StoreError::NewerFormat { found, known: FORMAT }),
            Ordering::Equal => Ok(()),
            // What an older program wrote is read as it is; what is written from now on it could not read.
            Ordering::Less => put(kv),
        };
    }
    let mut empty = true;
    kv.range(&[], &[u8::MAX], Order::Ascending, &mut |_, _| {
        empty = false;
        ControlFlow::Break(())
    })?;
    if !empty {
        return Err(StoreError::Damaged("it holds data but not the number of its data format".to_owned()));
    }
    put(kv)
}

fn put(kv: &dyn Kv) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    batch.put(key::format(), FORMAT.to_be_bytes().to_vec());
    kv.apply(&batch)
}
