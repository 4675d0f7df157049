//! `pronoiad tools` as a user calls it, on buckets and databases in folders.

mod downsample;
mod flags;
pub(crate) mod generated;
mod inspect;
mod lifecycle;
mod ls;
mod mark;
mod rewritten;
mod serve;
mod tsdb;
mod verify;
mod web;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A bucket in a folder of its own.
pub(crate) struct Bucket {
    folder: TempDir,
}

/// What a run of the tool left behind.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bucket {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bucket")).unwrap();
        Bucket { folder }
    }

    /// A copy of a bucket of the recorded data; `None`, said loudly, where that is not at hand.
    pub(crate) fn recorded(name: &str) -> Option<Self> {
        let recorded = fixtures()?.join(name);
        let bucket = Bucket::new();
        copy(&recorded, &bucket.path());
        Some(bucket)
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("bucket")
    }

    /// A folder beside the bucket.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::create_dir_all(&path).unwrap();
        path
    }

    pub(crate) fn config(&self) -> String {
        config(&self.path())
    }

    /// Runs `pronoiad tools bucket SUBCOMMAND … --objstore.config=…`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let config = format!("--objstore.config={}", self.config());
        run(&[&["tools", "bucket"], arguments, &[&config]].concat())
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(name)).unwrap()).unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.path().join(name).exists()
    }

    /// A block of which there is only the metadata.
    pub(crate) fn add_meta(&self, block: &Meta) {
        let meta = serde_json::to_vec_pretty(&block.json()).unwrap();
        self.write(&format!("{}/meta.json", block.id), meta);
    }

    /// Every object with its bytes.
    pub(crate) fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut files = Vec::new();
        walk(&self.path(), &mut files);
        files.sort();
        files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }
}

/// What stands in a meta.json.
pub(crate) struct Meta {
    pub(crate) id: &'static str,
    /// Hours since 2024-01-01.
    pub(crate) hours: (i64, i64),
    pub(crate) resolution: i64,
    pub(crate) level: i64,
    pub(crate) samples: u64,
    pub(crate) cluster: &'static str,
}

pub(crate) const START: i64 = 1_704_067_200_000;

impl Meta {
    pub(crate) fn json(&self) -> Value {
        let hour = |hour: i64| START + hour * 3_600_000;
        json!({
            "ulid": self.id, "minTime": hour(self.hours.0), "maxTime": hour(self.hours.1),
            "stats": {"numSamples": self.samples, "numSeries": 13, "numChunks": 26},
            "compaction": {"level": self.level, "sources": [self.id]}, "version": 1,
            "thanos": {
                "labels": {"cluster": self.cluster, "prometheus_replica": "a"},
                "downsample": {"resolution": self.resolution}, "source": "sidecar",
                "a_field_of_the_future": [1, 2],
            },
        })
    }
}

/// Three blocks of two clusters.
pub(crate) const METAS: [Meta; 3] = [
    Meta {
        id: "01HK153X010000000000000001",
        hours: (0, 2),
        resolution: 0,
        level: 1,
        samples: 3120,
        cluster: "eu",
    },
    Meta {
        id: "01HK153X010000000000000002",
        hours: (2, 50),
        resolution: 0,
        level: 3,
        samples: 1_234_567,
        cluster: "us",
    },
    Meta {
        id: "01HK153X010000000000000003",
        hours: (0, 336),
        resolution: 300_000,
        level: 4,
        samples: 20,
        cluster: "eu",
    },
];

pub(crate) fn three_blocks() -> Bucket {
    let bucket = Bucket::new();
    METAS.iter().for_each(|meta| bucket.add_meta(meta));
    bucket
}

pub(crate) fn config(folder: &Path) -> String {
    format!("{{type: FILESYSTEM, config: {{directory: {}}}}}", folder.display())
}

pub(crate) fn run(arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_pronoiad")).args(arguments).output().unwrap();
    from(output)
}

fn from(output: Output) -> Run {
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// The recorded data, if it is at hand.
#[expect(clippy::print_stderr, reason = "a suite that is left out must say so")]
pub(crate) fn fixtures() -> Option<PathBuf> {
    match std::env::var_os("PRONOIA_SHARED") {
        Some(folder) => Some(PathBuf::from(folder).join("fixtures")),
        None => {
            eprintln!("PRONOIA_SHARED is not set: this test has nothing to look at and proves NOTHING");
            None
        }
    }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    let mut files = Vec::new();
    walk(from, &mut files);
    for file in files {
        let target = to.join(file.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(&file, &target).unwrap();
    }
}

pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}
