//! `--index-cache.config`, `--store.caching-bucket.config`: what is kept in memory.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use block::layout;
use objstore::BucketRef;
use objstore::layers::{CacheRule, Caching};
use prom_model::Clock;
use serde::Deserialize;
use serde::de::IgnoredAny;
use server::duration::GoDuration;

use crate::flags::bytes::GoBytes;

/// How large the index cache and its entries may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IndexCacheSizes {
    pub(super) bytes_max: usize,
    pub(super) item_bytes_max: usize,
}

/// Thanos' default for one entry.
pub(super) const ITEM_BYTES_MAX: u64 = 125 << 20;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IndexCacheYaml {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    config: Option<MemoryYaml>,
    #[serde(default)]
    enabled_items: Vec<String>,
    /// Of remote caches.
    #[serde(rename = "ttl", default)]
    _ttl: Option<IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct MemoryYaml {
    max_size: Option<GoBytes>,
    max_item_size: Option<GoBytes>,
}

/// The kind that a YAML names, before anything else of it is looked at.
#[derive(Deserialize)]
struct Kind {
    r#type: String,
}

fn in_memory(flag: &str, yaml: &str) -> anyhow::Result<()> {
    let Kind { r#type } = serde_saphyr::from_str(yaml).with_context(|| format!("--{flag}"))?;
    match r#type.to_uppercase().as_str() {
        "IN-MEMORY" => Ok(()),
        "MEMCACHED" | "REDIS" | "GROUPCACHE" => {
            bail!("--{flag}: {} is not built in; use IN-MEMORY", r#type)
        }
        _ => bail!("--{flag}: unknown type {:?}; use IN-MEMORY", r#type),
    }
}

/// Reads `--index-cache.config`.
pub(super) fn index_cache(yaml: &str) -> anyhow::Result<IndexCacheSizes> {
    let flag = "index-cache.config";
    in_memory(flag, yaml)?;
    let read: IndexCacheYaml = serde_saphyr::from_str(yaml).with_context(|| format!("--{flag}"))?;
    let IndexCacheYaml { config, enabled_items, .. } = read;
    let known = ["Postings", "Series", "ExpandedPostings"];
    if let Some(item) = enabled_items.iter().find(|item| !known.contains(&item.as_str())) {
        bail!("--{flag}: unsupported item type {item}");
    }
    let config = config.unwrap_or_default();
    let bytes_max = config.max_size.map_or(250 << 20, |bytes| bytes.0);
    let item_bytes_max = config.max_item_size.map_or(ITEM_BYTES_MAX, |bytes| bytes.0);
    if item_bytes_max > bytes_max && config.max_item_size.is_some() {
        bail!(
            "--{flag}: max item size ({item_bytes_max}) cannot be bigger than overall cache size ({bytes_max})"
        );
    }
    sizes(bytes_max, item_bytes_max)
}

pub(super) fn sizes(bytes_max: u64, item_bytes_max: u64) -> anyhow::Result<IndexCacheSizes> {
    Ok(IndexCacheSizes {
        bytes_max: usize::try_from(bytes_max).context("an index cache that is too large")?,
        item_bytes_max: usize::try_from(item_bytes_max).unwrap_or(usize::MAX),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CachingBucketYaml {
    #[serde(rename = "type")]
    _kind: IgnoredAny,
    config: Option<MemoryYaml>,
    #[serde(default = "day")]
    chunk_object_attrs_ttl: GoDuration,
    #[serde(default)]
    chunk_subrange_size: Option<IgnoredAny>,
    #[serde(default)]
    max_chunks_get_range_requests: Option<IgnoredAny>,
    #[serde(default)]
    chunk_subrange_ttl: Option<IgnoredAny>,
    #[serde(default = "five_minutes")]
    blocks_iter_ttl: GoDuration,
    #[serde(default = "two_hours")]
    metafile_exists_ttl: GoDuration,
    #[serde(default = "quarter")]
    metafile_doesnt_exist_ttl: GoDuration,
    #[serde(default = "day")]
    metafile_content_ttl: GoDuration,
    #[serde(default = "mebibyte")]
    metafile_max_size: GoBytes,
}

fn day() -> GoDuration {
    GoDuration(Duration::from_secs(24 * 3600))
}

fn two_hours() -> GoDuration {
    GoDuration(Duration::from_secs(2 * 3600))
}

fn quarter() -> GoDuration {
    GoDuration(Duration::from_secs(15 * 60))
}

fn five_minutes() -> GoDuration {
    GoDuration(Duration::from_secs(5 * 60))
}

fn mebibyte() -> GoBytes {
    GoBytes(1 << 20)
}

/// Puts the cache of `--store.caching-bucket.config` around a bucket.
pub(super) fn caching_bucket(
    yaml: &str,
    bucket: BucketRef,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<BucketRef> {
    let flag = "store.caching-bucket.config";
    in_memory(flag, yaml)?;
    let read: CachingBucketYaml = serde_saphyr::from_str(yaml).with_context(|| format!("--{flag}"))?;
    let ranges = (&read.chunk_subrange_size, &read.max_chunks_get_range_requests, &read.chunk_subrange_ttl);
    if !matches!(ranges, (None, None, None)) {
        tracing::warn!(
            msg = "chunks are not kept in the caching bucket; settings of subranges have no effect"
        );
    }
    let bytes_max = read.config.unwrap_or_default().max_size.map_or(250 << 20, |bytes| bytes.0);
    let none = || CacheRule {
        applies: Box::new(|_| false),
        there: Duration::ZERO,
        missing: Duration::ZERO,
        content: Duration::ZERO,
        content_bytes_max: 0,
        listing: Duration::ZERO,
    };
    let is_file = |name: &str, file: &str| layout::block_of(name).is_some_and(|(_, rest)| rest == file);
    let rules = vec![
        CacheRule {
            applies: Box::new(move |name| {
                is_file(name, layout::META) || is_file(name, layout::DELETION_MARK)
            }),
            there: read.metafile_exists_ttl.0,
            missing: read.metafile_doesnt_exist_ttl.0,
            content: read.metafile_content_ttl.0,
            content_bytes_max: read.metafile_max_size.0,
            ..none()
        },
        CacheRule {
            applies: Box::new(|name| {
                layout::block_of(name).is_some_and(|(_, rest)| rest.starts_with(layout::CHUNKS))
            }),
            there: read.chunk_object_attrs_ttl.0,
            ..none()
        },
        CacheRule { applies: Box::new(|name| name.is_empty()), listing: read.blocks_iter_ttl.0, ..none() },
    ];
    Ok(Arc::new(Caching::new(bucket, rules, bytes_max, clock)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_that_are_not_built_in_are_named() {
        for kind in ["MEMCACHED", "REDIS", "memcached"] {
            let error = index_cache(&format!("type: {kind}\nconfig: {{addresses: [a]}}")).unwrap_err();
            let text = format!("{error:#}");
            assert!(text.contains("is not built in") && text.contains(kind), "{text}");
        }
        let sizes = index_cache("type: IN-MEMORY\nconfig: {max_size: 10MB, max_item_size: 1MB}").unwrap();
        assert_eq!(sizes, IndexCacheSizes { bytes_max: 10 << 20, item_bytes_max: 1 << 20 });
        assert!(index_cache("type: IN-MEMORY\nconfig: {max_size: 1MB, max_item_size: 10MB}").is_err());
        assert!(index_cache("type: IN-MEMORY\nenabled_items: [Chunks]").is_err());
    }
}
