//! A folder of blocks, and the head beside them, read without a change to either.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use prom_model::Matcher;
use promql_syntax::{Expr, parse};
use tsdb::BlockId;
use tsdb::block::{BlockMeta, BlockReader, META_FILE};
use tsdb::fs::{Fs, RealFs};

/// A block of a folder.
#[derive(Debug)]
pub(super) struct Found {
    /// Where it lies.
    pub(super) folder: PathBuf,
    /// What it says about itself.
    pub(super) meta: BlockMeta,
}

/// The blocks of a folder, by time; folders without a meta.json that can be read are none, as everywhere.
pub(super) fn blocks(database: &Path) -> anyhow::Result<Vec<Found>> {
    let entries = RealFs.list(database).with_context(|| format!("list {}", database.display()))?;
    let mut found = Vec::new();
    for entry in entries.iter().filter(|entry| entry.is_dir && BlockId::is_block_folder(&entry.name)) {
        let folder = database.join(&entry.name);
        let bytes = match RealFs.open(&folder.join(META_FILE)) {
            Ok(file) => file.read_range(0, file.len())?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error).with_context(|| format!("open {}", folder.display())),
        };
        match BlockMeta::parse(bytes) {
            Ok(meta) => found.push(Found { folder, meta }),
            Err(damage) => tracing::warn!(block = entry.name, %damage, "left a block out"),
        }
    }
    found.sort_by_key(|block| (block.meta.min_time, block.meta.ulid));
    Ok(found)
}

/// The block of this name, or the last.
pub(super) fn block(database: &Path, id: Option<&str>) -> anyhow::Result<BlockReader> {
    let folder = match id {
        Some(id) => {
            let id: BlockId = id.parse().with_context(|| format!("block {id:?}"))?;
            database.join(id.to_string())
        }
        None => match blocks(database)?.pop() {
            Some(last) => last.folder,
            None => bail!("no blocks found in {}", database.display()),
        },
    };
    open(&folder)
}

/// Opens the block in a folder.
pub(super) fn open(folder: &Path) -> anyhow::Result<BlockReader> {
    BlockReader::open(&RealFs, folder).with_context(|| format!("block {}", folder.display()))
}

/// What a block takes on disk: index, segments, tombstones and meta.json.
pub(super) fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut size = 0;
    for entry in RealFs.list(folder)? {
        if !entry.is_dir {
            size += entry.size;
        } else {
            size += RealFs.list(&folder.join(&entry.name))?.iter().map(|file| file.size).sum::<u64>();
        }
    }
    Ok(size)
}

/// The name of this machine; empty where it has none.
pub(super) fn hostname() -> String {
    let name = RealFs.open(Path::new("/etc/hostname")).and_then(|file| file.read_range(0, file.len()));
    name.map(|name| String::from_utf8_lossy(&name).trim().to_owned()).unwrap_or_default()
}

/// What queries may not do and a dump may: select everything.
const EVERYTHING: &str = "must contain at least one non-empty matcher";

/// Reads a series selector, which may match everything.
pub(super) fn matchers(selector: &str) -> anyhow::Result<Vec<Matcher>> {
    let (expression, errors) = parse(selector);
    if let Some(error) = errors.iter().find(|error| !error.message.contains(EVERYTHING)) {
        return Err(anyhow!("{}", error.located(selector)));
    }
    match expression {
        Some(Expr::Vector(selector)) => Ok(selector.matchers),
        _ => bail!("{selector:?} is not a series selector"),
    }
}
