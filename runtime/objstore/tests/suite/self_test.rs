//! What the self-test says of buckets, good and bad.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures::TryStreamExt;
use futures::stream::BoxStream;
use objstore::layers::{Fault, Faulty, ReplaceOnly, Script};
use objstore::{
    Attributes, Body, Bucket, BucketError, BucketRef, Chance, Entry, Filesystem, Get, Listing, Memory, Put,
    SelfTest, Step, Written, self_test,
};
use prom_model::{Clock, ManualClock, SystemClock, TimestampMs};

use super::s3::{InProcess, connect};

fn memory() -> BucketRef {
    Arc::new(Memory::new("test", Arc::new(SystemClock)))
}

async fn test(bucket: &BucketRef) -> SelfTest {
    self_test(bucket.as_ref(), &SystemClock, &mut Chance::from_seed(7)).await
}

fn steps(tested: &SelfTest) -> Vec<Step> {
    tested.findings.iter().map(|finding| finding.step).collect()
}

#[tokio::test]
async fn good_buckets_are_good_and_left_as_they_were() {
    let disk = tempfile::TempDir::new().unwrap();
    let buckets: [BucketRef; 2] = [memory(), Arc::new(Filesystem::new(disk.path().join("b")).unwrap())];
    for bucket in buckets {
        let tested = test(&bucket).await;
        assert!(tested.findings.is_empty(), "{:?}", tested.findings);
        assert!(tested.creates_atomically);
        let left: Vec<Entry> = bucket.list("", Listing::Recursive).try_collect().await.unwrap();
        assert!(left.is_empty(), "{left:?}");
    }
}

#[tokio::test]
async fn a_store_without_conditions_is_no_finding() {
    let bucket: BucketRef = Arc::new(ReplaceOnly(memory()));
    let tested = test(&bucket).await;
    assert!(tested.findings.is_empty(), "{:?}", tested.findings);
    assert!(!tested.creates_atomically);
}

/// Takes conditions for what they are worth in some stores: nothing.
#[derive(Debug)]
struct Careless(BucketRef);

#[async_trait]
impl Bucket for Careless {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn creates_atomically(&self) -> bool {
        true
    }
    fn list<'a>(&'a self, folder: &str, listing: Listing) -> BoxStream<'a, Result<Entry, BucketError>> {
        self.0.list(folder, listing)
    }
    async fn get(&self, name: &str) -> Result<Get, BucketError> {
        self.0.get(name).await
    }
    async fn get_range(&self, name: &str, offset: u64, length: u64) -> Result<Bytes, BucketError> {
        self.0.get_range(name, offset, length).await
    }
    async fn attributes(&self, name: &str) -> Result<Attributes, BucketError> {
        self.0.attributes(name).await
    }
    async fn put(&self, name: &str, body: Arc<dyn Body>, _put: Put) -> Result<Written, BucketError> {
        self.0.put(name, body, Put::Replace).await
    }
    async fn delete(&self, name: &str) -> Result<(), BucketError> {
        self.0.delete(name).await
    }
}

#[tokio::test]
async fn ignored_conditions_are_found() {
    let bucket: BucketRef = Arc::new(Careless(memory()));
    let tested = test(&bucket).await;
    assert_eq!(steps(&tested), [Step::Condition]);
    assert!(!tested.creates_atomically);
    assert!(tested.findings[0].to_string().contains("ignores the condition"), "{}", tested.findings[0]);
}

#[tokio::test]
async fn a_wrong_clock_is_found() {
    let wrong = ManualClock::new(TimestampMs::from_millis(SystemClock.now().as_millis() + 3_600_000));
    let bucket: BucketRef = Arc::new(Memory::new("ahead", Arc::new(wrong)));
    let tested = test(&bucket).await;
    assert_eq!(steps(&tested), [Step::Clock]);
    assert!(tested.findings[0].to_string().contains("ahead of ours"), "{}", tested.findings[0]);
}

#[tokio::test]
async fn what_comes_back_wrong_is_found() {
    // Calls: 1 list, 2 write, 3 read, 4 range, 5 exists, 6 write, 7 read, 8 list, 9 attributes, 10 create.
    for (number, fault, step, says) in [
        (1, Fault::FailBefore, Step::List, "cannot be reached"),
        (2, Fault::FailBefore, Step::Write, "cannot be reached"),
        (3, Fault::BitFlip, Step::Read, "another content"),
        (3, Fault::Missing, Step::Read, "just written is not found"),
        (4, Fault::SilentlyShort, Step::Read, "another range"),
        (8, Fault::StaleList, Step::List, "not in the listing"),
    ] {
        let faults = Script::At(BTreeMap::from([(number, fault)]));
        let bucket: BucketRef = Arc::new(Faulty::new(memory(), faults));
        let tested = test(&bucket).await;
        let found = tested.findings.first().expect("a finding");
        assert_eq!(found.step, step, "{fault} at {number}: {:?}", tested.findings);
        assert!(found.to_string().contains(says), "{fault} at {number}: {found}");
    }
}

#[tokio::test]
async fn mistakes_in_the_configuration_are_explained() {
    let server = InProcess::start().await;
    server.bucket("there", "");
    for (name, more, says) in [
        ("missing", "max_retries: 1", "no such bucket"),
        ("there", "max_retries: 1, access_key: AKEX", "does not know the access key"),
        ("there", "max_retries: 1, secret_key: other", "secret key is not that of the access key"),
    ] {
        let tested = test(&connect(server.address, name, more)).await;
        let found = tested.findings.first().unwrap_or_else(|| panic!("{more}: no finding"));
        assert!(found.to_string().contains(says), "{more}: {found}: {:?}", found.source);
    }
    // Nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let tested = test(&connect(closed, "there", "max_retries: 1")).await;
    assert_eq!(steps(&tested), [Step::List]);
    assert!(tested.findings[0].to_string().contains("cannot be reached"), "{}", tested.findings[0]);
}
