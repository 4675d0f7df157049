//! Brings the files of a block here and has them examined.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use block::layout;
use objstore::{Attributes, BucketRef};
use tempfile::TempDir;
use tsdb::BlockId;
use tsdb::block::{BlockFiles, Examination};
use tsdb::fs::{Fs, RangeRead, RealFs};
use tsdb::stored::StoredFile;

/// Blocks up to this size are held in memory; larger ones go to the disk (`TMPDIR`) while they are examined.
const MEMORY_BYTES_MAX: u64 = 64 << 20;

/// Examines one block. Fails only where the bucket or the disk does.
pub(super) async fn examine(
    bucket: BucketRef,
    id: BlockId,
    objects: &BTreeMap<String, Attributes>,
    (min_time, max_time): (i64, i64),
) -> anyhow::Result<Examination> {
    let size = examined(objects).map(|(_, object)| object.size).fold(0, u64::saturating_add);
    let (files, folder) = match size > MEMORY_BYTES_MAX {
        true => {
            let folder = tempfile::tempdir().context("no temporary folder")?;
            (files(&bucket, id, objects, folder.path()).await?, Some(folder))
        }
        false => (in_memory(&bucket, id, objects).await?, None),
    };
    let examined = tokio::task::spawn_blocking(move || {
        let examination = tsdb::block::examine(&files, min_time, max_time);
        // The files are open until here.
        drop::<Option<TempDir>>(folder);
        examination
    });
    examined.await.with_context(|| format!("block {id}"))
}

async fn in_memory(
    bucket: &BucketRef,
    id: BlockId,
    objects: &BTreeMap<String, Attributes>,
) -> anyhow::Result<BlockFiles> {
    let mut files = BlockFiles::default();
    for (name, _) in examined(objects) {
        let object = layout::object(id, name);
        let bytes = objstore::read_all(bucket.as_ref(), &object, MEMORY_BYTES_MAX).await?;
        add(&mut files, name, Arc::new(bytes));
    }
    Ok(files)
}

/// Copies the files of a block into a folder.
pub(super) async fn files(
    bucket: &BucketRef,
    id: BlockId,
    objects: &BTreeMap<String, Attributes>,
    folder: &Path,
) -> anyhow::Result<BlockFiles> {
    let mut files = BlockFiles::default();
    for (name, _) in examined(objects) {
        add(&mut files, name, to_disk(bucket, &layout::object(id, name), folder).await?);
    }
    Ok(files)
}

fn add(files: &mut BlockFiles, name: &str, bytes: Arc<dyn RangeRead>) {
    let file = StoredFile::new(name, bytes);
    match name {
        layout::INDEX => files.index = Some(file),
        TOMBSTONES => files.tombstones = Some(file),
        _ => files.segments.push(file),
    }
}

fn examined(objects: &BTreeMap<String, Attributes>) -> impl Iterator<Item = (&str, &Attributes)> {
    objects.iter().map(|(name, object)| (name.as_str(), object)).filter(|(name, _)| is_examined(name))
}

const TOMBSTONES: &str = "tombstones";

fn is_examined(name: &str) -> bool {
    let is_segment = name
        .strip_prefix("chunks/")
        .is_some_and(|number| number.len() >= 6 && number.bytes().all(|byte| byte.is_ascii_digit()));
    name == layout::INDEX || name == TOMBSTONES || is_segment
}

async fn to_disk(bucket: &BucketRef, object: &str, folder: &Path) -> anyhow::Result<Arc<dyn RangeRead>> {
    let path = folder.join(object.replace('/', "-"));
    let mut file =
        tokio::fs::File::create(&path).await.with_context(|| format!("cannot write {}", path.display()))?;
    objstore::copy_to(bucket.as_ref(), object, &mut file).await?;
    RealFs.open(&path).with_context(|| format!("cannot read {}", path.display()))
}
