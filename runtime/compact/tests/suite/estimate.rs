//! What a job was said to take is what it takes at most, and not much more than it takes.
#![expect(clippy::disallowed_methods, reason = "recordings are files")]

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use block::Meta;
use compact::Target;
use compact::downsample::RAW_RANGE_MIN;
use compact::estimate::{self, Estimate, SourceSize};
use compact::merge::{Overlaps, merge};
use objstore::{BucketRef, Filesystem};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader};
use tsdb::fs::sim::SimFs;
use tsdb::fs::{Entry, FileSync, FileWrite, Fs, RangeRead, RealFs};

/// A disk that knows how full it was at most.
#[derive(Debug, Clone, Default)]
struct Measured {
    disk: SimFs,
    sizes: Arc<Mutex<Sizes>>,
}

#[derive(Debug, Default)]
struct Sizes {
    files: BTreeMap<PathBuf, u64>,
    peak: u64,
}

impl Measured {
    fn peak(&self) -> u64 {
        self.sizes.lock().unwrap().peak
    }

    fn forget(&self, path: &Path) {
        self.sizes.lock().unwrap().files.retain(|file, _| !file.starts_with(path));
    }
}

#[derive(Debug)]
struct MeasuredFile {
    file: Box<dyn FileWrite>,
    path: PathBuf,
    sizes: Arc<Mutex<Sizes>>,
}

impl Write for MeasuredFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        let mut sizes = self.sizes.lock().unwrap();
        // A file that has another name by now is counted under its first.
        *sizes.files.entry(self.path.clone()).or_default() += written as u64;
        sizes.peak = sizes.peak.max(sizes.files.values().sum());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl FileWrite for MeasuredFile {
    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }

    fn syncer(&self) -> io::Result<Arc<dyn FileSync>> {
        self.file.syncer()
    }

    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }
}

impl Fs for Measured {
    fn open(&self, path: &Path) -> io::Result<Arc<dyn RangeRead>> {
        self.disk.open(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        let (file, path) = (self.disk.create(path)?, path.to_owned());
        Ok(Box::new(MeasuredFile { file, path, sizes: Arc::clone(&self.sizes) }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn FileWrite>> {
        self.disk.append(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        self.disk.list(folder)
    }

    fn stat(&self, path: &Path) -> io::Result<Entry> {
        self.disk.stat(path)
    }

    fn create_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.disk.create_dir_all(folder)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }

    fn hard_link(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.hard_link(from, to)
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.disk.truncate(path, length)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        self.forget(path);
        self.disk.remove_file(path)
    }

    fn remove_dir_all(&self, folder: &Path) -> io::Result<()> {
        self.forget(folder);
        self.disk.remove_dir_all(folder)
    }

    fn sync_dir(&self, folder: &Path) -> io::Result<()> {
        self.disk.sync_dir(folder)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn std::fmt::Debug + Send + Sync>> {
        self.disk.lock(path)
    }
}

/// The folder of fixtures; without it the test that asks is left out, loudly.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
fn fixtures(what: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("LEFT OUT: PRONOIA_SHARED is not set, so {what} were not tested");
        return None;
    };
    Some(Path::new(&shared).join("fixtures"))
}

/// Runs a job on an empty disk and says how many times as much was said as was taken.
fn ratio(said: Estimate, work: impl FnOnce(Arc<dyn Fs>, &Path)) -> f64 {
    let disk = Measured::default();
    let parent = Path::new("/blocks");
    disk.create_dir_all(parent).unwrap();
    work(Arc::new(disk.clone()), parent);
    let peak = disk.peak();
    assert!(said.disk_bytes >= said.block_bytes && said.memory_bytes > 0);
    // Small files count for little, unless the block is small.
    if said.disk_bytes >= peak { ((said.disk_bytes - 65_536) as f64 / peak as f64).max(1.0) } else { 0.0 }
}

/// All blocks of a recorded bucket, with their sizes.
async fn blocks(folder: &Path) -> Vec<(Meta, SourceSize, BlockReader)> {
    let bucket: BucketRef = Arc::new(Filesystem::new(folder).unwrap());
    let mut blocks = Vec::new();
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names.into_iter().filter(|path| path.join("index").is_file()) {
        let id: BlockId = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let meta = Meta::of_block(id, &std::fs::read(path.join("meta.json")).unwrap()).unwrap();
        let size = SourceSize::read(bucket.as_ref(), &meta).await.unwrap();
        assert_eq!(size.index_bytes, std::fs::metadata(path.join("index")).unwrap().len());
        assert!(size.symbol_bytes < size.index_bytes, "the table of contents was not read");
        blocks.push((meta, size, BlockReader::open(&RealFs, &path).unwrap()));
    }
    blocks
}

#[tokio::test]
async fn merges_take_what_was_said() {
    let Some(fixtures) = fixtures("estimates of merges") else { return };
    let mut groups: BTreeMap<String, Vec<(Meta, SourceSize, BlockReader)>> = BTreeMap::new();
    for (meta, size, reader) in blocks(&fixtures.join("bucket-raw")).await {
        let key = format!("{:?} {:?}", meta.thanos.labels, meta.thanos.downsample);
        groups.entry(key).or_default().push((meta, size, reader));
    }
    let mut ratios = Vec::new();
    for (key, mut group) in groups {
        group.sort_by_key(|(meta, _, _)| meta.block.min_time);
        for blocks in group.chunks(4).filter(|blocks| blocks.len() > 1) {
            let sizes: Vec<SourceSize> = blocks.iter().map(|(_, size, _)| *size).collect();
            let readers: Vec<BlockReader> = blocks.iter().map(|(_, _, reader)| reader.clone()).collect();
            let first = blocks.iter().map(|(meta, _, _)| meta.block.min_time).min().unwrap();
            let last = blocks.iter().map(|(meta, _, _)| meta.block.max_time).max().unwrap();
            for memory_bytes in [8 << 10, 64 << 20] {
                let said = estimate::merge(&sizes, memory_bytes, 0);
                let ratio = ratio(said, |fs, parent| {
                    let target = Target { fs, parent, id: BlockId::new(7, 7), memory_bytes };
                    let meta = BlockMeta::new(target.id, first, last);
                    merge(&readers, Overlaps::OneToOne, &target, meta).unwrap();
                });
                let bytes: u64 = sizes.iter().map(SourceSize::bytes).sum();
                ratios.push((ratio, memory_bytes, blocks.len(), bytes, key.clone()));
            }
        }
    }
    assert!(ratios.len() > 20, "{}", ratios.len());
    check(ratios, 2.0);
}

#[tokio::test]
async fn downsampling_takes_what_was_said() {
    let Some(fixtures) = fixtures("estimates of downsampling") else { return };
    let mut ratios = Vec::new();
    for (meta, size, reader) in blocks(&fixtures.join("bucket-compacted")).await {
        let (from, to) = match meta.thanos.downsample.resolution.0 {
            // Shorter ones are never downsampled.
            0 if meta.block.max_time - meta.block.min_time >= RAW_RANGE_MIN => (0, 300_000),
            300_000 => (300_000, 3_600_000),
            _ => continue,
        };
        let said = estimate::downsample(&size, from, to, 64 << 20);
        let what = meta.block.ulid.to_string();
        let ratio = ratio(said, |fs, parent| {
            let target = Target { fs, parent, id: BlockId::new(7, 7), memory_bytes: 64 << 20 };
            let (first, last) = (meta.block.min_time, meta.block.max_time);
            let new = BlockMeta::new(target.id, first, last);
            compact::downsample::downsample(&reader, from as i64, to as i64, &target, new).unwrap();
        });
        ratios.push((ratio, from, 1, size.bytes(), what));
    }
    assert!(ratios.len() > 5, "{}", ratios.len());
    check(ratios, 2.5);
}

/// What was said against what was taken, and of what.
type Ratio = (f64, u64, usize, u64, String);

fn check(ratios: Vec<Ratio>, most: f64) {
    let wrong: Vec<&Ratio> = ratios.iter().filter(|(ratio, ..)| *ratio < 1.0 || *ratio > most).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), ratios.len());
}
