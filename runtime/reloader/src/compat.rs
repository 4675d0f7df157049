//! The original's way, byte for byte: no validation, no confirmation, nothing is put back.
//!
//! Semantics of the config reloader in Thanos 0.41. The output is written on every look, the hash is over the input, so a
//! change of the environment alone does not reload; the first look decides whether the process lives; a reload is tried
//! again until the watch interval is over, and the next look then reloads in any case.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use thiserror::Error;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use crate::candidate::unpacked;
use crate::disk::{Content, Disk, Kind};
use crate::environment::Environment;
use crate::expand::expand;
use crate::metrics::ReloaderMetrics;
use crate::settings::{Directory, Method, Settings};
use crate::snapshot::FILE_BYTES_MAX;
use crate::status::StatusBoard;
use crate::target::{ReloadError, Target};
use crate::watch::Watch;

/// Why the original would have ended.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct CompatError(String);

/// An error and what was being done, outermost first, as the original prints it in one line.
struct Chain(Vec<String>);

impl Chain {
    fn new(what: impl Into<String>) -> Self {
        Self(vec![what.into()])
    }

    fn while_doing(mut self, doing: impl Into<String>) -> Self {
        self.0.insert(0, doing.into());
        self
    }

    fn line(&self) -> String {
        self.0.join(": ")
    }

    fn innermost(self) -> String {
        self.0.into_iter().next_back().unwrap_or_default()
    }
}

/// The original's reloader.
#[derive(Debug)]
pub struct Compat {
    settings: Settings,
    environment: Environment,
    disk: Arc<dyn Disk>,
    target: Target,
    metrics: ReloaderMetrics,
    last: Option<Seen>,
    written: Vec<Option<Vec<PathBuf>>>,
    force: bool,
}

/// Hashes of what was read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    config: Option<[u8; 32]>,
    config_dirs: Vec<[u8; 32]>,
    rule_dirs: Option<[u8; 32]>,
}

impl Compat {
    /// A reloader with everything that it uses.
    pub fn new(
        settings: Settings,
        environment: Environment,
        disk: Arc<dyn Disk>,
        target: Target,
        metrics: ReloaderMetrics,
    ) -> Self {
        let written = vec![None; settings.config_dirs.len()];
        Self { settings, environment, disk, target, metrics, last: None, written, force: false }
    }

    /// The status page has nothing to tell in this mode but what is watched.
    pub fn board(&self) -> StatusBoard {
        StatusBoard::new(self.settings.read_in_place())
    }

    /// Watches until `stop` is cancelled; a watch interval of zero means one look.
    ///
    /// # Errors
    /// When the first look fails.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), CompatError> {
        if !self.settings.watches_something() {
            info!(component = "reloader", msg = "nothing to be watched");
            stop.cancelled().await;
            return Ok(());
        }
        let how = match self.settings.method {
            Method::Http => "reloading via HTTP",
            Method::Signal { .. } => "reloading via process signal",
        };
        info!(component = "reloader", msg = how);
        let mut watch = Watch::new(self.metrics.clone());
        if let Some(file) = self.settings.config_file.clone() {
            self.must_exist(&file, &format!("add config file {} to watcher", file.display()))?;
            watch.cover(&*self.disk, &self.settings);
            let end = Instant::now() + self.settings.watch_interval;
            self.apply(end, &stop).await.map_err(|chain| CompatError(chain.innermost()))?;
        }
        let once = self.settings.watch_interval.is_zero();
        let folders =
            self.settings.config_dirs.iter().chain(self.settings.rule_dirs.iter().filter(|_| !once));
        for folder in folders.map(|one| one.input.clone()).collect::<Vec<_>>() {
            self.must_exist(&folder, &format!("add directory {} to watcher", folder.display()))?;
        }
        if once {
            return Ok(());
        }
        info!(
            component = "reloader",
            msg = "started watching config file and directories for changes",
            cfg = shown(self.settings.config_file.as_deref()),
            cfgDirs = joined(&self.settings.config_dirs, ","),
            out = shown(self.settings.config_output.as_deref()),
            dirs = joined(&self.settings.rule_dirs, ","),
        );
        loop {
            watch.cover(&*self.disk, &self.settings);
            self.metrics.watches.set(self.watches());
            let end = Instant::now() + self.settings.watch_interval;
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = watch.changed() => {}
                () = sleep_until(end) => {}
            }
            self.metrics.applies.inc();
            let end = Instant::now() + self.settings.watch_interval;
            if let Err(chain) = self.apply(end, &stop).await {
                self.metrics.applies_failed.inc();
                error!(component = "reloader", msg = "apply error", err = chain.line());
            }
        }
    }

    fn must_exist(&self, path: &Path, doing: &str) -> Result<(), CompatError> {
        match self.disk.resolve(path) {
            Ok(_) => Ok(()),
            Err(error) => Err(CompatError(format!("{}\n{doing}", text(&error)))),
        }
    }

    /// What the original counts: the file, its folder, and each folder of rules or configuration.
    fn watches(&self) -> i64 {
        let config = if self.settings.config_file.is_some() { 2 } else { 0 };
        let folders = self.settings.rule_dirs.len() + self.settings.config_dirs.len();
        config + i64::try_from(folders).unwrap_or(i64::MAX - 2)
    }

    async fn apply(&mut self, end: Instant, stop: &CancellationToken) -> Result<(), Chain> {
        let seen = self.read_and_write()?;
        if !self.force && self.last.as_ref() == Some(&seen) {
            return Ok(());
        }
        loop {
            if self.settings.watch_interval.is_zero() {
                return Ok(());
            }
            self.metrics.reloads.inc();
            match self.target.reload().await {
                Ok(()) => {
                    self.force = false;
                    self.last = Some(seen);
                    info!(
                        component = "reloader",
                        msg = "Reload triggered",
                        cfg_in = shown(self.settings.config_file.as_deref()),
                        cfg_out = shown(self.settings.config_output.as_deref()),
                        cfg_dirs = joined(&self.settings.config_dirs, ", "),
                        watched_dirs = joined(&self.settings.rule_dirs, ", "),
                    );
                    self.metrics.last_reload_successful.set(1);
                    #[expect(clippy::cast_precision_loss, reason = "nanoseconds since 1970 as seconds")]
                    let seconds = jiff::Timestamp::now().as_nanosecond() as f64 / 1e9;
                    self.metrics.last_reload_success_timestamp.set(seconds);
                    return Ok(());
                }
                Err(error) => {
                    self.metrics.reloads_failed.inc();
                    self.metrics.last_reload_successful.set(0);
                    self.complain(&error);
                }
            }
            let pause = self.settings.retry_interval.max(Duration::from_millis(1));
            if Instant::now() + pause >= end {
                self.force = true;
                error!(component = "reloader", msg = "Failed to trigger reload. Retrying.");
                return Ok(());
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = sleep(pause) => {}
            }
        }
    }

    fn complain(&self, error: &ReloadError) {
        error!(
            component = "reloader",
            msg = "function failed. Retrying in next tick",
            err = format!("trigger reload: {error}")
        );
    }

    fn read_and_write(&mut self) -> Result<Seen, Chain> {
        let mut config = None;
        if let Some(input) = self.settings.config_file.clone() {
            let mut sum = Sha256::new();
            self.hash(&mut sum, &input).map_err(|chain| chain.while_doing("hash file"))?;
            config = Some(sum.finalize().into());
            if let Some(output) = self.settings.config_output.clone() {
                self.normalize(&input, &output)?;
            }
        }
        let directories = self.settings.config_dirs.clone();
        let mut config_dirs = Vec::new();
        for (index, directory) in directories.iter().enumerate() {
            config_dirs.push(self.config_dir(index, directory)?);
        }
        let mut sum = Sha256::new();
        for directory in &self.settings.rule_dirs {
            let root = self.resolve(&directory.input)?;
            self.walk(&mut sum, &root).map_err(|chain| chain.while_doing("build hash"))?;
        }
        let rule_dirs = (!self.settings.rule_dirs.is_empty()).then(|| sum.finalize().into());
        Ok(Seen { config, config_dirs, rule_dirs })
    }

    fn resolve(&self, path: &Path) -> Result<PathBuf, Chain> {
        self.disk.resolve(path).map_err(|error| {
            Chain::new(format!("lstat {}: {}", path.display(), text(&error))).while_doing("dir symlink eval")
        })
    }

    fn config_dir(&mut self, index: usize, directory: &Directory) -> Result<[u8; 32], Chain> {
        let input = self.resolve(&directory.input)?;
        let output = self.resolve(directory.output.as_deref().unwrap_or(Path::new("")))?;
        let mut sum = Sha256::new();
        let mut written = Vec::new();
        let entries = self.disk.list(&input).map_err(|error| {
            Chain::new(text(&error)).while_doing(format!("read dir: {}", input.display()))
        })?;
        for entry in entries {
            let path = input.join(&entry.name);
            let real = self.disk.resolve(&path).map_err(|error| {
                Chain::new(text(&error)).while_doing(format!("stat file: {}", path.display()))
            })?;
            if matches!(self.disk.kind(&real), Ok(Some(Kind::Directory))) {
                continue;
            }
            self.hash(&mut sum, &path)
                .map_err(|chain| chain.while_doing(format!("build hash for file: {}", path.display())))?;
            let out = output.join(&entry.name);
            self.normalize(&path, &out)
                .map_err(|chain| chain.while_doing(format!("move file: {}", path.display())))?;
            written.push(out);
        }
        if let Some(before) = self.written.get_mut(index) {
            for stale in before.iter().flatten().filter(|path| !written.contains(path)) {
                self.disk
                    .remove_file(stale)
                    .map_err(|error| Chain::new(format!("remove {}: {}", stale.display(), text(&error))))?;
            }
            *before = Some(written);
        }
        Ok(sum.finalize().into())
    }

    /// All files below a folder in order; links to files are followed, links to folders are not.
    fn walk(&self, sum: &mut Sha256, folder: &Path) -> Result<(), Chain> {
        let list = self.disk.list(folder).map_err(|error| Chain::new(text(&error)))?;
        for entry in list {
            let path = folder.join(&entry.name);
            match entry.kind {
                Kind::Directory => self.walk(sum, &path)?,
                Kind::Link => {
                    let real = self
                        .disk
                        .resolve(&path)
                        .map_err(|error| Chain::new(format!("stat {}: {}", path.display(), text(&error))))?;
                    if !matches!(self.disk.kind(&real), Ok(Some(Kind::Directory))) {
                        self.hash(sum, &path)?;
                    }
                }
                _ => self.hash(sum, &path)?,
            }
        }
        Ok(())
    }

    fn content(&self, path: &Path) -> Result<Vec<u8>, Chain> {
        let opened = |what: String| Chain::new(format!("open {}: {what}", path.display()));
        loop {
            match self.disk.read(path, FILE_BYTES_MAX).map_err(|error| opened(text(&error)))? {
                Content::Whole(bytes) => return Ok(bytes),
                Content::TooLarge => {
                    return Err(opened(format!("larger than {} MiB", FILE_BYTES_MAX >> 20)));
                }
                Content::Changing => std::thread::yield_now(),
            }
        }
    }

    fn hash(&self, sum: &mut Sha256, path: &Path) -> Result<(), Chain> {
        let bytes = self.content(path)?;
        sum.update([0xff]);
        sum.update(path.as_os_str().as_encoded_bytes());
        sum.update([0xff]);
        sum.update(bytes);
        Ok(())
    }

    fn normalize(&self, input: &Path, output: &Path) -> Result<(), Chain> {
        let bytes = self.content(input).map_err(|chain| chain.while_doing("read file"))?;
        let bytes = unpacked(bytes)
            .map_err(|(_, message)| Chain::new(message).while_doing("read compressed config file"))?;
        let expanded = expand(&bytes, &self.environment);
        let unset = expanded
            .unset
            .first()
            .map(|unset| format!("found reference to unset environment variable {:?}", unset.name));
        match unset {
            Some(unset) if self.settings.tolerate_unset_variables => {
                let count = i64::try_from(expanded.unset.len()).unwrap_or(i64::MAX);
                self.metrics.expansion_errors.set(count);
                warn!(component = "reloader", msg = "expand environment variable", err = unset);
            }
            Some(unset) => {
                self.metrics.expansion_errors.set(1);
                return Err(Chain::new(unset).while_doing("expand environment variables"));
            }
            None => {
                self.metrics.expansion_errors.set(0);
            }
        }
        let mut spare = output.as_os_str().to_owned();
        spare.push(".tmp");
        let spare = PathBuf::from(spare);
        let written = self
            .disk
            .write(&spare, &expanded.bytes)
            .map_err(|error| {
                Chain::new(format!("open {}: {}", spare.display(), text(&error))).while_doing("write file")
            })
            .and_then(|()| {
                self.disk.rename(&spare, output).map_err(|error| {
                    let what = format!("rename {} {}: {}", spare.display(), output.display(), text(&error));
                    Chain::new(what).while_doing("rename file")
                })
            });
        if written.is_err() {
            let _ = self.disk.remove_file(&spare);
        }
        written
    }
}

/// An error in the words of the system, without Rust's number behind it.
fn text(error: &std::io::Error) -> String {
    let said = error.to_string();
    let said = said.split(" (os error").next().unwrap_or(&said);
    let mut letters = said.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn shown(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

fn joined(directories: &[Directory], between: &str) -> String {
    directories.iter().map(|one| one.input.display().to_string()).collect::<Vec<_>>().join(between)
}
