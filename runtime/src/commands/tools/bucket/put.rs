//! Puts a block that was written here into the bucket: examined before, read back after.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use block::{BlockId, HashFunc, Meta, Upload, Uploaded, layout};
use bytes::Bytes;
use futures::TryStreamExt;
use objstore::{Attributes, Body, BucketRef, FileBody, Listing, Put};
use tsdb::block::{BlockFiles, Counts};
use tsdb::fs::Fs;
use tsdb::stored::StoredFile;

use super::Tool;
use super::content::examine;

/// Examines the block in the folder, uploads it and examines what is in the bucket then.
pub(super) async fn put_checked(
    tool: &Tool,
    fs: &Arc<dyn Fs>,
    folder: &Path,
    meta: Meta,
    hash_func: HashFunc,
    without_labels: bool,
) -> anyhow::Result<()> {
    let (id, range) = (meta.id(), (meta.block.min_time, meta.block.max_time));
    let counts = examine_folder(fs, folder, range).await.context("the new block is not uploaded")?;
    if without_labels && meta.thanos.labels.is_empty() {
        put_plain(&tool.bucket, folder, &meta).await?;
    } else {
        let (bucket, folder) = (&*tool.bucket, folder.to_owned());
        let upload = Upload { bucket, fs, folder, meta, clock: &tool.clock, hash_func, concurrency: 4 };
        if upload.run().await? == Uploaded::AlreadyThere {
            bail!("block {id} is in the bucket already");
        }
    }
    let objects = objects(&tool.bucket, id).await?;
    let read_back = examine(Arc::clone(&tool.bucket), id, &objects, range).await?;
    if !read_back.problems.is_empty() || read_back.counts != counts {
        bail!("block {id} cannot be read back from the bucket as it was written; the source stays as it is");
    }
    Ok(())
}

/// The objects of a block by their names in its folder.
pub(super) async fn objects(bucket: &BucketRef, id: BlockId) -> anyhow::Result<BTreeMap<String, Attributes>> {
    let entries: Vec<_> = bucket.list(&layout::folder(id), Listing::Recursive).try_collect().await?;
    let named = entries.into_iter().filter_map(|entry| {
        let (_, name) = layout::block_of(&entry.name)?;
        Some((name.to_owned(), entry.attributes?))
    });
    Ok(named.collect())
}

async fn examine_folder(fs: &Arc<dyn Fs>, folder: &Path, range: (i64, i64)) -> anyhow::Result<Counts> {
    let (fs, folder) = (Arc::clone(fs), folder.to_owned());
    let examined = tokio::task::spawn_blocking(move || {
        let open = |name: String| anyhow::Ok(StoredFile::new(name.as_str(), fs.open(&folder.join(&name))?));
        let mut files = BlockFiles { index: Some(open(layout::INDEX.to_owned())?), ..BlockFiles::default() };
        for entry in fs.list(&folder.join(layout::CHUNKS))? {
            files.segments.push(open(format!("{}/{}", layout::CHUNKS, entry.name))?);
        }
        let examination = tsdb::block::examine(&files, range.0, range.1);
        if let Some(problem) = examination.problems.iter().next() {
            bail!("{}: {}", problem.kind.code(), problem.examples.concat());
        }
        Ok(examination.counts)
    });
    examined.await?
}

/// A block for Prometheus alone: the files, and meta.json last.
async fn put_plain(bucket: &BucketRef, folder: &Path, meta: &Meta) -> anyhow::Result<()> {
    let id = meta.id();
    let mut names = vec![layout::INDEX.to_owned()];
    let mut segments = tokio::fs::read_dir(folder.join(layout::CHUNKS)).await?;
    while let Some(entry) = segments.next_entry().await? {
        names.extend(entry.file_name().to_str().map(|name| format!("{}/{name}", layout::CHUNKS)));
    }
    names.sort();
    for name in names {
        let body: Arc<dyn Body> = Arc::new(FileBody::new(folder.join(&name)).await?);
        bucket.put(&layout::object(id, &name), body, Put::Replace).await?;
    }
    let body: Arc<dyn Body> = Arc::new(Bytes::from(meta.to_bytes()?));
    bucket.put(&layout::object(id, layout::META), body, Put::Replace).await?;
    Ok(())
}
