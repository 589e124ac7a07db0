//! A map in memory, for tests and for `memory:`. Durable as long as a handle to it lives.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::{Arc, PoisonError, RwLock};

use super::super::StoreError;
use super::{Batch, Kv, Order, Visit};

/// A handle to the map. A clone sees the same content, so a test can "restart" on it.
#[derive(Debug, Default, Clone)]
pub struct Memory(Arc<RwLock<BTreeMap<Vec<u8>, Vec<u8>>>>);

impl Kv for Memory {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned())
    }

    fn range(&self, from: &[u8], to: &[u8], order: Order, visit: Visit<'_>) -> Result<(), StoreError> {
        // A BTreeMap panics on a range that ends before it begins.
        if to <= from {
            return Ok(());
        }
        let map = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut range = map.range::<[u8], _>((Bound::Included(from), Bound::Excluded(to)));
        while let Some((key, value)) = match order {
            Order::Ascending => range.next(),
            Order::Descending => range.next_back(),
        } {
            if visit(key, value).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn apply(&self, batch: &Batch) -> Result<(), StoreError> {
        let mut map = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (key, value) in batch.changes() {
            match value {
                Some(value) => map.insert(key.to_vec(), value.to_vec()),
                None => map.remove(key),
            };
        }
        Ok(())
    }
}
