//! What a bucket of 10,000 objects costs to write, to list and to read, in memory, on the disk and below all layers:
//! `cargo bench -p objstore --bench buckets`.
#![expect(clippy::print_stdout, reason = "the table is the result")]
#![expect(clippy::disallowed_methods, reason = "a measurement needs the clock")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use objstore::layers::{
    BucketMetrics, CacheRule, Caching, Deadlines, Metered, Prefix, Retry, RetryPolicy, Timeout,
};
use objstore::{BucketRef, Chance, Filesystem, Listing, Memory, Put};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;

/// Blocks, each with ten objects.
const BLOCKS: usize = 1_000;
const OBJECTS: usize = 10 * BLOCKS;

fn memory() -> BucketRef {
    Arc::new(Memory::new("bench", Arc::new(SystemClock)))
}

fn layered() -> BucketRef {
    let timed: BucketRef = Arc::new(Timeout::new(memory(), Deadlines::default()));
    let tried: BucketRef = Arc::new(Retry::new(timed, RetryPolicy::default(), Chance::from_seed(1)));
    let below = Prefix::wrap(tried, "tenant").expect("a prefix");
    let metrics = BucketMetrics::register(&mut Registry::default());
    Arc::new(Metered::new(below, metrics, "bench", Arc::new(SystemClock)))
}

fn caching() -> BucketRef {
    let long = Duration::from_secs(3_600);
    let rule = CacheRule {
        applies: Box::new(|_| true),
        there: long,
        missing: long,
        content: long,
        content_bytes_max: 1 << 20,
        listing: long,
    };
    Arc::new(Caching::new(layered(), vec![rule], 256 << 20, Arc::new(SystemClock)))
}

#[tokio::main]
async fn main() {
    let disk = tempfile::TempDir::new().expect("a folder");
    let folder: BucketRef = Arc::new(Filesystem::new(disk.path()).expect("a folder"));
    println!(
        "{:<28}{:>14}{:>14}{:>14}{:>14}{:>14}",
        "bucket, 10,000 objects", "put us", "list all ms", "list top ms", "range us", "attributes us"
    );
    for (name, bucket) in [
        ("memory", memory()),
        ("filesystem", folder),
        ("all layers over memory", layered()),
        ("caching", caching()),
    ] {
        row(name, &bucket).await;
    }
}

async fn row(name: &str, bucket: &BucketRef) {
    let names: Vec<String> =
        (0..OBJECTS).map(|number| format!("{:06}/chunks/{:06}", number / 10, number % 10)).collect();
    let body = Arc::new(Bytes::from(vec![7; 4096]));

    let began = Instant::now();
    futures::stream::iter(&names)
        .for_each_concurrent(8, |name| {
            let body = body.clone();
            async move { drop(bucket.put(name, body, Put::Replace).await.expect("a write")) }
        })
        .await;
    let put = began.elapsed();

    let list = async |folder, listing, expected| {
        let began = Instant::now();
        let entries: Vec<_> = bucket.list(folder, listing).try_collect().await.expect("a listing");
        assert_eq!(entries.len(), expected);
        began.elapsed()
    };
    let all = list("", Listing::Recursive, OBJECTS).await;
    let top = list("", Listing::Shallow, BLOCKS).await;

    let began = Instant::now();
    for name in &names {
        let range = bucket.get_range(name, 100, 1_000).await.expect("a range");
        assert_eq!(range.len(), 1_000);
    }
    let ranges = began.elapsed();
    let began = Instant::now();
    for name in &names {
        assert_eq!(bucket.attributes(name).await.expect("attributes").size, 4096);
    }
    let attributes = began.elapsed();

    let each = |time: Duration| time.as_secs_f64() * 1e6 / OBJECTS as f64;
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    println!(
        "{name:<28}{:>14.1}{:>14.1}{:>14.1}{:>14.1}{:>14.1}",
        each(put),
        ms(all),
        ms(top),
        each(ranges),
        each(attributes)
    );
}
