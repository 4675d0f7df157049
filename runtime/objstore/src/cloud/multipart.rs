//! Large bodies in parts: several at a time, each tried again on its own, all of them taken back when one is lost.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::multipart::PartId;
use object_store::path::Path;
use object_store::{MultipartId, PutMultipartOptions, PutPayload};

use super::{Client, Cloud, observed, path};
use crate::memory::wrong_size;
use crate::{Body, BucketError, Written};

/// What S3 takes.
const MAX_PARTS: u64 = 10_000;
/// What parts on their way may take in memory, if they are not larger than this.
const MEMORY: u64 = 128 << 20;
/// How many are on their way at most.
const MAX_AT_ONCE: u64 = 4;
/// How often one part is tried.
const ATTEMPTS: u32 = 3;

/// An upload that is taken back unless it is completed.
struct Upload {
    client: Arc<dyn Client>,
    path: Path,
    id: MultipartId,
    completed: bool,
}

impl Drop for Upload {
    /// Parts that nobody takes back are stored, and paid for, for ever. The caller may have gone, so this runs on its own.
    fn drop(&mut self) {
        if self.completed {
            return;
        }
        let (client, path, id) = (Arc::clone(&self.client), self.path.clone(), self.id.clone());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = client.abort_multipart(&path, &id).await {
                    tracing::warn!(object = %path, error = %error, "parts of a failed upload were not taken back");
                }
            });
        }
    }
}

impl Cloud {
    pub(super) async fn put_in_parts(
        &self,
        name: &str,
        body: &dyn Body,
        part_size: u64,
    ) -> Result<Written, BucketError> {
        let path = path(name)?;
        let part_size = part_size.max(body.size().div_ceil(MAX_PARTS));
        let at_once = usize::try_from((MEMORY / part_size).clamp(1, MAX_AT_ONCE)).unwrap_or(1);
        let options = PutMultipartOptions { attributes: self.attributes.clone(), ..Default::default() };
        let id = self.on(name, self.client.create_multipart_opts(&path, options)).await?;
        let mut upload =
            Upload { client: Arc::clone(&self.client), path: path.clone(), id, completed: false };

        let parts = parts(body, part_size).enumerate().map(|(index, part)| {
            let (path, id) = (&upload.path, &upload.id);
            async move {
                let part = part.map_err(|source| BucketError::Source { name: name.to_owned(), source })?;
                Ok::<_, BucketError>((index, self.put_part(name, path, id, index, part).await?))
            }
        });
        let sent: Result<Vec<(usize, PartId)>, BucketError> =
            parts.buffer_unordered(at_once).try_collect().await;
        let mut sent = sent?;
        sent.sort_unstable_by_key(|(index, _)| *index);
        let parts: Vec<PartId> = sent.into_iter().map(|(_, part)| part).collect();
        let written = self.on(name, self.client.complete_multipart(&path, &upload.id, parts)).await?;
        upload.completed = true;
        Ok(Written { etag: written.e_tag })
    }

    async fn put_part(
        &self,
        name: &str,
        path: &Path,
        id: &MultipartId,
        index: usize,
        part: PutPayload,
    ) -> Result<PartId, BucketError> {
        let mut pause = Duration::from_millis(250);
        let mut attempt = 1;
        loop {
            let (sent, answer) = observed(self.client.put_part(path, id, index, part.clone())).await;
            let error = match sent {
                Ok(part) => return Ok(part),
                Err(error) => self.failed(name, error, &answer),
            };
            if attempt == ATTEMPTS || !error.is_transient() {
                return Err(error);
            }
            attempt += 1;
            tokio::time::sleep(answer.retry_after().unwrap_or(pause)).await;
            pause *= 4;
        }
    }
}

/// Cuts a body into parts of exactly `size` bytes and a last one of what is left.
fn parts(body: &dyn Body, size: u64) -> BoxStream<'static, std::io::Result<PutPayload>> {
    struct Cutting {
        pieces: BoxStream<'static, std::io::Result<Bytes>>,
        waiting: VecDeque<Bytes>,
        announced: u64,
        left: u64,
    }
    let start =
        Cutting { pieces: body.open(), waiting: VecDeque::new(), announced: body.size(), left: body.size() };
    Box::pin(futures::stream::try_unfold(start, move |mut cutting| async move {
        if cutting.left == 0 {
            let surplus = match cutting.waiting.pop_front() {
                Some(piece) => Some(piece),
                None => cutting.pieces.try_next().await?,
            };
            return match surplus.filter(|piece| !piece.is_empty()) {
                None => Ok(None),
                Some(piece) => Err(wrong_size(cutting.announced, cutting.announced + piece.len() as u64)),
            };
        }
        let wanted = cutting.left.min(size);
        let mut part: Vec<Bytes> = Vec::new();
        let mut length: u64 = 0;
        while length < wanted {
            let next = match cutting.waiting.pop_front() {
                Some(piece) => Some(piece),
                None => cutting.pieces.try_next().await?,
            };
            let Some(mut piece) = next else {
                return Err(wrong_size(cutting.announced, cutting.announced - cutting.left + length));
            };
            let missing = wanted - length;
            if piece.len() as u64 > missing {
                // Shorter than a piece in memory.
                let rest = piece.split_off(missing as usize);
                cutting.waiting.push_front(rest);
            }
            length += piece.len() as u64;
            part.push(piece);
        }
        cutting.left -= wanted;
        Ok(Some((part.into_iter().collect(), cutting)))
    }))
}
