//! S3, GCS and Azure as buckets, over the clients of `object_store` and an HTTP client of our own.

mod answer;
mod aws_profile;
pub(crate) mod azure;
mod connector;
pub(crate) mod gcs;
mod multipart;
pub(crate) mod s3;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Attributes as StoreAttributes, GetOptions, GetRange, ListResult, ObjectMeta, ObjectStore, PutMode,
    PutOptions, PutPayload,
};
use prom_model::TimestampMs;

use self::answer::{Answer, Redactor, observed};
use crate::name::{check_name, folder_prefix};
use crate::read::{collect, exactly};
use crate::{Attributes, Body, Bucket, BucketError, Entry, Get, Listing, Put, Written};

/// What a client must be able to do.
pub(crate) trait Client: ObjectStore + MultipartStore {}
impl<T: ObjectStore + MultipartStore> Client for T {}

/// What S3 takes in one request, and the others do as well.
const MAX_SINGLE_PUT: u64 = 5 << 30;

/// A bucket of a cloud.
pub(crate) struct Cloud {
    name: String,
    client: Arc<dyn Client>,
    redactor: Redactor,
    /// Larger bodies go in parts of this size; `None` where all go whole.
    part_size: Option<u64>,
    /// Goes along with every object.
    attributes: StoreAttributes,
    /// Makes the bucket where it is missing and may be made.
    maker: Option<Arc<dyn Maker>>,
}

/// Makes a bucket.
#[async_trait]
pub(crate) trait Maker: Send + Sync {
    /// Makes it; one that is there is fine.
    async fn make(&self) -> object_store::Result<()>;
}

impl Cloud {
    fn failed(&self, name: &str, error: object_store::Error, answer: &Answer) -> BucketError {
        answer::bucket_error(&self.name, name, error, answer, &self.redactor)
    }

    /// Does something with an object.
    async fn on<T>(
        &self,
        name: &str,
        work: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, BucketError> {
        let (done, answer) = observed(work).await;
        done.map_err(|error| self.failed(name, error, &answer))
    }

    /// Whether the bucket was missing and is there now.
    async fn made_after(&self, error: &BucketError) -> Result<bool, BucketError> {
        match (&self.maker, error) {
            (Some(maker), BucketError::NoSuchBucket { .. }) => {
                self.on(&self.name, maker.make()).await?;
                tracing::info!(bucket = self.name, "the bucket was missing and was made");
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    async fn put_once(&self, name: &str, body: &dyn Body, put: Put) -> Result<Written, BucketError> {
        match self.part_size {
            Some(part_size) if put == Put::Replace && body.size() > part_size => {
                self.put_in_parts(name, body, part_size).await
            }
            _ if body.size() > MAX_SINGLE_PUT => Err(BucketError::NotSupported {
                bucket: self.name.clone(),
                what: "an object of more than 5 GiB in one piece",
            }),
            _ => self.put_whole(name, body, put).await,
        }
    }

    async fn shallow(&self, folder: &str) -> Result<Vec<Entry>, BucketError> {
        let prefix = folder_prefix(folder)?;
        let path = list_path(&prefix)?;
        let ListResult { common_prefixes, objects, .. } =
            self.on(folder, self.client.list_with_delimiter(path.as_ref())).await?;
        let folders = common_prefixes.iter().map(|path| Entry { name: format!("{path}/"), attributes: None });
        let objects = objects.iter().map(entry);
        let mut entries: Vec<Entry> =
            folders.chain(objects).filter(|entry| is_below(&entry.name, &prefix)).collect();
        entries.sort_unstable();
        Ok(entries)
    }

    fn body(&self, name: &str, got: object_store::GetResult) -> crate::read::ByteStream {
        let (bucket, name, redactor) = (self.name.clone(), name.to_owned(), self.redactor.clone());
        Box::pin(got.into_stream().map(move |piece| {
            let answer = Answer::default();
            piece.map_err(|error| answer::bucket_error(&bucket, &name, error, &answer, &redactor))
        }))
    }

    async fn put_whole(&self, name: &str, body: &dyn Body, put: Put) -> Result<Written, BucketError> {
        let path = path(name)?;
        let payload = payload(name, body).await?;
        let mode = match put {
            Put::Replace => PutMode::Overwrite,
            Put::Create => PutMode::Create,
        };
        let options = PutOptions { mode, attributes: self.attributes.clone(), ..PutOptions::default() };
        let (done, answer) = observed(self.client.put_opts(&path, payload, options)).await;
        match done {
            Ok(written) => Ok(Written { etag: written.e_tag }),
            // A write without a condition that meets another one at the same time has lost nothing by trying again.
            Err(error @ object_store::Error::AlreadyExists { .. }) if put == Put::Replace => {
                Err(BucketError::Unavailable {
                    name: name.to_owned(),
                    source: Box::new(self.redactor.redact(&error)),
                })
            }
            Err(error) => Err(self.failed(name, error, &answer)),
        }
    }

    /// The answer to a range that the store did not give: behind the end, or the error itself.
    async fn behind_the_end(&self, name: &str, offset: u64, error: BucketError) -> BucketError {
        match self.attributes(name).await {
            Ok(Attributes { size, .. }) if offset >= size => {
                BucketError::OutOfRange { name: name.to_owned(), offset, size }
            }
            Err(missing @ BucketError::NotFound { .. }) => missing,
            _ => error,
        }
    }
}

#[async_trait]
impl Bucket for Cloud {
    fn name(&self) -> &str {
        &self.name
    }

    fn creates_atomically(&self) -> bool {
        true
    }

    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        let folder = folder.to_owned();
        if listing == Listing::Shallow {
            let entries = async move {
                match self.shallow(&folder).await {
                    Ok(entries) => entries.into_iter().map(Ok).collect(),
                    Err(error) => match self.made_after(&error).await {
                        Ok(true) => Vec::new(),
                        Ok(false) => vec![Err(error)],
                        Err(error) => vec![Err(error)],
                    },
                }
            };
            return Box::pin(futures::FutureExt::flatten_stream(async move {
                futures::stream::iter(entries.await)
            }));
        }
        let (prefix, path) = match folder_prefix(&folder)
            .and_then(|prefix| Ok((prefix.clone().into_owned(), list_path(&prefix)?)))
        {
            Ok(both) => both,
            Err(error) => return Box::pin(futures::stream::iter([Err(error)])),
        };
        let start = (self.client.list(path.as_ref()), prefix, false);
        Box::pin(futures::stream::unfold(start, move |(mut objects, prefix, ended)| {
            let folder = folder.clone();
            async move {
                if ended {
                    return None;
                }
                loop {
                    let (next, answer) = observed(objects.next()).await;
                    match next? {
                        Ok(meta) => {
                            let entry = entry(&meta);
                            if is_below(&entry.name, &prefix) {
                                return Some((Ok(entry), (objects, prefix, false)));
                            }
                        }
                        Err(error) => {
                            let error = self.failed(&folder, error, &answer);
                            return match self.made_after(&error).await {
                                Ok(true) => None,
                                Ok(false) => Some((Err(error), (objects, prefix, true))),
                                Err(error) => Some((Err(error), (objects, prefix, true))),
                            };
                        }
                    }
                }
            }
        }))
    }

    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        let path = path(name)?;
        let got = self.on(name, self.client.get_opts(&path, GetOptions::default())).await?;
        let attributes = attributes(&got.meta);
        let body = exactly(name, 0, attributes.size, self.body(name, got));
        Ok(Get { attributes, body })
    }

    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        let path = path(name)?;
        let end = offset.saturating_add(length);
        // No store takes such a range, and no object has such a size.
        if length == 0 || i64::try_from(offset).is_err() {
            let size = self.attributes(name).await?.size;
            return match offset < size {
                true => Ok(Bytes::new()),
                false => Err(BucketError::OutOfRange { name: name.to_owned(), offset, size }),
            };
        }
        let end = end.min(i64::MAX as u64);
        let options = GetOptions { range: Some(GetRange::Bounded(offset..end)), ..GetOptions::default() };
        let (got, answer) = observed(self.client.get_opts(&path, options)).await;
        let got = match got {
            Ok(got) => got,
            Err(error) => {
                let error = self.failed(name, error, &answer);
                return Err(match answer.status() {
                    // Some stores answer a range of nothing with everything.
                    Some(416 | 200 | 206) => self.behind_the_end(name, offset, error).await,
                    _ => error,
                });
            }
        };
        let (size, range) = (got.meta.size, got.range.clone());
        if offset >= size {
            return Err(BucketError::OutOfRange { name: name.to_owned(), offset, size });
        }
        let expected = end.min(size) - offset;
        if range.start != offset || range.end != offset + expected {
            let got = range.end.saturating_sub(range.start);
            return Err(BucketError::ShortRead { name: name.to_owned(), offset, expected, got });
        }
        collect(name, expected, self.body(name, got)).await
    }

    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        let path = path(name)?;
        let options = GetOptions { head: true, ..GetOptions::default() };
        let got = self.on(name, self.client.get_opts(&path, options)).await?;
        Ok(attributes(&got.meta))
    }

    async fn put(&self, name: &str, body: Arc<dyn Body>, put: Put) -> Result<Written, BucketError> {
        check_name(name)?;
        match self.put_once(name, body.as_ref(), put).await {
            Err(error) if self.made_after(&error).await? => self.put_once(name, body.as_ref(), put).await,
            done => done,
        }
    }

    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        let path = path(name)?;
        let one: BoxStream<'static, object_store::Result<Path>> = Box::pin(futures::stream::iter([Ok(path)]));
        let mut deleted = self.client.delete_stream(one);
        let (done, answer) = observed(deleted.next()).await;
        match done {
            Some(Err(error)) => Err(self.failed(name, error, &answer)),
            _ => Ok(()),
        }
    }
}

/// The name as the client has it: verbatim, without the encoding that `Path::from` does.
fn path(name: &str) -> Result<Path, BucketError> {
    check_name(name)?;
    let rule = "the client of the store does not take it";
    Path::parse(name).map_err(|_| BucketError::InvalidName { name: name.to_owned(), rule })
}

fn list_path(prefix: &str) -> Result<Option<Path>, BucketError> {
    match prefix.strip_suffix('/') {
        None => Ok(None),
        Some(folder) => path(folder).map(Some),
    }
}

/// Whether a listed name is one that can be asked for, and not the mark of the folder itself.
fn is_below(name: &str, prefix: &str) -> bool {
    name.len() > prefix.len() && name.starts_with(prefix)
}

fn entry(meta: &ObjectMeta) -> Entry {
    Entry { name: meta.location.as_ref().to_owned(), attributes: Some(attributes(meta)) }
}

const fn attributes(meta: &ObjectMeta) -> Attributes {
    Attributes { size: meta.size, modified: TimestampMs::from_millis(meta.last_modified.timestamp_millis()) }
}

/// A body in memory, in the pieces in which it came.
async fn payload(name: &str, body: &dyn Body) -> Result<PutPayload, BucketError> {
    let failed = |source| BucketError::Source { name: name.to_owned(), source };
    let mut pieces = body.open();
    let mut all: Vec<Bytes> = Vec::new();
    let mut size: u64 = 0;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(failed)?;
        size = size.saturating_add(piece.len() as u64);
        if size > body.size() {
            break;
        }
        all.push(piece);
    }
    match size == body.size() {
        true => Ok(all.into_iter().collect()),
        false => Err(failed(crate::memory::wrong_size(body.size(), size))),
    }
}

impl fmt::Debug for Cloud {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cloud({})", self.name)
    }
}
