//! `pronoiad tools bucket`: lists, checks, repairs, copies and cleans the blocks of a bucket.

mod cleanup;
mod content;
mod downsample;
mod fetch;
mod go_format;
mod inspect;
mod ls;
mod mark;
mod open;
mod plan;
mod put;
mod replicate;
mod retention;
mod rewrite;
mod upload_blocks;
mod verify;
pub(in crate::commands) mod viewer;
mod web;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use anyhow::Context;
use block::{BlockId, Meta};
use clap::{ArgMatches, Args, Command, FromArgMatches};
use objstore::BucketRef;
use prom_model::{Clock, SystemClock};
use prometheus_client::registry::Registry;

use self::open::open;
use crate::flags::objstore::ObjstoreFlags;

/// For looks through the bucket that have no `--timeout`.
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// Objects that are read at the same time, where no flag says it.
const CONCURRENCY: usize = 32;

/// What every subcommand works with.
#[derive(Debug, Clone)]
struct Tool {
    bucket: BucketRef,
    clock: SystemClock,
    concurrency: usize,
}

impl Tool {
    fn new(bucket: BucketRef) -> Self {
        Tool { bucket, clock: SystemClock, concurrency: CONCURRENCY }
    }

    /// A name for a block that is made now.
    fn new_id(&self) -> BlockId {
        let millis = u64::try_from(self.clock.now().as_millis()).unwrap_or_default();
        BlockId::new(millis, u128::from(chance()) << 64 | u128::from(chance()))
    }

    fn with_concurrency(&self, concurrency: usize) -> Self {
        Tool { concurrency: concurrency.max(1), ..self.clone() }
    }
}

/// Another number in every process and at every call.
fn chance() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// The command line.
pub(crate) fn command() -> Command {
    ObjstoreFlags::augment_args(Command::new("bucket"))
        .about("Lists, checks, repairs, copies and cleans the blocks of a bucket")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(subcommand::<verify::Flags>("verify"))
        .subcommand(subcommand::<ls::Flags>("ls"))
        .subcommand(subcommand::<inspect::Flags>("inspect"))
        .subcommand(subcommand::<mark::Flags>("mark"))
        .subcommand(subcommand::<plan::Flags>("plan"))
        .subcommand(subcommand::<web::Flags>("web"))
        .subcommand(subcommand::<replicate::Flags>("replicate"))
        .subcommand(subcommand::<cleanup::Flags>("cleanup"))
        .subcommand(subcommand::<retention::Flags>("retention"))
        .subcommand(subcommand::<rewrite::Flags>("rewrite"))
        .subcommand(subcommand::<upload_blocks::Flags>("upload-blocks"))
        .subcommand(subcommand::<downsample::Flags>("downsample"))
}

fn subcommand<F: Args>(name: &'static str) -> Command {
    F::augment_args(Command::new(name))
}

/// Runs the subcommand.
pub(crate) fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start")?;
    let done = runtime.block_on(dispatch(matches));
    // Work on the disk that was given up is not waited for.
    runtime.shutdown_background();
    done
}

async fn dispatch(matches: &ArgMatches) -> anyhow::Result<()> {
    let Some((name, arguments)) = matches.subcommand() else { return Ok(()) };
    let yaml = ObjstoreFlags::from_arg_matches(arguments)?.yaml()?;
    let mut registry = Registry::default();
    let tool = Tool::new(open("objstore.config", &yaml, &mut registry)?);
    match name {
        "verify" => verify::run(flags(arguments)?, &tool).await,
        "ls" => ls::run(flags(arguments)?, &tool).await,
        "inspect" => inspect::run(flags(arguments)?, &tool).await,
        "mark" => mark::run(flags(arguments)?, &tool).await,
        "plan" => plan::run(flags(arguments)?, &tool, registry).await,
        "web" => web::run(flags(arguments)?, tool, registry).await,
        "replicate" => replicate::run(flags(arguments)?, tool, registry).await,
        "cleanup" => cleanup::run(flags(arguments)?, &tool).await,
        "rewrite" => rewrite::run(flags(arguments)?, arguments, &tool).await,
        "upload-blocks" => upload_blocks::run(flags(arguments)?, &tool).await,
        "retention" => retention::run(flags(arguments)?, &tool).await,
        "downsample" => downsample::run(flags(arguments)?, tool, registry).await,
        _ => Ok(()),
    }
}

fn flags<F: FromArgMatches>(matches: &ArgMatches) -> anyhow::Result<F> {
    Ok(F::from_arg_matches(matches)?)
}

/// The fields of a meta.json, also those that are not known here.
fn meta_json(meta: &Meta) -> anyhow::Result<serde_json::Value> {
    Ok(serde_json::from_slice(&meta.to_bytes()?)?)
}
