//! Small objects: read whole, up to a limit that is checked before memory is taken.

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::{Attributes, Bucket, BucketError, Get, read};

/// The largest meta.json or mark that is read, in bytes.
pub(crate) const JSON_BYTES_MAX: u64 = 1 << 20;

/// Reads a whole object of at most [`JSON_BYTES_MAX`] bytes, and says when it was written.
pub(crate) async fn read_small(bucket: &dyn Bucket, name: &str) -> Result<(Bytes, Attributes), BucketError> {
    let Get { attributes, body } = bucket.get(name).await?;
    let (size, limit) = (attributes.size, JSON_BYTES_MAX);
    if size > limit {
        return Err(BucketError::TooLarge { name: name.to_owned(), size, limit });
    }
    let mut body = read::exactly(name, 0, size, body);
    let mut bytes = Vec::new();
    while let Some(piece) = body.try_next().await? {
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes.into(), attributes))
}
