//! Whether a Prometheus is set up so that its blocks can be shipped.

use std::path::{Component, Path, PathBuf};

use prom_model::PromDuration;
use tracing::warn;

use super::super::client::PrometheusClient;
use super::super::facts::{FactError, PrometheusFlags};

/// What Prometheus' flags have to be.
#[derive(Debug, Clone)]
pub struct UploadChecks {
    /// The shipper's state file, `<tsdb.path>/<meta-file-name>`.
    pub state_file: PathBuf,
    /// Whether blocks may be compacted before they are shipped; `--shipper.ignore-unequal-block-size`.
    pub ignore_block_size: bool,
}

/// Flags with which blocks would be lost. The texts are those of Thanos.
#[derive(Debug, thiserror::Error)]
pub enum FlagsError {
    /// They cannot be had.
    #[error("fetch Prometheus flags")]
    Fetch(#[from] FactError),
    /// Prometheus waits for a file that nobody writes.
    #[error(
        "found that Prometheus and Thanos use different paths for tracking block uploads. Prometheus uses \
         --storage.tsdb.delay-compact-file.path={theirs} while Thanos will write to {ours}, they must both use the same path."
    )]
    StateFile {
        /// Where Prometheus looks.
        theirs: String,
        /// Where the shipper writes.
        ours: String,
    },
    /// Prometheus compacts blocks before they are shipped.
    #[error(
        "found that TSDB Max time is {max} and Min time is {min}. Compaction needs to be disabled \
         (storage.tsdb.min-block-duration = storage.tsdb.max-block-duration)"
    )]
    Compaction {
        /// The shortest block.
        min: PromDuration,
        /// The longest.
        max: PromDuration,
    },
}

const RECOMMENDED: PromDuration = PromDuration::from_millis(2 * 3600 * 1000);

impl UploadChecks {
    pub(super) async fn run(&self, client: &PrometheusClient) -> Result<(), FlagsError> {
        let Some(flags) = client.flags().await? else {
            warn!(
                msg = "failed to check Prometheus flags, due to potentially older Prometheus. No extra validation is done."
            );
            return Ok(());
        };
        self.check(&flags)
    }

    fn check(&self, flags: &PrometheusFlags) -> Result<(), FlagsError> {
        let theirs = &flags.delay_compact_file;
        if !theirs.is_empty() && clean(Path::new(theirs)) != clean(&self.state_file) {
            let ours = self.state_file.display().to_string();
            return Err(FlagsError::StateFile { theirs: theirs.clone(), ours });
        }
        if flags.min_block != flags.max_block && theirs.is_empty() {
            if !self.ignore_block_size {
                return Err(FlagsError::Compaction { min: flags.min_block, max: flags.max_block });
            }
            warn!(
                msg = "flag to ignore Prometheus min/max block duration flags differing is being used. If the upload of a 2h \
                       block fails and a Prometheus compaction happens that block may be missing from your Thanos bucket \
                       storage."
            );
        }
        if flags.min_block != RECOMMENDED {
            warn!(
                msg = "found that TSDB block time is not 2h. Only 2h block time is recommended.",
                "block-time" = %flags.min_block
            );
        }
        Ok(())
    }
}

/// The path without what names no folder, as Go's `filepath.Clean` makes it.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(cleaned.components().next_back(), Some(Component::Normal(_))) =>
            {
                cleaned.pop();
            }
            Component::ParentDir if cleaned.has_root() => {}
            part => cleaned.push(part),
        }
    }
    cleaned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(min: &str, max: &str, file: &str) -> PrometheusFlags {
        PrometheusFlags {
            min_block: min.parse().expect("a duration"),
            max_block: max.parse().expect("a duration"),
            delay_compact_file: file.to_owned(),
        }
    }

    #[test]
    fn blocks_that_are_compacted_before_they_are_shipped_are_refused() {
        let checks = UploadChecks {
            state_file: PathBuf::from("./data/./thanos.shipper.json"),
            ignore_block_size: false,
        };
        assert!(checks.check(&flags("2h", "2h", "")).is_ok());
        assert!(checks.check(&flags("2m", "2m", "")).is_ok());
        assert!(checks.check(&flags("2h", "36h", "data/x/../thanos.shipper.json")).is_ok());
        let error = checks.check(&flags("2h", "1d12h", "")).expect_err("it compacts").to_string();
        assert_eq!(
            error,
            "found that TSDB Max time is 1d12h and Min time is 2h. Compaction needs to be disabled \
             (storage.tsdb.min-block-duration = storage.tsdb.max-block-duration)"
        );
        let error = checks.check(&flags("2h", "2h", "/else")).expect_err("another file").to_string();
        assert!(error.contains("delay-compact-file.path=/else while Thanos will write to ./data"), "{error}");
        let lenient = UploadChecks { ignore_block_size: true, ..checks };
        assert!(lenient.check(&flags("2h", "1d12h", "")).is_ok());
    }
}
