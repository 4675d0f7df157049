//! Small objects: read whole, up to a limit that is checked before memory is taken.

use bytes::Bytes;
use futures::TryStreamExt;
use objstore::{Attributes, Bucket, BucketError};

/// The largest meta.json or mark that is read, in bytes.
pub(crate) const JSON_BYTES_MAX: u64 = 1 << 20;

/// A small object that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SmallObjectError {
    /// The store's answer.
    #[error("unreadable object")]
    Bucket(#[from] BucketError),
    /// It is larger than anything of its kind.
    #[error("{name}: {size} bytes, at most {max} are read")]
    TooLarge {
        /// The object.
        name: String,
        /// How large it is.
        size: u64,
        /// How large it may be.
        max: u64,
    },
}

/// Reads a whole object of at most [`JSON_BYTES_MAX`] bytes.
pub(crate) async fn read_small(bucket: &dyn Bucket, name: &str) -> Result<(Bytes, Attributes), SmallObjectError> {
    let mut got = bucket.get(name).await?;
    let size = got.attributes.size;
    let too_large = |size| SmallObjectError::TooLarge { name: name.to_owned(), size, max: JSON_BYTES_MAX };
    if size > JSON_BYTES_MAX {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    while let Some(piece) = got.body.try_next().await? {
        let length = bytes.len() as u64 + piece.len() as u64;
        if length > JSON_BYTES_MAX {
            return Err(too_large(length));
        }
        bytes.extend_from_slice(&piece);
    }
    if bytes.len() as u64 != size {
        let got = bytes.len() as u64;
        return Err(BucketError::ShortRead { name: name.to_owned(), offset: 0, expected: size, got }.into());
    }
    Ok((bytes.into(), got.attributes))
}
