//! What was read of indexes, kept: postings as deltas, whole answers to matchers, pages of series.

mod fifo;
mod memory;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use tsdb::BlockId;

pub use memory::{CacheMetrics, MemoryCache};

/// What an entry of an index cache is; the words of Thanos' metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Item {
    /// The postings of one matcher.
    Postings,
    /// The postings of all matchers of a call.
    ExpandedPostings,
    /// A page of the section of series.
    Series,
}

impl Item {
    /// All.
    pub const ALL: [Item; 3] = [Item::Postings, Item::ExpandedPostings, Item::Series];

    /// The value of the label `item_type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Item::Postings => "Postings",
            Item::ExpandedPostings => "ExpandedPostings",
            Item::Series => "Series",
        }
    }
}

/// What an entry is found by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CacheKey {
    /// The block.
    pub block: BlockId,
    /// What of it.
    pub what: What,
}

/// What is kept of a block.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum What {
    /// The postings of a matcher, by its text.
    Postings(Arc<str>),
    /// The postings of several matchers, by their texts.
    Expanded(Arc<str>),
    /// A page of series, by its number.
    Series(u64),
}

impl CacheKey {
    /// What kind of entry it is.
    pub const fn item(&self) -> Item {
        match self.what {
            What::Postings(_) => Item::Postings,
            What::Expanded(_) => Item::ExpandedPostings,
            What::Series(_) => Item::Series,
        }
    }
}

/// A cache of indexes. It may forget anything at any time; what it gives is what was put.
#[async_trait]
pub trait IndexCache: Debug + Send + Sync {
    /// The entries of these keys, in their order.
    async fn fetch(&self, keys: &[CacheKey], tenant: &str) -> Vec<Option<Bytes>>;

    /// Keeps an entry. The bytes are the entry's own: they are no slice of something larger.
    fn store(&self, key: CacheKey, entry: Bytes, tenant: &str);
}
