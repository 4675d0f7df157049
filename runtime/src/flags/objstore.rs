//! `--objstore.config` and its kin: where the bucket is.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Args;
use objstore::layers::BucketMetrics;
use objstore::{BucketConfig, BucketRef, Surroundings};
use prom_model::SystemClock;
use prometheus_client::registry::Registry;

use super::path_or_content::content;

/// `--objstore.config`, `--objstore.config-file`; before or after the subcommand. Not `Debug`: it holds secrets.
#[derive(Args)]
pub(crate) struct ObjstoreFlags {
    /// YAML that describes the bucket; $(VAR) is replaced from the environment
    #[arg(long = "objstore.config", id = "objstore.config", value_name = "YAML", global = true)]
    config: Option<String>,
    /// File with the YAML that describes the bucket
    #[arg(long = "objstore.config-file", id = "objstore.config-file", value_name = "FILE", global = true)]
    config_file: Option<PathBuf>,
}

impl ObjstoreFlags {
    /// The YAML.
    pub(crate) fn yaml(&self) -> anyhow::Result<String> {
        content("objstore.config", self.config.as_deref(), self.config_file.as_ref())?
            .context("no bucket: give --objstore.config-file=FILE or --objstore.config=YAML")
    }

    /// The bucket, if one is given. Its operations are counted in the registry.
    #[expect(clippy::disallowed_methods, reason = "commands are the world outside")]
    pub(crate) fn connect(&self, registry: &mut Registry) -> anyhow::Result<Option<BucketRef>> {
        let yaml = content("objstore.config", self.config.as_deref(), self.config_file.as_ref())?;
        let Some(yaml) = yaml else { return Ok(None) };
        let environment = |name: &str| std::env::var(name).ok();
        let metrics = BucketMetrics::register(registry);
        let surroundings = Surroundings {
            environment: &environment,
            clock: Arc::new(SystemClock),
            seed: RandomState::new().build_hasher().finish(),
            metrics: Some(&metrics),
        };
        let config = BucketConfig::parse(&yaml, &environment).context("--objstore.config")?;
        config.connect(&surroundings).context("--objstore.config").map(Some)
    }
}

/// `--objstore-to.config`, `--objstore-to.config-file`.
#[derive(Args)]
pub(crate) struct TargetFlags {
    /// YAML that describes the bucket to replicate to
    #[arg(long = "objstore-to.config", id = "objstore-to.config", value_name = "YAML")]
    to: Option<String>,
    /// File with the YAML that describes the bucket to replicate to
    #[arg(long = "objstore-to.config-file", id = "objstore-to.config-file", value_name = "FILE")]
    to_file: Option<PathBuf>,
}

impl TargetFlags {
    /// The YAML.
    pub(crate) fn yaml(&self) -> anyhow::Result<String> {
        content("objstore-to.config", self.to.as_deref(), self.to_file.as_ref())?
            .context("no bucket to replicate to: give --objstore-to.config-file=FILE")
    }
}

/// `--objstore-backup.config`, `--objstore-backup.config-file`.
#[derive(Args)]
pub(crate) struct BackupFlags {
    /// YAML that describes the bucket that keeps blocks before they are repaired
    #[arg(long = "objstore-backup.config", id = "objstore-backup.config", value_name = "YAML")]
    backup: Option<String>,
    /// File with the YAML that describes the backup bucket
    #[arg(long = "objstore-backup.config-file", id = "objstore-backup.config-file", value_name = "FILE")]
    backup_file: Option<PathBuf>,
}

impl BackupFlags {
    /// The YAML, if a backup bucket is given.
    pub(crate) fn yaml(&self) -> anyhow::Result<Option<String>> {
        content("objstore-backup.config", self.backup.as_deref(), self.backup_file.as_ref())
    }
}
