//! Names of events, runs and revisions.
//!
//! An id is 128 bits, most significant first: 48 bits of Unix milliseconds, 24 bits of counter,
//! 48 bits of chance, 8 bits of shard. So ids sort by the time they were made, and a run carries
//! its shard with it. As text: a prefix and 26 Crockford base-32 digits, lower case.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const TEXT_LEN: usize = 26;

/// How many partitions runs are spread over; fixed for the life of a store.
pub const SHARDS: u16 = 256;

/// One of the 256 fixed partitions of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shard(pub u8);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id: expected `{prefix}` and 26 letters or digits")]
pub struct BadId {
    prefix: &'static str,
    text: String,
}

/// The parts an id is made of.
#[derive(Debug, Clone, Copy)]
pub struct Parts {
    /// Unix milliseconds.
    pub time_ms: u64,
    /// Counts up within one millisecond, so that ids of one process are ordered.
    pub counter: u32,
    /// Keeps ids of different processes apart.
    pub chance: u64,
    /// The partition, for runs.
    pub shard: u8,
}

impl Parts {
    fn bits(self) -> u128 {
        (u128::from(self.time_ms & 0xffff_ffff_ffff) << 80)
            | (u128::from(self.counter & 0x00ff_ffff) << 56)
            | (u128::from(self.chance & 0xffff_ffff_ffff) << 8)
            | u128::from(self.shard)
    }
}

fn write_text(bits: u128, out: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; TEXT_LEN];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        let digit = usize::try_from(rest & 31).unwrap_or(0);
        *slot = DIGITS.get(digit).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    out.write_str(std::str::from_utf8(&text).unwrap_or(""))
}

fn read_text(text: &str) -> Option<u128> {
    if text.len() != TEXT_LEN {
        return None;
    }
    text.bytes().try_fold(0u128, |bits, byte| {
        let digit = DIGITS.iter().position(|d| *d == byte)?;
        bits.checked_mul(32)?.checked_add(u128::try_from(digit).ok()?)
    })
}

macro_rules! id {
    ($name:ident, $prefix:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The id made of these parts.
            #[must_use]
            pub fn new(parts: Parts) -> Self {
                Self(parts.bits())
            }

            /// Sixteen bytes that sort as the id does.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }

            /// The id that `to_bytes` wrote.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// When the id was made, in Unix milliseconds.
            #[must_use]
            pub fn time_ms(self) -> u64 {
                u64::try_from(self.0 >> 80).unwrap_or(u64::MAX)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str($prefix)?;
                write_text(self.0, out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, out)
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                text.strip_prefix($prefix).and_then(read_text).map(Self).ok_or_else(|| BadId { prefix: $prefix, text: text.to_owned() })
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
                out.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

id!(EventId, "evt_", "One thing that happened.");
id!(RunId, "run_", "One execution of one workflow revision.");

impl RunId {
    /// The partition this run belongs to.
    #[must_use]
    pub fn shard(self) -> Shard {
        Shard(u8::try_from(self.0 & 0xff).unwrap_or(0))
    }
}

/// A workflow's content hash (SHA-256), the scripts and schemas it uses included.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub [u8; 32]);

impl fmt::Display for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl fmt::Debug for Revision {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Revision {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let bad = || BadId { prefix: "", text: text.to_owned() };
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0u8; 32];
        for (slot, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).ok().ok_or_else(bad)?;
            *slot = u8::from_str_radix(pair, 16).ok().ok_or_else(bad)?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Revision {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(input)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn text_and_bytes_bring_an_id_back(time_ms in 0u64..1 << 48, counter in 0u32..1 << 24, chance in 0u64..1 << 48, shard: u8) {
            let id = RunId::new(Parts { time_ms, counter, chance, shard });
            prop_assert_eq!(id.to_string().parse::<RunId>(), Ok(id));
            prop_assert_eq!(RunId::from_bytes(id.to_bytes()), id);
            prop_assert_eq!(id.shard(), Shard(shard));
            prop_assert_eq!(id.time_ms(), time_ms);
        }

        #[test]
        fn ids_sort_by_time_then_counter(a in (0u64..1 << 48, 0u32..1 << 24), b in (0u64..1 << 48, 0u32..1 << 24)) {
            let id = |(time_ms, counter): (u64, u32), chance| EventId::new(Parts { time_ms, counter, chance, shard: 0 });
            if a != b {
                prop_assert_eq!(id(a, 9).cmp(&id(b, 1)), a.cmp(&b));
                prop_assert_eq!(id(a, 9).to_string().cmp(&id(b, 1).to_string()), a.cmp(&b));
            }
        }

        #[test]
        fn no_text_panics(text in ".*") {
            if let Ok(id) = text.parse::<RunId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn an_id_of_another_kind_is_refused() {
        let event = EventId::new(Parts { time_ms: 1, counter: 2, chance: 3, shard: 4 });
        assert!(event.to_string().parse::<RunId>().is_err());
    }
}
