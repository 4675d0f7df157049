//! Which blocks of a data directory are shipped, and what stops which.

use std::path::Path;
use std::sync::Arc;

use block::shipper::{ShipError, Shipped, Shipper, ShipperConfig, ShipperError, ShipperMetrics};
use block::{BlockId, Source, layout};
use objstore::layers::{Fault, Faulty, Script};
use objstore::{BucketRef, read_all};
use prom_model::{Clock, Labels, ManualClock};
use prometheus_client::registry::Registry;
use tsdb::fs::Fs;
use tsdb::fs::sim::SimFs;

use super::world::{DATA, clock, id, is_whole, memory, meta, names, put_block, write_block};

struct Node {
    disk: SimFs,
    bucket: BucketRef,
    clock: Arc<ManualClock>,
    config: ShipperConfig,
}

fn node() -> Node {
    let clock = clock();
    let config = ShipperConfig::new(DATA, Source::Sidecar);
    Node { disk: SimFs::new(), bucket: memory(&clock), clock, config }
}

impl Node {
    async fn sync(&self) -> Shipped {
        let fs: Arc<dyn Fs> = Arc::new(self.disk.clone());
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let metrics = ShipperMetrics::register(&mut Registry::default());
        let shipper = Shipper::new(Arc::clone(&self.bucket), fs, clock, self.config.clone(), metrics);
        shipper.sync(&Labels::from([("cluster", "eu"), ("replica", "a")])).await.unwrap()
    }

    fn state(&self) -> String {
        let bytes = self.disk.contents(Path::new("/data/thanos.shipper.json")).unwrap();
        String::from_utf8(bytes).unwrap()
    }

    fn write(&self, number: u64, hours: i64, level: i64) -> BlockId {
        let mut meta = meta(id(number), hours);
        meta.block.compaction.level = level;
        write_block(&self.disk, &meta);
        id(number)
    }
}

fn state_with(blocks: &[BlockId]) -> String {
    let blocks: Vec<String> = blocks.iter().map(|block| format!("\t\t\"{block}\"")).collect();
    format!("{{\n\t\"version\": 1,\n\t\"uploaded\": [\n{}\n\t]\n}}\n", blocks.join(",\n"))
}

#[tokio::test]
async fn new_blocks_are_shipped_in_order_of_their_time_and_remembered() {
    let node = node();
    let (late, early) = (node.write(1, 2, 1), node.write(2, 0, 1));
    let (compacted, empty) = (node.write(3, 4, 2), id(4));
    let mut without_samples = meta(empty, 6);
    without_samples.block.stats.num_samples = 0;
    write_block(&node.disk, &without_samples);
    node.disk.create_dir_all(Path::new("/data/01HK153X00AAAAAAAAAAAAAAAA.tmp-for-creation")).unwrap();
    assert_eq!(node.sync().await.uploaded, [early, late]);
    assert_eq!(node.state(), state_with(&[early, late]));
    let uploaded =
        read_all(node.bucket.as_ref(), &layout::object(early, "meta.json"), 1 << 20).await.unwrap();
    let uploaded = block::Meta::of_block(early, &uploaded).unwrap();
    assert_eq!(uploaded.thanos.external_labels().to_string(), r#"{cluster="eu", replica="a"}"#);
    assert_eq!(uploaded.thanos.source, Source::Sidecar);
    for block in [compacted, empty] {
        assert!(!node.bucket.exists(&layout::object(block, "meta.json")).await.unwrap());
    }
    // The second time there is nothing to do; a block that Prometheus has deleted is forgotten.
    node.disk.remove_dir_all(&Path::new(DATA).join(early.to_string())).unwrap();
    let again = node.sync().await;
    assert!(again.uploaded.is_empty());
    assert_eq!(again.in_bucket, [late]);
    assert_eq!(node.state(), state_with(&[late]));
    // A state that is lost or damaged costs questions, not blocks.
    for damage in ["", "garbage", "{\"version\": 7}"] {
        node.disk.put(Path::new("/data/thanos.shipper.json"), damage.as_bytes()).unwrap();
        assert!(node.sync().await.uploaded.is_empty());
        assert_eq!(node.state(), state_with(&[late]));
    }
}

#[tokio::test]
async fn one_bad_block_does_not_stop_the_others() {
    let node = node();
    let bad = [node.write(1, 0, 1), node.write(2, 0, 1), node.write(3, 0, 1), node.write(4, 0, 1)];
    let good = node.write(5, 2, 1);
    let file = |block: BlockId, name: &str| Path::new(DATA).join(block.to_string()).join(name);
    node.disk.put(&file(bad[0], "meta.json"), b"").unwrap();
    node.disk.remove_file(&file(bad[1], "index")).unwrap();
    node.disk.put(&file(bad[2], "chunks/000001"), b"").unwrap();
    node.disk.put(&file(bad[3], "meta.json"), &meta(id(9), 0).block.to_json()).unwrap();
    let shipped = node.sync().await;
    assert_eq!(shipped.uploaded, [good]);
    let mut failed: Vec<BlockId> = shipped.failed.iter().map(|(block, _)| *block).collect();
    failed.sort();
    assert_eq!(failed, bad);
    assert!(is_whole(node.bucket.as_ref(), &node.disk, good).await);
}

#[tokio::test]
async fn a_bucket_that_fails_ends_the_round_and_nothing_is_forgotten() {
    let mut node = node();
    let first = node.write(1, 0, 1);
    node.sync().await;
    let (second, third) = (node.write(2, 2, 1), node.write(3, 4, 1));
    let inner = Arc::clone(&node.bucket);
    let faulty = Arc::new(Faulty::new(Arc::clone(&inner), Script::once(1, Fault::FailBefore)));
    node.bucket = faulty;
    let shipped = node.sync().await;
    assert_eq!((shipped.uploaded.len(), shipped.failed.len()), (0, 1));
    assert_eq!(shipped.failed[0].0, second);
    assert_eq!(node.state(), state_with(&[first]));
    node.bucket = Arc::new(Faulty::new(Arc::clone(&inner), Script::once(1, Fault::FailBefore)));
    node.config.allow_out_of_order = true;
    assert_eq!(node.sync().await.uploaded, [third]);
    assert_eq!(node.sync().await.uploaded, [second]);
    assert_eq!(node.state(), state_with(&[first, second, third]));
}

#[tokio::test]
async fn a_compacted_block_is_shipped_where_nothing_of_its_time_is_there() {
    let mut node = node();
    node.config.upload_compacted = true;
    let mut other = meta(id(20), 4);
    other.thanos.labels.insert("replica".to_owned(), "a".to_owned());
    put_block(node.bucket.as_ref(), &other).await;
    // Of another stream, and damaged: neither is in the way.
    put_block(node.bucket.as_ref(), &meta(id(21), 0)).await;
    super::world::put(node.bucket.as_ref(), &layout::object(id(22), "meta.json"), "{").await;
    let (clear, overlapping) = (node.write(1, 0, 2), node.write(2, 5, 2));
    let shipped = node.sync().await;
    assert_eq!(shipped.uploaded, [clear]);
    let [(block, ShipError::Overlap { other })] = shipped.failed.as_slice() else { panic!("{shipped:?}") };
    assert_eq!((*block, *other), (overlapping, id(20)));
    node.config.allow_out_of_order = true;
    assert_eq!(node.sync().await.uploaded, [overlapping]);
}

#[tokio::test]
async fn without_labels_nothing_is_shipped() {
    let node = node();
    node.write(1, 0, 1);
    let fs: Arc<dyn Fs> = Arc::new(node.disk.clone());
    let clock = Arc::clone(&node.clock) as Arc<dyn Clock>;
    let shipper =
        Shipper::new(Arc::clone(&node.bucket), fs, clock, node.config.clone(), ShipperMetrics::default());
    assert!(matches!(shipper.sync(&Labels::new()).await, Err(ShipperError::NoLabels)));
    assert!(names(node.bucket.as_ref()).await.is_empty());
}
