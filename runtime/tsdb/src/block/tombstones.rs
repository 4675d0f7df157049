//! Tombstones: intervals of series that were deleted, but still stand in the chunks; `docs/block.md`, "Tombstones".

use std::collections::BTreeMap;

use crate::corruption::{Corruption, Fault, Section};
use crate::encoding::{At, Reader, crc32c, put_u32, put_uvarint, put_varint};
use crate::index::SeriesRef;
use crate::stored::StoredFile;

const MAGIC: u32 = 0x0130_BA30;
const VERSION: u8 = 1;
/// Magic number and version.
const HEADER_BYTES: usize = 5;
/// A file that is longer is not read: it stands for ten million intervals.
const BYTES_MAX: u64 = 256 << 20;

/// A closed interval of time, milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Interval {
    /// The first millisecond.
    pub min_time: i64,
    /// The last millisecond.
    pub max_time: i64,
}

impl Interval {
    /// Whether a time lies in it.
    pub const fn contains(&self, time: i64) -> bool {
        self.min_time <= time && time <= self.max_time
    }

    /// Whether all of the closed interval lies in it.
    pub const fn covers(&self, min_time: i64, max_time: i64) -> bool {
        self.min_time <= min_time && max_time <= self.max_time
    }
}

/// What was deleted, by series; intervals ascend, and neither touch nor overlap.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tombstones {
    by_series: BTreeMap<SeriesRef, Vec<Interval>>,
}

impl Tombstones {
    /// Reads a file of tombstones.
    ///
    /// # Errors
    /// [`Fault::Magic`], [`Fault::Version`], [`Fault::Checksum`], [`Fault::Short`], [`Fault::Rule`] for an interval that ends
    /// before it begins, [`Fault::OutOfRange`].
    pub fn read(file: &StoredFile) -> Result<Self, Corruption> {
        let fail = |section, offset, fault| file.corruption(section, offset, fault);
        if file.len() > BYTES_MAX {
            let fault = Fault::OutOfRange { what: "size", value: file.len(), max: BYTES_MAX };
            return Err(fail(Section::Header, 0, fault));
        }
        let bytes = file.bytes().read_range(0, file.len());
        let bytes = bytes.map_err(|error| file.io(Section::Header, 0, &error))?;
        let mut header = Reader::new(&bytes, 0);
        let at = |at| file.at(Section::Header, at);
        let found = header.u32().map_err(at)?;
        if found != MAGIC {
            return Err(fail(Section::Header, 0, Fault::Magic { expected: MAGIC, found }));
        }
        let version = header.u8().map_err(at)?;
        let Some((content, sum)) = header.rest().split_last_chunk::<4>() else {
            let missing = 4u64.saturating_sub(header.len() as u64);
            return Err(fail(Section::Tombstones, file.len(), Fault::Short { missing }));
        };
        if version != VERSION {
            return Err(fail(Section::Header, 4, Fault::Version(version.into())));
        }
        // The checksum does not cover the version.
        let (expected, found) = (u32::from_be_bytes(*sum), crc32c(content));
        if expected != found {
            let end = file.len().saturating_sub(4);
            return Err(fail(Section::Tombstones, end, Fault::Checksum { expected, found }));
        }
        let mut tombstones = Tombstones::default();
        let mut reader = Reader::new(content, HEADER_BYTES as u64);
        while !reader.is_empty() {
            let (series, interval) = read_one(&mut reader).map_err(|at| file.at(Section::Tombstones, at))?;
            tombstones.add(series, interval);
        }
        Ok(tombstones)
    }

    /// All of a file of tombstones; series ascend.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        put_u32(&mut bytes, MAGIC);
        bytes.push(VERSION);
        for (series, intervals) in &self.by_series {
            for interval in intervals {
                put_uvarint(&mut bytes, series.0.into());
                put_varint(&mut bytes, interval.min_time);
                put_varint(&mut bytes, interval.max_time);
            }
        }
        let sum = crc32c(bytes.get(HEADER_BYTES..).unwrap_or(&[]));
        put_u32(&mut bytes, sum);
        bytes
    }

    /// Deletes an interval of a series; intervals that overlap or touch become one.
    pub fn add(&mut self, series: SeriesRef, added: Interval) {
        let intervals = self.by_series.entry(series).or_default();
        // Those before it that do not touch it, and those behind it.
        let first = intervals.partition_point(|known| known.max_time.saturating_add(1) < added.min_time);
        let behind = intervals.partition_point(|known| known.min_time <= added.max_time.saturating_add(1));
        let merged = intervals.get(first..behind).unwrap_or(&[]).iter().fold(added, |all, known| Interval {
            min_time: all.min_time.min(known.min_time),
            max_time: all.max_time.max(known.max_time),
        });
        intervals.splice(first..behind.max(first), [merged]);
    }

    /// What was deleted of a series.
    pub fn of(&self, series: SeriesRef) -> &[Interval] {
        self.by_series.get(&series).map_or(&[], Vec::as_slice)
    }

    /// All series that have any, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (SeriesRef, &[Interval])> {
        self.by_series.iter().map(|(series, intervals)| (*series, intervals.as_slice()))
    }

    /// How many intervals there are: `numTombstones` of meta.json.
    pub fn len(&self) -> u64 {
        self.by_series.values().map(|intervals| intervals.len() as u64).sum()
    }

    /// Whether nothing was deleted.
    pub fn is_empty(&self) -> bool {
        self.by_series.is_empty()
    }
}

fn read_one(reader: &mut Reader<'_>) -> Result<(SeriesRef, Interval), At> {
    let here = reader.fault(Fault::Rule("an interval that ends before it begins"));
    let value = reader.uvarint()?;
    let (min_time, max_time) = (reader.varint()?, reader.varint()?);
    let Ok(series) = u32::try_from(value) else {
        let fault = Fault::OutOfRange { what: "reference to a series", value, max: u32::MAX.into() };
        return Err(At { fault, ..here });
    };
    if max_time < min_time { Err(here) } else { Ok((SeriesRef(series), Interval { min_time, max_time })) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: Vec<u8>) -> Result<Tombstones, Corruption> {
        Tombstones::read(&StoredFile::new("tombstones", Arc::new(Bytes::from(bytes))))
    }

    proptest! {
        #[test]
        fn deletes_what_was_to_be_deleted(added in proptest::collection::vec((0u32..3, 0i64..60, 0i64..9), 0..30)) {
            let mut tombstones = Tombstones::default();
            let mut expected = BTreeSet::new();
            for (series, min_time, length) in added {
                let max_time = min_time + length;
                tombstones.add(SeriesRef(series), Interval { min_time, max_time });
                expected.extend((min_time..=max_time).map(|time| (series, time)));
            }
            for series in 0..3 {
                let of = tombstones.of(SeriesRef(series));
                prop_assert!(of.is_sorted_by(|one, next| one.max_time + 1 < next.min_time), "{:?}", of);
                for time in -1..80 {
                    let deleted = of.iter().any(|interval| interval.contains(time));
                    prop_assert_eq!(deleted, expected.contains(&(series, time)));
                }
            }
            prop_assert_eq!(read(tombstones.to_bytes()).unwrap(), tombstones);
        }

        #[test]
        fn a_changed_byte_is_found(at in 0usize..24, bit in 0u8..8) {
            let mut tombstones = Tombstones::default();
            tombstones.add(SeriesRef(7), Interval { min_time: i64::MIN, max_time: i64::MAX });
            let mut bytes = tombstones.to_bytes();
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(read(bytes).is_err());
        }
    }

    #[test]
    fn faults_are_told_apart() {
        let fault = |bytes: &[u8]| read(bytes.to_vec()).unwrap_err().fault;
        assert!(matches!(fault(&[0xde, 0xad, 0xbe, 0xef, 1, 0, 0, 0, 0]), Fault::Magic { .. }));
        assert_eq!(fault(&[0x01, 0x30, 0xba, 0x30, 2, 0, 0, 0, 0]), Fault::Version(2));
        assert_eq!(fault(&[0x01, 0x30, 0xba, 0x30, 1, 0, 0]), Fault::Short { missing: 2 });
        let mut backwards = vec![0x01, 0x30, 0xba, 0x30, 1, 3, 4, 2];
        let sum = crc32c(&backwards[5..]);
        put_u32(&mut backwards, sum);
        assert!(matches!(fault(&backwards), Fault::Rule(_)));
    }
}
