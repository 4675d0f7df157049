//! One run over the recorded bucket gives what the recorded run of Thanos gave.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use block::{BlockId, Meta};
use compact::cycle::CompactorConfig;
use compact::merge::Overlaps;
use objstore::{BucketRef, Filesystem};
use prom_model::SystemClock;
use tsdb::fs::RealFs;

use super::world::{compactor, config, digest, fill, fixtures, metas, names};

/// What a block is, without its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    labels: BTreeMap<String, String>,
    resolution: i64,
    range: (i64, i64),
    level: i64,
    source: String,
}

fn kind(meta: &Meta) -> Kind {
    Kind {
        labels: meta.thanos.labels.clone(),
        resolution: meta.thanos.downsample.resolution.0,
        range: (meta.block.min_time, meta.block.max_time),
        level: meta.block.compaction.level,
        source: meta.thanos.source.as_str().to_owned(),
    }
}

#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
async fn run(expected: &str, change: impl FnOnce(&mut CompactorConfig)) {
    let Some(fixtures) = fixtures("recorded buckets") else { return };
    let folder = tempfile::tempdir().unwrap();
    let bucket: BucketRef = Arc::new(Filesystem::new(folder.path().join("bucket")).unwrap());
    fill(bucket.as_ref(), &fixtures.join("bucket-raw")).await;
    let theirs: BucketRef = Arc::new(Filesystem::new(fixtures.join(expected)).unwrap());
    let data = folder.path().join("data");
    let mut config = config(data.to_str().unwrap());
    change(&mut config);
    let compactor = compactor(config, &bucket, Arc::new(RealFs), Arc::new(SystemClock));
    compactor.prepare().await.unwrap();
    let plan = compactor.plan().await.unwrap();
    let outcome = compactor.run_once().await;
    assert!(outcome.is_success(), "{outcome:#?}");
    assert_eq!(plan.compactions.len(), outcome.compacted.len(), "{plan}");
    assert!(plan.compactions.iter().all(|work| work.disk_bytes.is_some_and(|bytes| bytes > 0)), "{plan}");
    assert!(compactor.health().healthy, "{:#?}", compactor.health());

    let (of_ours, of_theirs) = (metas(bucket.as_ref()).await, metas(theirs.as_ref()).await);
    let by_kind = |metas: &BTreeMap<BlockId, Meta>| -> BTreeMap<Kind, Meta> {
        metas.values().map(|meta| (kind(meta), meta.clone())).collect()
    };
    let (ours_by_kind, theirs_by_kind) = (by_kind(&of_ours), by_kind(&of_theirs));
    assert_eq!(
        ours_by_kind.keys().collect::<Vec<_>>(),
        theirs_by_kind.keys().collect::<Vec<_>>(),
        "the blocks of {expected}"
    );
    let (mut blocks, mut series, mut all_series) = (0, 0, 0);
    for (kind, our) in &ours_by_kind {
        let their = &theirs_by_kind[kind];
        let (our_lines, our_digest) = digest(bucket.as_ref(), our).await;
        let (their_lines, their_digest) = digest(theirs.as_ref(), their).await;
        all_series += their_lines.lines().count();
        series += our_lines.lines().zip(their_lines.lines()).filter(|(one, other)| one == other).count();
        let same_meta = our.block.compaction.sources == their.block.compaction.sources
            && our.block.compaction.parents.len() == their.block.compaction.parents.len()
            // Of downsampled blocks Thanos copies the kinds of samples from the source, where they are not true.
            && our.block.stats.num_samples == their.block.stats.num_samples
            && our.block.stats.num_series == their.block.stats.num_series
            && our.block.stats.num_chunks == their.block.stats.num_chunks
            && our.thanos.segment_files == their.thanos.segment_files;
        if our_digest == their_digest && same_meta {
            blocks += 1;
        } else {
            let ours = (&our.block.stats, &our.block.compaction.level, &our.thanos.index_stats);
            let theirs = (&their.block.stats, &their.block.compaction.level, &their.thanos.index_stats);
            eprintln!("DIFFERS {kind:?}\nours   {ours:?}\ntheirs {theirs:?}");
        }
    }
    eprintln!(
        "{expected}: blocks {blocks} of {}, series {series} of {all_series}, {} passes, {} compactions, {} downsamplings",
        theirs_by_kind.len(),
        outcome.passes,
        outcome.compacted.len(),
        outcome.downsampled.len()
    );
    assert_eq!((blocks, series), (theirs_by_kind.len(), all_series));
    let is_mark = |name: &&String| name.ends_with("-mark.json");
    let our_names = names(bucket.as_ref()).await;
    let their_names = names(theirs.as_ref()).await;
    assert_eq!(our_names.iter().filter(is_mark).count(), their_names.iter().filter(is_mark).count());
    // Nothing is left on the disk.
    let left = super::world::files(&data);
    let left: Vec<&String> = left.keys().filter(|name| !name.starts_with("meta-syncer/")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(Path::new(&data).exists());
}

#[tokio::test]
async fn a_bucket_is_compacted_as_by_thanos() {
    run("bucket-compacted", |_| {}).await;
}

#[tokio::test]
async fn replicas_become_one_as_by_thanos() {
    run("bucket-dedup", |config| {
        config.vertical = true;
        config.replica_labels = vec!["prometheus_replica".to_owned()];
        config.overlaps = Overlaps::Penalty;
    })
    .await;
}
