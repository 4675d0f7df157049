//! Runs the self-test and the acceptance suite against the bucket of an `objstore.config`:
//! `cargo run -p objstore --example acceptance -- bucket.yml`. Each case has a folder of its own, which stays.
#![expect(
    clippy::disallowed_methods,
    reason = "the configuration is a file, credentials are in the environment"
)]
#![expect(clippy::print_stdout, reason = "what it finds is its output")]

use std::error::Error;
use std::sync::Arc;

use objstore::acceptance::{cases, run};
use objstore::layers::Prefix;
use objstore::{BucketConfig, Chance, Surroundings, self_test};
use prom_model::{Clock, SystemClock};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1).ok_or("which objstore.config?")?;
    let environment = |name: &str| std::env::var(name).ok();
    let clock = Arc::new(SystemClock);
    let seed = clock.now().as_millis().unsigned_abs();
    let surroundings = Surroundings { environment: &environment, clock, seed, metrics: None };
    let bucket =
        BucketConfig::parse(&std::fs::read_to_string(path)?, &environment)?.connect(&surroundings)?;
    println!("{}", bucket.name());
    let tested = self_test(bucket.as_ref(), &SystemClock, &mut Chance::from_seed(seed)).await;
    for finding in &tested.findings {
        println!("{finding} ({:?})", finding.source);
    }
    println!("creates atomically: {}", tested.creates_atomically);
    let outcome = run(cases(), |case| {
        let below = Prefix::wrap(Arc::clone(&bucket), &format!("acceptance-{seed:x}/{case}"));
        async { below.unwrap_or_else(|_| bucket.clone()) }
    })
    .await;
    println!("{}/{} cases; failed: {:?}", outcome.passed, cases().count(), outcome.failed);
    Ok(())
}
