//! Blocks with many series by seed: a twentieth of them in every block, the others in one each.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use block::{FileEntry, Meta, Thanos};
use futures::TryStreamExt;
use objstore::{BucketRef, Listing};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTable;
use tsdb::stored::Scratch;

const METRICS: u64 = 200;
const START: i64 = 1_704_067_200_000;
const RANGE: i64 = 7_200_000;
/// Of so many instances of a metric one is in all blocks.
const SHARED: u64 = 20;

/// Bits that look like chance.
const fn mixed(number: u64) -> u64 {
    let mut bits = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Whether a block has the series of an instance.
const fn has(block: u64, blocks: u64, instance: u64) -> bool {
    instance.is_multiple_of(SHARED) || mixed(instance) % blocks == block
}

/// A text of its own for each series, in the order of the hash.
const fn unique(metric: u64, instance: u64) -> u64 {
    mixed(metric << 32 | instance)
}

/// Writes one of `blocks` blocks, which together have `series` different series.
pub(crate) fn write(bucket: &Path, block: u64, blocks: u64, series: u64) {
    let instances = series / METRICS;
    assert_eq!(instances * METRICS, series, "a multiple of {METRICS}");
    let all = || (0..instances).filter(|instance| has(block, blocks, *instance));
    let mut uniques: Vec<u64> =
        (0..METRICS).flat_map(|metric| all().map(move |instance| unique(metric, instance))).collect();
    uniques.sort_unstable();
    let mut texts: Vec<String> =
        ["__name__", "cluster", "container", "instance", "job", "namespace"].map(str::to_owned).to_vec();
    texts.extend(["node", "pod", "uid", "eu-1"].map(str::to_owned));
    texts.extend((0..METRICS).map(|metric| format!("metric_{metric:03}_total")));
    texts.extend((0..40).map(|number| format!("container-{number}")));
    texts.extend((0..60).map(|number| format!("namespace-{number}")));
    texts.extend((0..20).map(|number| format!("job-{number}")));
    texts.extend((0..5000).map(|number| format!("node-{number}")));
    texts.extend(all().map(instance_text));
    texts.extend(all().map(|instance| format!("pod-{:010x}", mixed(instance) >> 24)));
    texts.sort_unstable();
    texts.dedup();
    let mut table = SymbolTable::default();
    let small = texts.iter().take_while(|text| text.as_str() < "u0").count();
    texts[..small].iter().for_each(|text| assert!(table.push(text)));
    let first = table.len();
    uniques.iter().for_each(|number| assert!(table.push(&format!("u{number:016x}"))));
    texts[small..].iter().for_each(|text| assert!(table.push(text)));
    drop(texts);
    let table = Arc::new(table);
    let symbol = |text: &str| table.find(text).expect("a symbol");
    let id = BlockId::new(10 + block, 1);
    let scratch = Scratch::new(Arc::new(RealFs), bucket.join("scratch"), 64 << 20);
    let mut writer =
        BlockWriter::bounded(Arc::new(RealFs), bucket, id, Arc::clone(&table), &scratch).expect("a block");
    let names = ["__name__", "cluster", "container", "instance", "job", "namespace", "node", "pod", "uid"];
    let names = names.map(symbol);
    let start = START + RANGE * block as i64;
    // Text of an instance is the same for each metric.
    let of_instance: Vec<[u32; 7]> = all()
        .map(|instance| {
            let bits = mixed(instance ^ 0x5555);
            [
                symbol(&format!("container-{}", bits % 40)),
                symbol(&instance_text(instance)),
                symbol(&format!("job-{}", (bits >> 8) % 20)),
                symbol(&format!("namespace-{}", (bits >> 16) % 60)),
                symbol(&format!("node-{}", (bits >> 24) % 5000)),
                symbol(&format!("pod-{:010x}", mixed(instance) >> 24)),
                0,
            ]
        })
        .collect();
    let cluster = symbol("eu-1");
    let mut labels = Vec::new();
    for metric in 0..METRICS {
        let metric_text = symbol(&format!("metric_{metric:03}_total"));
        labels.clear();
        for (instance, [container, text, job, namespace, node, pod, _]) in all().zip(&of_instance) {
            let rank = uniques.binary_search(&unique(metric, instance)).expect("a text") as u32;
            let values =
                [metric_text, cluster, *container, *text, *job, *namespace, *node, *pod, first + rank];
            labels.push((names.into_iter().zip(values).collect::<Vec<(u32, u32)>>(), instance));
        }
        labels.sort_unstable();
        for (labels, instance) in &labels {
            let mut chunk = XorAppender::new();
            let value = mixed(metric << 40 | instance);
            for sample in 0..8u64 {
                let time = start + 900_000 * sample as i64 + (value % 60_000) as i64;
                assert!(chunk.append(time, (value % 1000 * sample) as f64));
            }
            let min_time = start + (value % 60_000) as i64;
            let (max_time, data) = (min_time + 900_000 * 7, chunk.into_bytes());
            let chunk = ChunkData { min_time, max_time, encoding: Encoding::Xor, data: &data };
            writer.add_series(labels, &[chunk]).expect("a series");
        }
    }
    let meta = BlockMeta::new(id, start, start + RANGE);
    let meta = writer.finish(meta, &Tombstones::default()).expect("a block").expect("series");
    drop(scratch);
    let folder = bucket.join(id.to_string());
    let mut files = vec!["index".to_owned(), "tombstones".to_owned()];
    let segments = fs::read_dir(folder.join("chunks")).expect("chunks");
    files.extend(segments.map(|entry| format!("chunks/{}", entry.expect("a file").file_name().display())));
    let files = files.into_iter().map(|rel_path| {
        let size_bytes = fs::metadata(folder.join(&rel_path)).expect("a file").len();
        FileEntry { rel_path, size_bytes, ..FileEntry::default() }
    });
    let thanos = Thanos { version: 1, files: files.collect(), ..Thanos::default() };
    let meta = Meta { block: meta, thanos }.to_bytes().expect("JSON");
    fs::write(folder.join("meta.json"), meta).expect("a file");
}

/// As wide for each, so that the order of texts is that of numbers.
fn instance_text(instance: u64) -> String {
    format!("10.{:03}.{:03}.{:03}:9090", instance >> 16 & 255, instance >> 8 & 255, instance & 255)
}

/// Bytes of all indices and of all segments.
pub(crate) fn sizes(bucket: &Path) -> (u64, u64) {
    let mut sizes = (0, 0);
    for entry in fs::read_dir(bucket).expect("a folder") {
        let folder = entry.expect("an entry").path();
        sizes.0 += fs::metadata(folder.join("index")).expect("an index").len();
        for segment in fs::read_dir(folder.join("chunks")).expect("chunks") {
            sizes.1 += segment.expect("a file").metadata().expect("a size").len();
        }
    }
    sizes
}

/// The blocks of a bucket in the order of their names.
pub(crate) fn metas(bucket: &BucketRef, runtime: &tokio::runtime::Runtime) -> Vec<Meta> {
    runtime.block_on(async {
        let entries: Vec<objstore::Entry> =
            bucket.list("", Listing::Shallow).try_collect().await.expect("a listing");
        let mut metas = Vec::new();
        for entry in entries {
            let id: BlockId = entry.name.trim_end_matches('/').parse().expect("a block");
            let name = format!("{id}/meta.json");
            let bytes = objstore::read_all(bucket.as_ref(), &name, 1 << 20).await.expect("a meta.json");
            metas.push(Meta::of_block(id, &bytes).expect("a meta.json"));
        }
        metas
    })
}
