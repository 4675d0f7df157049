//! Looks at all of one block: its metadata, its objects, and every byte of its index and its chunks.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use block::findings::{self, Finding};
use block::survey::{MarkState, MetaState, SurveyedBlock};
use block::{BlockId, Meta, MetaError, layout};
use error_kind::{ErrorKind, Kind, kind_of_io};
use futures::TryStreamExt;
use objstore::{Attributes, Bucket, BucketError, Listing, read_all};
use prom_model::TimestampMs;
use tsdb::block::{BlockFiles, Examination, TOMBSTONES_FILE, examine};
use tsdb::fs::Fs;
use tsdb::stored::StoredFile;

use crate::blocking::on_disk;

/// The largest meta.json that is read.
const META_BYTES_MAX: u64 = 1 << 20;

/// What was found of a block.
#[derive(Debug, Clone)]
pub(crate) struct Inspected {
    /// Its meta.json as it is in the bucket, with all labels.
    pub(crate) meta: Meta,
    /// Its files, in a folder on the disk.
    pub(crate) files: BlockFiles,
    /// What is in them.
    pub(crate) examination: Examination,
    /// Everything that is wrong, worst first.
    pub(crate) findings: Vec<Finding>,
}

/// A block that could not be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// The store's answer.
    #[error("block {block}: the bucket failed")]
    Bucket {
        /// The block.
        block: BlockId,
        /// The store's answer.
        #[source]
        source: BucketError,
    },
    /// Its meta.json cannot be used.
    #[error("block {block}")]
    Meta {
        /// The block.
        block: BlockId,
        /// What is wrong with it.
        #[source]
        source: MetaError,
    },
    /// The disk refused, or the work was stopped.
    #[error("block {block}: the work on the disk failed")]
    Disk {
        /// The block.
        block: BlockId,
        /// What was said.
        #[source]
        source: io::Error,
    },
}

impl Kind for InspectError {
    fn kind(&self) -> ErrorKind {
        match self {
            InspectError::Bucket { source, .. } => source.kind(),
            InspectError::Meta { source, .. } => source.kind(),
            InspectError::Disk { source, .. } => kind_of_io(source),
        }
    }
}

/// Brings a block into a folder, whatever its meta.json says of its files, and examines it. The folder must not be there.
pub(crate) async fn inspect(
    bucket: &dyn Bucket,
    block: BlockId,
    fs: &Arc<dyn Fs>,
    folder: &Path,
    now: TimestampMs,
) -> Result<Inspected, InspectError> {
    let failed = |source| InspectError::Bucket { block, source };
    let bytes =
        read_all(bucket, &layout::object(block, layout::META), META_BYTES_MAX).await.map_err(failed)?;
    let meta = Meta::of_block(block, &bytes).map_err(|source| InspectError::Meta { block, source })?;
    let mut objects: BTreeMap<String, Attributes> = BTreeMap::new();
    let mut entries = bucket.list(&layout::folder(block), Listing::Recursive);
    while let Some(entry) = entries.try_next().await.map_err(failed)? {
        if let (Some((_, name)), Some(attributes)) = (layout::block_of(&entry.name), entry.attributes) {
            objects.insert(name.to_owned(), attributes);
        }
    }
    drop(entries);
    let mut paths: Vec<(String, PathBuf)> = Vec::new();
    for name in objects.keys().filter(|name| is_examined(name)) {
        let path = folder.join(name);
        fetch(bucket, &layout::object(block, name), fs, &path).await.map_err(|failure| match failure {
            Fetch::Bucket(source) => failed(source),
            Fetch::Disk(source) => InspectError::Disk { block, source },
        })?;
        paths.push((name.clone(), path));
    }
    let (disk, range) = (Arc::clone(fs), (meta.block.min_time, meta.block.max_time));
    let examined = on_disk(move || {
        let mut files = BlockFiles::default();
        for (name, path) in paths {
            let file = StoredFile::new(name.as_str(), disk.open(&path)?);
            match name.as_str() {
                layout::INDEX => files.index = Some(file),
                TOMBSTONES_FILE => files.tombstones = Some(file),
                _ => files.segments.push(file),
            }
        }
        // A range that is none would put every chunk outside of it.
        let (from, to) = if range.0 < range.1 { range } else { (i64::MIN, i64::MAX) };
        let examination = examine(&files, from, to);
        Ok((files, examination))
    });
    let (files, examination) = examined.await.map_err(|source| InspectError::Disk { block, source })?;
    let surveyed = SurveyedBlock {
        objects,
        meta: MetaState::Read { meta: Box::new(meta.clone()), has_thanos: true },
        deletion: MarkState::Absent,
        no_compact: MarkState::Absent,
        no_downsample: MarkState::Absent,
    };
    let mut findings = findings::of_block(block, &surveyed, now);
    findings.extend(findings::of_content(block, Some(&meta), &examination));
    findings.sort_by(|one, other| other.severity.cmp(&one.severity).then_with(|| one.cmp(other)));
    findings.dedup_by(|one, other| one.code == other.code);
    Ok(Inspected { meta, files, examination, findings })
}

fn is_examined(name: &str) -> bool {
    let is_segment = name
        .strip_prefix("chunks/")
        .is_some_and(|number| number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()));
    name == layout::INDEX || name == TOMBSTONES_FILE || is_segment
}

/// Why an object is not on the disk.
pub(crate) enum Fetch {
    Bucket(BucketError),
    Disk(io::Error),
}

/// Copies an object into a file.
pub(crate) async fn fetch(
    bucket: &dyn Bucket,
    name: &str,
    fs: &Arc<dyn Fs>,
    path: &Path,
) -> Result<(), Fetch> {
    let got = bucket.get(name).await.map_err(Fetch::Bucket)?;
    let (disk, target) = (Arc::clone(fs), path.to_owned());
    let created = on_disk(move || {
        if let Some(parent) = target.parent() {
            disk.create_dir_all(parent)?;
        }
        disk.create(&target)
    });
    let mut file = created.await.map_err(Fetch::Disk)?;
    let mut body = objstore::read::exactly(name, 0, got.attributes.size, got.body);
    while let Some(piece) = body.try_next().await.map_err(Fetch::Bucket)? {
        file = on_disk(move || file.write_all(&piece).map(|()| file)).await.map_err(Fetch::Disk)?;
    }
    on_disk(move || file.sync()).await.map_err(Fetch::Disk)
}
