//! The contract of [`Bucket`](crate::Bucket), executable: named cases that every implementation and every layer passes.
//!
//! A test calls [`run`] with something that makes an empty bucket per case. A case panics where the contract is broken.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests of whoever implements a bucket"
)]

mod lists;
mod names;
mod reads;
mod writes;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use futures::TryStreamExt;

use crate::{BucketError, BucketRef, Chance, Entry, Listing, Put};

/// What a case does.
type Steps = fn(BucketRef) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// One promise.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    steps: Steps,
}

/// Makes the table of cases out of async functions.
macro_rules! table {
    ($($name:ident),+ $(,)?) => {
        pub(super) const CASES: &[super::Case] =
            &[$(super::Case { name: stringify!($name), steps: |bucket| Box::pin($name(bucket)) }),+];
    };
}
use table;

/// All cases.
pub fn cases() -> impl Iterator<Item = Case> {
    [names::CASES, lists::CASES, reads::CASES, writes::CASES].into_iter().flatten().copied()
}

/// What came of a run.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Cases that were kept.
    pub passed: usize,
    /// Cases that were broken.
    pub failed: Vec<&'static str>,
}

/// Runs each case on a bucket of its own, for which `make` gives an empty one; it is told the name of the case.
pub async fn run<F, Made>(cases: impl IntoIterator<Item = Case>, mut make: F) -> Outcome
where
    F: FnMut(&'static str) -> Made,
    Made: Future<Output = BucketRef>,
{
    let mut outcome = Outcome::default();
    for case in cases {
        let bucket = make(case.name).await;
        // A task of its own, so that a panic ends the case and not the run.
        match tokio::spawn((case.steps)(bucket)).await {
            Ok(()) => outcome.passed += 1,
            Err(_) => outcome.failed.push(case.name),
        }
    }
    outcome
}

async fn put(bucket: &BucketRef, name: &str, bytes: impl Into<Bytes>) {
    let body = Arc::new(bytes.into());
    bucket.put(name, body, Put::Replace).await.unwrap_or_else(|error| panic!("put {name}: {error:?}"));
}

async fn get(bucket: &BucketRef, name: &str) -> Bytes {
    crate::read_all(bucket.as_ref(), name, u64::MAX)
        .await
        .unwrap_or_else(|error| panic!("get {name}: {error:?}"))
}

async fn list(bucket: &BucketRef, folder: &str, listing: Listing) -> Vec<Entry> {
    bucket
        .list(folder, listing)
        .try_collect()
        .await
        .unwrap_or_else(|error| panic!("list {folder}: {error:?}"))
}

async fn listed_names(bucket: &BucketRef, folder: &str, listing: Listing) -> Vec<String> {
    list(bucket, folder, listing).await.into_iter().map(|entry| entry.name).collect()
}

/// Bytes that differ everywhere, the same for the same seed.
fn noise(seed: u64, length: usize) -> Bytes {
    let mut chance = Chance::from_seed(seed);
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        bytes.extend_from_slice(&chance.next_u64().to_le_bytes());
    }
    bytes.truncate(length);
    bytes.into()
}

#[track_caller]
fn assert_missing<T: std::fmt::Debug>(found: Result<T, BucketError>) {
    assert!(matches!(found, Err(BucketError::NotFound { .. })), "{found:?}");
}
