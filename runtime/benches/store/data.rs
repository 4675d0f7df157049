//! Blocks to be served, made by our own writer.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use block::Meta;
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockWriter, ChunkData, Tombstones};
use tsdb::chunk::{Encoding, XorAppender};
use tsdb::fs::RealFs;
use tsdb::index::SymbolTableBuilder;

const START: i64 = 1_700_000_000_000;
const STEP: i64 = 60_000;

fn labels(series: u32) -> [(&'static str, String); 6] {
    let pod = series / 100;
    [
        (
            "__name__",
            ["http_requests_total", "http_request_duration_seconds_bucket"][(series % 10 / 5) as usize]
                .to_owned(),
        ),
        ("code", (200 + series % 5).to_string()),
        ("instance", format!("10.0.{}.{}:8080", pod / 256, pod % 256)),
        ("namespace", format!("namespace-{}", pod % 40)),
        ("pod", format!("pod-{pod}")),
        ("series", format!("{series:07}")),
    ]
}

/// Writes a block with Thanos' part of its metadata.
pub(crate) fn block(folder: &Path, id: u64, series: u32, samples: u32) {
    write(folder, BlockId::new(id, 1), series, samples);
}

/// Writes a block once, and puts it there under many names.
pub(crate) fn blocks(folder: &Path, count: u32, series: u32) {
    let first = BlockId::new(1, 1);
    write(folder, first, series, 1);
    let source = folder.join(first.to_string());
    let bytes = fs::read(source.join("meta.json")).expect("metadata");
    for number in 1..count {
        let id = BlockId::new(u64::from(number) + 1, 1);
        let target = folder.join(id.to_string());
        fs::create_dir_all(target.join("chunks")).expect("a folder");
        for file in ["index", "chunks/000001"] {
            fs::hard_link(source.join(file), target.join(file)).expect("a link");
        }
        let mut meta = Meta::from_bytes(&bytes).expect("metadata");
        meta.block.ulid = id;
        meta.block.compaction.sources = vec![id];
        fs::write(target.join("meta.json"), meta.to_bytes().expect("metadata")).expect("a file");
    }
}

fn write(folder: &Path, id: BlockId, series: u32, samples: u32) {
    let mut symbols = SymbolTableBuilder::default();
    let mut all: Vec<([(u32, u32); 6], u32)> = (0..series)
        .map(|number| (labels(number).map(|(name, value)| (symbols.add(name), symbols.add(&value))), number))
        .collect();
    let (table, numbers) = symbols.build();
    let symbol = |number: u32| numbers[number as usize];
    for (labels, _) in &mut all {
        *labels = labels.map(|(name, value)| (symbol(name), symbol(value)));
    }
    all.sort_unstable();
    fs::create_dir_all(folder).expect("a folder");
    let mut writer = BlockWriter::create(Arc::new(RealFs), folder, id, Arc::new(table)).expect("a block");
    let end = START + STEP * i64::from(samples - 1);
    for (labels, number) in &all {
        let mut chunk = XorAppender::new();
        for sample in 0..samples {
            let value = f64::from(number % 97 * sample + number % 13);
            assert!(chunk.append(START + STEP * i64::from(sample), value));
        }
        let data = chunk.into_bytes();
        let chunk = ChunkData { min_time: START, max_time: end, encoding: Encoding::Xor, data: &data };
        writer.add_series(labels, &[chunk]).expect("a series");
    }
    let meta = BlockMeta::new(id, START, end + 1);
    writer.finish(meta, &Tombstones::default()).expect("a block").expect("series");
    let path = folder.join(id.to_string()).join("meta.json");
    let mut meta = Meta::from_bytes(&fs::read(&path).expect("metadata")).expect("metadata");
    meta.thanos.labels =
        [("cluster".to_owned(), "one".to_owned()), ("replica".to_owned(), "a".to_owned())].into();
    fs::write(&path, meta.to_bytes().expect("metadata")).expect("a file");
}
