//! What real programs wrote reads here and is written again with the same bytes.
//!
//! The files are not part of the repository: `PRONOIA_SHARED` names a folder that has them in `fixtures/`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::filter::{ConsistencyDelay, Duplicates, Filter, IgnoreDeletionMarks, NoCompactMarks};
use block::index_header::{self, IndexHeader};
use block::shipper::{Shipper, ShipperConfig, ShipperMetrics, ShipperState};
use block::{
    BlockId, DeletionMark, Discovery, Fetcher, FetcherConfig, FetcherMetrics, Mark, Meta, NoCompactMark,
    NoDownsampleMark, Source,
};
use objstore::{Filesystem, Memory, read_all};
use prom_model::{PromDuration, SystemClock};
use prometheus_client::registry::Registry;
use tsdb::fs::sim::SimFs;
use tsdb::fs::{Fs, RangeRead, RealFs};
use tsdb::index::IndexReader;
use tsdb::stored::StoredFile;

use super::world::{DATA, clock, memory};

/// The recorded files; `None`, loudly, where there are none.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
pub(crate) fn fixtures(what: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so {what} were not read");
        return None;
    };
    Some(Path::new(&shared).join("fixtures"))
}

/// All files below a folder whose name ends so.
fn files(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, ending, found);
        } else if path.to_string_lossy().ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
}

#[expect(clippy::print_stderr, reason = "the figures are what a run is for")]
fn tell(what: &str, good: usize, all: usize) {
    eprintln!("{what}: {good} of {all}");
    assert_eq!(good, all, "{what}");
    assert!(all > 0, "no {what} found");
}

#[test]
fn every_meta_json_is_written_with_the_same_bytes() {
    let Some(fixtures) = fixtures("recorded meta.json") else { return };
    let mut paths = Vec::new();
    for folder in [
        "bucket-raw",
        "bucket-compacted",
        "bucket-dedup",
        "corrupt-blocks",
        "corrupt-blocks-neighbours",
        "wire",
    ] {
        files(&fixtures.join(folder), "meta.json", &mut paths);
    }
    let (mut good, mut all, mut refused) = (0, 0, Vec::new());
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        // A block on Prometheus' own disk has no section of Thanos and gets one here.
        let local = path.ends_with("local-meta.json");
        let text = path.to_string_lossy();
        match Meta::from_bytes(&bytes) {
            Ok(_) if local || text.contains("meta-no-thanos-section") => {}
            Ok(meta) => {
                all += 1;
                let again = meta.to_bytes().unwrap();
                // Cases that were made by hand are compared as values: no program wrote their bytes.
                let same = again == bytes
                    || text.contains("corrupt-blocks") && Meta::from_bytes(&again).unwrap() == meta;
                if same {
                    good += 1
                } else {
                    panic!("{}:\n{}", path.display(), String::from_utf8_lossy(&again))
                }
            }
            Err(_) => refused.push(path.clone()),
        }
    }
    tell("meta.json equal after reading and writing", good, all);
    let names = refused.iter().map(|path| {
        let case = path
            .strip_prefix(fixtures.join("corrupt-blocks"))
            .unwrap_or_else(|_| panic!("{}", path.display()));
        case.iter().next().unwrap().to_string_lossy().into_owned()
    });
    let mut names: Vec<String> = names.collect();
    names.sort();
    assert_eq!(
        names,
        ["meta-empty-file", "meta-garbage", "meta-thanos-version-9", "meta-truncated", "meta-version-2"]
    );
}

#[test]
fn every_mark_is_written_with_the_same_bytes() {
    let Some(fixtures) = fixtures("recorded marks") else { return };
    let mut paths = Vec::new();
    for ending in ["deletion-mark.json", "no-compact-mark.json", "no-downsample-mark.json"] {
        for folder in ["wire/bucket-compacted", "bucket-compacted", "bucket-dedup"] {
            files(&fixtures.join(folder), ending, &mut paths);
        }
    }
    fn again<M: Mark>(block: BlockId, bytes: &[u8]) -> Vec<u8> {
        M::of_block(block, bytes).unwrap().unwrap().to_bytes().unwrap()
    }
    let mut good = 0;
    for path in &paths {
        let bytes = std::fs::read(path).unwrap();
        let block = path.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        let again = match path.file_name().unwrap().to_str().unwrap() {
            DeletionMark::FILE => again::<DeletionMark>(block, &bytes),
            NoCompactMark::FILE => again::<NoCompactMark>(block, &bytes),
            _ => again::<NoDownsampleMark>(block, &bytes),
        };
        good += usize::from(again == bytes);
    }
    tell("marks equal after reading and writing", good, paths.len());
}

#[test]
fn every_shipper_state_is_written_with_the_same_bytes() {
    let Some(fixtures) = fixtures("recorded states of shippers") else { return };
    let mut paths = Vec::new();
    files(&fixtures.join("wire/shipper"), "thanos.shipper.json", &mut paths);
    let same = |path: &&PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        ShipperState::from_bytes(&bytes).unwrap().to_bytes().unwrap() == bytes
    };
    tell(
        "states of shippers equal after reading and writing",
        paths.iter().filter(same).count(),
        paths.len(),
    );
}

#[tokio::test]
async fn every_index_header_has_the_bytes_that_thanos_wrote() {
    let Some(fixtures) = fixtures("recorded index-headers") else { return };
    let bucket = Filesystem::new(fixtures.join("wire/bucket")).unwrap();
    let fs: Arc<dyn Fs> = Arc::new(RealFs);
    let folder = tempfile::tempdir().unwrap();
    let mut recorded = Vec::new();
    files(&fixtures.join("wire/index-headers"), "index-header", &mut recorded);
    let mut good = 0;
    for path in &recorded {
        let block: BlockId = path.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
        let ours = folder.path().join(block.to_string()).join("index-header");
        index_header::build(&bucket, block, &fs, &ours).await.unwrap();
        let bytes = std::fs::read(path).unwrap();
        good += usize::from(std::fs::read(&ours).unwrap() == bytes);
        says_what_the_index_says(&bytes, &fixtures.join(format!("wire/bucket/{block}/index")));
    }
    tell("index-headers equal to those of Thanos", good, recorded.len());
    good = 0;
    let mut indexes = Vec::new();
    for name in ["bucket-raw", "bucket-compacted", "bucket-dedup"] {
        let bucket = Filesystem::new(fixtures.join(name)).unwrap();
        let mut paths = Vec::new();
        files(&fixtures.join(name), "/index", &mut paths);
        for path in paths {
            let block: BlockId =
                path.parent().unwrap().file_name().unwrap().to_str().unwrap().parse().unwrap();
            let ours = folder.path().join(name).join(block.to_string()).join("index-header");
            index_header::build(&bucket, block, &fs, &ours).await.unwrap();
            says_what_the_index_says(&std::fs::read(&ours).unwrap(), &path);
            good += 1;
            indexes.push(path);
        }
    }
    tell("index-headers that say what their index says", good, indexes.len());
}

/// Symbols, names, values and the places of postings, compared with the whole index.
fn says_what_the_index_says(header: &[u8], index: &Path) {
    let header = IndexHeader::open(Arc::new(bytes::Bytes::from(header.to_vec()))).unwrap();
    let bytes: Arc<dyn RangeRead> = Arc::new(bytes::Bytes::from(std::fs::read(index).unwrap()));
    let index = IndexReader::open(StoredFile::new("index", Arc::clone(&bytes))).unwrap();
    assert_eq!(header.index().symbols().len(), index.symbols().len());
    let names: Vec<_> = index.label_names().map(|(name, values)| (name.into_owned(), values)).collect();
    assert_eq!(
        header.index().label_names().map(|(name, values)| (name.into_owned(), values)).collect::<Vec<_>>(),
        names
    );
    for (name, _) in names {
        let (mut ours, mut theirs) =
            (header.index().label_values(&name).unwrap(), index.label_values(&name).unwrap());
        while let Some(entry) = theirs.next_entry().unwrap() {
            let (value, offset) = (String::from_utf8(entry.value.to_vec()).unwrap(), entry.offset);
            let found = ours.next_entry().unwrap().unwrap();
            assert_eq!((found.value, found.offset), (value.as_bytes(), offset));
            let extent = header.postings_extent(&name, &value).unwrap().unwrap();
            assert_eq!(extent.start, offset);
            // The list, with its length and its checksum, lies within.
            let length = bytes.read_range(offset, 4).unwrap();
            let length = u32::from_be_bytes(length.as_ref().try_into().unwrap());
            assert!(extent.end >= offset + 8 + u64::from(length));
        }
        assert!(ours.next_entry().unwrap().is_none());
    }
}

#[tokio::test]
async fn every_recorded_bucket_is_seen_as_it_is() {
    let Some(fixtures) = fixtures("recorded buckets") else { return };
    for (folder, blocks, marks) in
        [("bucket-raw", 136, 0), ("bucket-compacted", 20, 0), ("bucket-dedup", 10, 0), ("wire/bucket", 11, 0)]
    {
        let mut seen = Vec::new();
        for discovery in [Discovery::Concurrent, Discovery::Recursive] {
            let bucket = Arc::new(Filesystem::new(fixtures.join(folder)).unwrap());
            let filters: Vec<Box<dyn Filter>> = vec![
                Box::new(ConsistencyDelay(PromDuration::ZERO)),
                Box::new(IgnoreDeletionMarks(PromDuration::from_hours(48))),
                Box::new(Duplicates),
                Box::new(NoCompactMarks),
            ];
            let config = FetcherConfig { discovery, ..FetcherConfig::default() };
            let metrics = FetcherMetrics::register(&mut Registry::default());
            let view =
                Fetcher::new(bucket, Arc::new(SystemClock), config, filters, metrics).fetch().await.unwrap();
            assert!(view.is_complete() && view.partial.is_empty(), "{folder}: {view:?}");
            assert_eq!(view.deletion_marks.len(), marks, "{folder}");
            assert_eq!(view.metas.len() + view.dropped.len(), blocks, "{folder}");
            seen.push(view.metas);
        }
        assert_eq!(seen[0], seen[1], "{folder}");
    }
    let empty = Arc::new(Memory::new("empty", Arc::new(SystemClock)));
    let metrics = FetcherMetrics::register(&mut Registry::default());
    let fetcher = Fetcher::new(empty, Arc::new(SystemClock), FetcherConfig::default(), Vec::new(), metrics);
    assert!(fetcher.fetch().await.unwrap().metas.is_empty());
}

/// The meta.json that a shipper of ours puts into the bucket is the one that the sidecar put there, but for the time.
#[tokio::test]
async fn a_shipped_block_has_the_meta_json_that_the_sidecar_gives() {
    let Some(fixtures) = fixtures("recorded uploads") else { return };
    let (mut good, mut all) = (0, 0);
    for entry in std::fs::read_dir(fixtures.join("wire/shipper/sidecar-uploaded")).unwrap() {
        let recorded = entry.unwrap().path();
        let block = recorded.file_name().unwrap().to_str().unwrap().to_owned();
        let expected = std::fs::read_to_string(recorded.join("uploaded-meta.json")).unwrap();
        let expected_meta = Meta::from_bytes(expected.as_bytes()).unwrap();
        let (clock, disk) = (clock(), SimFs::new());
        let folder = Path::new(DATA).join(&block);
        disk.create_dir_all(&folder.join("chunks")).unwrap();
        for file in expected_meta.thanos.files.iter().filter(|file| file.size_bytes > 0) {
            disk.put(&folder.join(&file.rel_path), &vec![7; file.size_bytes as usize]).unwrap();
        }
        disk.put(&folder.join("meta.json"), &std::fs::read(recorded.join("local-meta.json")).unwrap())
            .unwrap();
        let bucket = memory(&clock);
        let config = ShipperConfig::new(DATA, Source::Sidecar);
        let metrics = ShipperMetrics::default();
        let shipper = Shipper::new(Arc::clone(&bucket), Arc::new(disk), clock, config, metrics);
        let labels = expected_meta.thanos.external_labels();
        assert_eq!(shipper.sync(&labels).await.unwrap().uploaded.len(), 1);
        let found = read_all(bucket.as_ref(), &format!("{block}/meta.json"), 1 << 20).await.unwrap();
        let time = |text: &str| {
            let line = text.lines().find(|line| line.contains("upload_time")).unwrap();
            text.replace(line, "")
        };
        all += 1;
        good += usize::from(time(std::str::from_utf8(&found).unwrap()) == time(&expected));
    }
    tell("meta.json as the sidecar uploads it", good, all);
}
