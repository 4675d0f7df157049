//! meta.json: what a block says about itself; `docs/block.md`, "meta.json".

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::block_id::BlockId;
use crate::corruption::{Corruption, Fault, Section};
use crate::fs::RangeRead;
use crate::stored::StoredFile;

use super::go_json::to_go_json;

/// The only version there is.
const VERSION: u64 = 1;
/// A meta.json that is longer is not read: ten thousand sources take half a megabyte.
const BYTES_MAX: u64 = 16 << 20;

/// The part of meta.json that Prometheus writes. What it does not know, such as Thanos' section, is kept as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockMeta {
    /// The block's name.
    pub ulid: BlockId,
    /// The time from which on there may be samples, milliseconds, inclusive.
    #[serde(default)]
    pub min_time: i64,
    /// The time before which there may be samples, milliseconds, exclusive.
    #[serde(default)]
    pub max_time: i64,
    /// What is in the block.
    #[serde(default, deserialize_with = "null_is_default")]
    pub stats: BlockStats,
    /// What the block was made from.
    #[serde(default, deserialize_with = "null_is_default")]
    pub compaction: Compaction,
    /// Always 1.
    #[serde(default)]
    pub version: u64,
    /// Fields that Prometheus does not have.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// How much is in a block.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockStats {
    /// Samples of all kinds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_samples: u64,
    /// Samples that are floats; absent in blocks before Prometheus 2.40.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_float_samples: u64,
    /// Samples that are histograms; absent in blocks before Prometheus 2.40.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_histogram_samples: u64,
    /// Series.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_series: u64,
    /// Chunks.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_chunks: u64,
    /// Deleted intervals.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub num_tombstones: u64,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Where a block comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Compaction {
    /// 1 for a block that was cut from a head; each compaction adds one.
    #[serde(default)]
    pub level: i64,
    /// The blocks of level 1 whose samples are in here.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<BlockId>,
    /// Whether compaction left no samples, so that the block may go.
    #[serde(default, skip_serializing_if = "is_false")]
    pub deletable: bool,
    /// The blocks that were compacted into this one.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub parents: Vec<BlockDescription>,
    /// Whether a compaction of this block failed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failed: bool,
    /// Remarks such as `from-out-of-order`.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub hints: Vec<String>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A block as its descendant remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlockDescription {
    /// Its name.
    pub ulid: BlockId,
    /// Inclusive, milliseconds.
    #[serde(default)]
    pub min_time: i64,
    /// Exclusive, milliseconds.
    #[serde(default)]
    pub max_time: i64,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl BlockMeta {
    /// Describes a new block of level 1 whose samples lie in `min_time..max_time` and which is its own source.
    pub fn new(ulid: BlockId, min_time: i64, max_time: i64) -> Self {
        let compaction = Compaction { level: 1, sources: vec![ulid], ..Compaction::default() };
        let (stats, extra) = (BlockStats::default(), Map::new());
        BlockMeta { ulid, min_time, max_time, stats, compaction, version: VERSION, extra }
    }

    /// How a descendant remembers this block.
    pub fn description(&self) -> BlockDescription {
        let (ulid, min_time, max_time) = (self.ulid, self.min_time, self.max_time);
        BlockDescription { ulid, min_time, max_time, extra: Map::new() }
    }

    /// Reads a meta.json.
    ///
    /// # Errors
    /// [`Fault::Json`], [`Fault::Version`], [`Fault::OutOfRange`] for one of more than 16 MiB.
    pub fn read(file: &StoredFile) -> Result<Self, Corruption> {
        let section = Section::Json;
        if file.len() > BYTES_MAX {
            let fault = Fault::OutOfRange { what: "size", value: file.len(), max: BYTES_MAX };
            return Err(file.corruption(section, 0, fault));
        }
        let bytes = file.bytes().read_range(0, file.len()).map_err(|error| file.io(section, 0, &error))?;
        let meta: BlockMeta = serde_json::from_slice(&bytes).map_err(|error| {
            let offset = offset_of(&bytes, error.line(), error.column());
            file.corruption(section, offset, Fault::Json(error.to_string().into()))
        })?;
        if meta.version != VERSION {
            return Err(file.corruption(section, 0, Fault::Version(meta.version)));
        }
        Ok(meta)
    }

    /// Reads a meta.json that is in memory.
    ///
    /// # Errors
    /// As [`BlockMeta::read`].
    pub fn parse(bytes: impl Into<bytes::Bytes>) -> Result<Self, Corruption> {
        let bytes: bytes::Bytes = bytes.into();
        let bytes: std::sync::Arc<dyn RangeRead> = std::sync::Arc::new(bytes);
        Self::read(&StoredFile::new(super::META_FILE, bytes))
    }

    /// Writes it as Prometheus does: tabs, no line feed at the end.
    pub fn to_json(&self) -> Vec<u8> {
        // The keys of all maps are texts, and nothing here can refuse to be written.
        to_go_json(self).unwrap_or_default()
    }
}

fn offset_of(bytes: &[u8], line: usize, column: usize) -> u64 {
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    before.saturating_add(column.saturating_sub(1)).min(bytes.len()) as u64
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Go reads `null` as the empty value.
fn null_is_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_kept_at_every_level() {
        let text = "{\n\t\"ulid\": \"01HK153X00AAAAAAAAAAAAAAAA\",\n\t\"minTime\": -5,\n\t\"maxTime\": 7,\n\t\"stats\": {\n\t\t\
            \"numSeries\": 1,\n\t\t\"x\": 1\n\t},\n\t\"compaction\": {\n\t\t\"level\": -1,\n\t\t\"parents\": [\n\t\t\t{\n\t\t\t\t\
            \"ulid\": \"01HK153X00AAAAAAAAAAAAAAAA\",\n\t\t\t\t\"minTime\": 1,\n\t\t\t\t\"maxTime\": 2,\n\t\t\t\t\"y\": null\n\
            \t\t\t}\n\t\t],\n\t\t\"z\": []\n\t},\n\t\"version\": 1,\n\t\"thanos\": {\n\t\t\"labels\": {}\n\t}\n}";
        let meta = BlockMeta::parse(text).unwrap();
        assert_eq!(meta.compaction.level, -1);
        assert_eq!(String::from_utf8(meta.to_json()).unwrap(), text);
    }

    #[test]
    fn fractions_that_are_unknown_keep_their_last_digit() {
        let text = r#"{"ulid":"01HK153X00AAAAAAAAAAAAAAAA","version":1,"x":12888888888888888888888888888888888888888}"#;
        let meta = BlockMeta::parse(text).unwrap();
        assert_eq!(BlockMeta::parse(meta.to_json()).unwrap(), meta);
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let fault = |text: &'static str| BlockMeta::parse(text).unwrap_err();
        let broken = fault("{\n\t\"ulid\": 7}");
        assert!(matches!(&broken.fault, Fault::Json(_)), "{broken}");
        assert_eq!(broken.offset, 11);
        let other = fault(r#"{"ulid":"01HK153X00AAAAAAAAAAAAAAAA","version":2}"#);
        assert_eq!(other.fault, Fault::Version(2));
        let nulls =
            r#"{"ulid":"01HK153X00AAAAAAAAAAAAAAAA","stats":null,"compaction":{"sources":null},"version":1}"#;
        assert!(BlockMeta::parse(nulls).unwrap().compaction.sources.is_empty());
    }
}
