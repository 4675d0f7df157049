//! The name of a block: a ULID, 48 bits of milliseconds since the epoch and 80 bits of chance, in Crockford's base 32.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const LENGTH: usize = 26;

/// The ULID of a block; also the name of its folder.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(u128);

/// A text that is no ULID in its canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a block ID: 26 characters of 0-9 and A-Z without I, L, O, U, the first at most 7")]
pub struct BlockIdError(String);

impl BlockId {
    /// Makes an ID from a time in milliseconds since the epoch (its lower 48 bits) and 80 bits of chance.
    pub const fn new(millis: u64, random: u128) -> Self {
        BlockId(((millis & 0xffff_ffff_ffff) as u128) << 80 | random & ((1 << 80) - 1))
    }

    /// The milliseconds since the epoch at which the ID was made; says nothing about the samples.
    pub const fn millis(self) -> u64 {
        (self.0 >> 80) as u64
    }

    /// All 128 bits.
    pub const fn as_u128(self) -> u128 {
        self.0
    }

    /// Whether a folder of this name is a block's.
    pub fn is_block_folder(name: &str) -> bool {
        name.parse::<BlockId>().is_ok()
    }
}

impl FromStr for BlockId {
    type Err = BlockIdError;

    /// Reads the canonical form only: with another spelling the folder would not be found by its ID.
    fn from_str(text: &str) -> Result<Self, BlockIdError> {
        let refused = || BlockIdError(text.chars().take(2 * LENGTH).collect());
        if text.len() != LENGTH {
            return Err(refused());
        }
        let mut bits = 0u128;
        for (at, byte) in text.bytes().enumerate() {
            let digit = ALPHABET.iter().position(|known| *known == byte).ok_or_else(refused)?;
            if at == 0 && digit > 7 {
                return Err(refused());
            }
            bits = bits << 5 | digit as u128;
        }
        Ok(BlockId(bits))
    }
}

impl fmt::Display for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(LENGTH);
        for at in (0..LENGTH).rev() {
            let digit = (self.0 >> (5 * at) & 31) as usize;
            text.push(ALPHABET.get(digit).copied().map_or('0', char::from));
        }
        f.pad(&text)
    }
}

impl fmt::Debug for BlockId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for BlockId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BlockId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_the_canonical_form_only() {
        let id: BlockId = "01HK153X00AAAAAAAAAAAAAAAA".parse().unwrap();
        assert_eq!(id.to_string(), "01HK153X00AAAAAAAAAAAAAAAA");
        assert_eq!(BlockId::new(id.millis(), id.as_u128()), id);
        assert_eq!("7ZZZZZZZZZZZZZZZZZZZZZZZZZ".parse::<BlockId>().unwrap().as_u128(), u128::MAX);
        for wrong in [
            "",
            "01hk153x00aaaaaaaaaaaaaaaa",
            "8ZZZZZZZZZZZZZZZZZZZZZZZZZ",
            "01HK153X00AAAAAAAAAAAAAAA",
            "01HK153X00AAAAAAAAAAAAAAAI",
            "01HK153X00AAAAAAAAAAAAAé",
        ] {
            assert!(wrong.parse::<BlockId>().is_err(), "{wrong}");
        }
    }
}
