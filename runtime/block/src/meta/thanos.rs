//! The section `thanos` of a meta.json.

use std::collections::BTreeMap;
use std::fmt;

use prom_model::Labels;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use tsdb::BlockId;

use crate::GoTime;

/// What Thanos adds to the metadata of a block.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Thanos {
    /// 0 for blocks of before it was counted, or 1.
    #[serde(skip_serializing_if = "is_zero")]
    pub version: i64,
    /// The external labels of the stream that the block belongs to.
    #[serde(deserialize_with = "null_as_default")]
    pub labels: BTreeMap<String, String>,
    /// How the samples are spaced.
    pub downsample: Downsample,
    /// Who wrote the block.
    pub source: Source,
    /// The names of the segments; superseded by `files`.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub segment_files: Vec<String>,
    /// What the block consists of, sorted by path.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<FileEntry>,
    /// Which rewrites made the block.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub rewrites: Vec<Rewrite>,
    /// The largest entries of the index, so that readers know how much to ask for.
    pub index_stats: IndexStats,
    /// Whatever other programs say of the block.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub extensions: Value,
    /// When the upload was finished; unset in blocks of before it was written.
    pub upload_time: GoTime,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

impl Thanos {
    /// The external labels; those with an empty value are left out, as they mean nothing.
    pub fn external_labels(&self) -> Labels {
        self.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
    }
}

/// How the samples of a block are spaced.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Downsample {
    /// The spacing.
    pub resolution: Resolution,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// The spacing of samples in milliseconds; 0 for samples as they were scraped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Resolution(pub i64);

impl Resolution {
    /// Samples as they were scraped.
    pub const RAW: Resolution = Resolution(0);
    /// One aggregate per five minutes.
    pub const FIVE_MINUTES: Resolution = Resolution(300_000);
    /// One aggregate per hour.
    pub const ONE_HOUR: Resolution = Resolution(3_600_000);
}

impl fmt::Display for Resolution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Who wrote a block.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Source {
    /// Not said.
    #[default]
    Unknown,
    /// A sidecar, from Prometheus' disk.
    Sidecar,
    /// A receiver, from its own head.
    Receive,
    /// A compactor.
    Compactor,
    /// A compactor that repaired what it found.
    CompactorRepair,
    /// A ruler, from its own head.
    Ruler,
    /// `tools bucket verify --repair`.
    BucketRepair,
    /// `tools bucket rewrite`.
    BucketRewrite,
    /// `tools bucket upload-blocks`.
    BucketUpload,
    /// Somebody else.
    Other(String),
}

impl Source {
    const WORDS: [(Source, &'static str); 9] = [
        (Source::Unknown, ""),
        (Source::Sidecar, "sidecar"),
        (Source::Receive, "receive"),
        (Source::Compactor, "compactor"),
        (Source::CompactorRepair, "compactor.repair"),
        (Source::Ruler, "ruler"),
        (Source::BucketRepair, "bucket.repair"),
        (Source::BucketRewrite, "bucket.rewrite"),
        (Source::BucketUpload, "bucket.upload"),
    ];

    /// The word in meta.json.
    pub fn as_str(&self) -> &str {
        match self {
            Source::Other(word) => word,
            known => Source::WORDS.iter().find(|(source, _)| source == known).map_or("", |(_, word)| word),
        }
    }
}

impl Serialize for Source {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Source {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        let known = Source::WORDS.iter().find(|(_, known)| *known == word);
        Ok(known.map_or_else(|| Source::Other(word.clone()), |(source, _)| source.clone()))
    }
}

/// One file of a block.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileEntry {
    /// The path from the block's folder.
    pub rel_path: String,
    /// Bytes; not given for meta.json, which cannot know its own.
    #[serde(skip_serializing_if = "is_zero_size")]
    pub size_bytes: u64,
    /// The hash, where the upload was told to compute it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<FileHash>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Which hashes are computed over the files of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HashFunc {
    /// None.
    #[default]
    None,
    /// SHA-256.
    Sha256,
}

impl HashFunc {
    /// The word in meta.json and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            HashFunc::None => "",
            HashFunc::Sha256 => "SHA256",
        }
    }
}

/// The hash of a file.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FileHash {
    /// The function, as in `SHA256`.
    #[serde(rename = "hashFunc")]
    pub hash_func: String,
    /// The hash in lower-case hexadecimal digits.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// One run of `tools bucket rewrite` over a block.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Rewrite {
    /// What it read.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<BlockId>,
    /// What it deleted.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub deletions_applied: Vec<Deletion>,
    /// The relabelling rules that it applied, as they were written.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub relabels_applied: Vec<Value>,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// Samples that a rewrite deleted.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Deletion {
    /// The matchers of the series, as they were written.
    pub matchers: Value,
    /// When; all of a series where there are none.
    #[serde(deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub intervals: Vec<Interval>,
    /// Who asked.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub request_id: String,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// A range of time in milliseconds, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// The first millisecond.
    #[serde(rename = "Mint")]
    pub min_time: i64,
    /// The last millisecond.
    #[serde(rename = "Maxt")]
    pub max_time: i64,
}

/// The largest entries of an index.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct IndexStats {
    /// Bytes of the largest series.
    #[serde(skip_serializing_if = "is_zero")]
    pub series_max_size: i64,
    /// Bytes of the largest chunk.
    #[serde(skip_serializing_if = "is_zero")]
    pub chunk_max_size: i64,
    /// Fields that are not known here.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What Go writes for a nil slice or map: nothing.
fn null_as_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

const fn is_zero(number: &i64) -> bool {
    *number == 0
}

const fn is_zero_size(number: &u64) -> bool {
    *number == 0
}
