//! Reading objects whole, so that no caller takes a part of one for all of it.

use bytes::{Bytes, BytesMut};
use futures::stream::{BoxStream, StreamExt};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use crate::{Attributes, Bucket, BucketError, Get};

/// Bytes of an object as they arrive.
pub type ByteStream = BoxStream<'static, Result<Bytes, BucketError>>;

/// Holds a stream to the number of bytes that were announced: fewer or more end it with [`BucketError::ShortRead`].
///
/// Of a stream that is too long, nothing behind the announced end is passed on.
pub fn exactly(name: &str, offset: u64, expected: u64, body: ByteStream) -> ByteStream {
    let wrong =
        move |name: &str, got| Err(BucketError::ShortRead { name: name.to_owned(), offset, expected, got });
    let state = Some((body, 0_u64, name.to_owned()));
    Box::pin(futures::stream::unfold(state, move |state| async move {
        let (mut body, got, name) = state?;
        match body.next().await {
            Some(Ok(piece)) => {
                let got = got.saturating_add(piece.len() as u64);
                if got > expected {
                    return Some((wrong(&name, got), None));
                }
                Some((Ok(piece), Some((body, got, name))))
            }
            Some(Err(error)) => Some((Err(error), None)),
            None if got == expected => None,
            None => Some((wrong(&name, got), None)),
        }
    }))
}

/// Reads a whole object of at most `limit` bytes into memory.
///
/// # Errors
/// What the bucket says; [`BucketError::TooLarge`] for an object above the limit.
pub async fn read_all(bucket: &dyn Bucket, name: &str, limit: u64) -> Result<Bytes, BucketError> {
    let Get { attributes, body } = bucket.get(name).await?;
    if attributes.size > limit {
        return Err(BucketError::TooLarge { name: name.to_owned(), size: attributes.size, limit });
    }
    collect(name, attributes.size, body).await
}

/// Collects a body of exactly so many bytes.
pub(crate) async fn collect(name: &str, size: u64, body: ByteStream) -> Result<Bytes, BucketError> {
    let mut body = exactly(name, 0, size, body);
    let Some(first) = body.next().await else { return Ok(Bytes::new()) };
    let first = first?;
    if first.len() as u64 == size {
        // The whole object came in one piece; the stream is asked once more, for bytes that nobody announced.
        return match body.next().await {
            Some(Err(error)) => Err(error),
            _ => Ok(first),
        };
    }
    // What is announced is not yet what comes: the buffer grows with the bytes.
    let mut all = BytesMut::from(first);
    while let Some(piece) = body.next().await {
        all.extend_from_slice(&piece?);
    }
    Ok(all.freeze())
}

/// Why an object did not reach its place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The bucket failed.
    #[error(transparent)]
    Bucket(#[from] BucketError),
    /// The place could not be written.
    #[error("{name}: its copy cannot be written")]
    Target {
        /// The object.
        name: String,
        /// What the place says.
        #[source]
        source: std::io::Error,
    },
}

/// Copies an object to `target` and flushes it; what was written is worth nothing unless this succeeds.
///
/// # Errors
/// When the bucket fails, sends another number of bytes than it announced, or `target` cannot be written.
pub async fn copy_to(
    bucket: &dyn Bucket,
    name: &str,
    target: &mut (dyn AsyncWrite + Send + Unpin),
) -> Result<Attributes, CopyError> {
    let Get { attributes, body } = bucket.get(name).await?;
    let failed = |source| CopyError::Target { name: name.to_owned(), source };
    let mut body = exactly(name, 0, attributes.size, body);
    while let Some(piece) = body.next().await {
        target.write_all(&piece?).await.map_err(failed)?;
    }
    target.flush().await.map_err(failed)?;
    Ok(attributes)
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;

    fn pieces(texts: &[&'static str]) -> ByteStream {
        let pieces: Vec<_> = texts.iter().map(|text| Ok(Bytes::from_static(text.as_bytes()))).collect();
        Box::pin(futures::stream::iter(pieces))
    }

    #[tokio::test]
    async fn another_length_than_announced_is_never_data() {
        for (texts, size, good) in [
            (vec!["abc", "de"], 5, true),
            (vec!["abcde"], 5, true),
            (vec![], 0, true),
            (vec!["abc", "d"], 5, false),
            (vec!["abc", "def"], 5, false),
            (vec!["abcdef"], 5, false),
            (vec!["abcde", "f"], 5, false),
            (vec![], 5, false),
            (vec!["a"], 0, false),
        ] {
            let read = collect("name", size, pieces(&texts)).await;
            assert_eq!(read.is_ok(), good, "{texts:?} of {size}: {read:?}");
            if !good {
                assert!(matches!(read, Err(BucketError::ShortRead { .. })), "{read:?}");
            }
            let streamed: Result<Vec<Bytes>, _> =
                exactly("name", 0, size, pieces(&texts)).try_collect().await;
            assert_eq!(streamed.is_ok(), good, "{texts:?} of {size}");
        }
    }
}
