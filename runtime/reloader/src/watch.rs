//! Notices changes of the inputs through the file system's events.
//!
//! Folders are watched, never files: a watch on a file or on the link `..data` ends with the first swap of a ConfigMap.
//! Each link on the way to an input is watched in its own folder, so that a swap anywhere along the way is seen. Events of
//! mere reading are left out, as they would answer our own reading for ever.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use crate::disk::{Disk, Kind};
use crate::metrics::ReloaderMetrics;
use crate::settings::Settings;

/// Changes often come in several steps: wait until it is quiet for this long…
const QUIET: Duration = Duration::from_millis(30);
/// …but not longer than this.
const QUIET_MAX: Duration = Duration::from_millis(500);
/// Links on the way to one input.
const LINKS_MAX: usize = 40;

/// What matters among the events.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
struct Cover {
    /// Names that matter.
    names: BTreeSet<PathBuf>,
    /// Folders in which every name matters.
    folders: BTreeSet<PathBuf>,
}

/// A watch over all inputs.
#[derive(Debug)]
pub(crate) struct Watch {
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
    cover: Arc<RwLock<Cover>>,
    changed: Arc<Notify>,
    metrics: ReloaderMetrics,
}

impl Watch {
    /// A watch that covers nothing yet. Without events from the system, it never fires, and polling has to do.
    pub(crate) fn new(metrics: ReloaderMetrics) -> Self {
        let cover = Arc::new(RwLock::new(Cover::default()));
        let changed = Arc::new(Notify::new());
        let (seen, wake, counts) = (cover.clone(), changed.clone(), metrics.clone());
        let handler = move |event: notify::Result<Event>| match event {
            Ok(event) => {
                counts.watch_events.inc();
                if matters(&event, &seen.read().unwrap_or_else(PoisonError::into_inner)) {
                    wake.notify_one();
                }
            }
            Err(error) => {
                counts.watch_errors.inc();
                tracing::warn!(component = "reloader", err = %error, "watch error");
                wake.notify_one();
            }
        };
        let watcher = match RecommendedWatcher::new(handler, Config::default().with_follow_symlinks(false)) {
            Ok(watcher) => Some(watcher),
            Err(error) => {
                metrics.watch_errors.inc();
                tracing::warn!(component = "reloader", err = %error, "no file system events; polling instead");
                None
            }
        };
        Self { watcher, watched: BTreeSet::new(), cover, changed, metrics }
    }

    /// Whether events can be relied on.
    pub(crate) fn has_events(&self) -> bool {
        self.watcher.is_some()
    }

    /// Watches what the inputs consist of now.
    pub(crate) fn cover(&mut self, disk: &dyn Disk, settings: &Settings) {
        let (cover, folders) = plan(disk, settings);
        *self.cover.write().unwrap_or_else(PoisonError::into_inner) = cover;
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.watched.difference(&folders) {
            // The system forgets removed folders by itself.
            let _ = watcher.unwatch(gone);
        }
        let mut watched: BTreeSet<PathBuf> = self.watched.intersection(&folders).cloned().collect();
        for new in folders.difference(&self.watched) {
            match watcher.watch(new, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(new.clone());
                }
                Err(error) => {
                    self.metrics.watch_errors.inc();
                    tracing::warn!(component = "reloader", path = %new.display(), err = %error, "cannot watch; the next look at the inputs will do");
                }
            }
        }
        self.watched = watched;
        self.metrics.watches.set(i64::try_from(self.watched.len()).unwrap_or(i64::MAX));
    }

    /// Watches a folder anew that was removed and made again under the same name.
    pub(crate) fn forget(&mut self) {
        if let Some(watcher) = &mut self.watcher {
            for path in std::mem::take(&mut self.watched) {
                let _ = watcher.unwatch(&path);
            }
        }
    }

    /// Waits for a change, and then until it is quiet.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
        let end = Instant::now() + QUIET_MAX;
        loop {
            let quiet = (Instant::now() + QUIET).min(end);
            if timeout_at(quiet, self.changed.notified()).await.is_err() {
                return;
            }
        }
    }
}

fn matters(event: &Event, cover: &Cover) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    event.need_rescan()
        || event.paths.iter().any(|path| {
            cover.names.contains(path)
                || cover.folders.contains(path)
                || path.parent().is_some_and(|parent| cover.folders.contains(parent))
        })
}

/// What matters, and which folders have to be watched for it.
fn plan(disk: &dyn Disk, settings: &Settings) -> (Cover, BTreeSet<PathBuf>) {
    let mut plan = Plan { disk, cover: Cover::default(), watched: BTreeSet::new() };
    if let Some(file) = &settings.config_file {
        plan.way(file, 0);
    }
    for one in &settings.rule_dirs {
        plan.folder(&one.input, true);
    }
    for one in &settings.config_dirs {
        plan.folder(&one.input, false);
    }
    for folder in &settings.environment_dirs {
        plan.folder(folder, false);
    }
    (plan.cover, plan.watched)
}

struct Plan<'a> {
    disk: &'a dyn Disk,
    cover: Cover,
    watched: BTreeSet<PathBuf>,
}

impl Plan<'_> {
    /// Every link on the way to a path, and the path itself.
    fn way(&mut self, path: &Path, links: usize) {
        // Events come with the path that was watched: one spelling for both.
        let path = &std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if links > LINKS_MAX {
            return;
        }
        let parts: Vec<_> = path.components().collect();
        let mut walked = PathBuf::new();
        for (index, part) in parts.iter().enumerate() {
            walked.push(part);
            if matches!(self.disk.kind(&walked), Ok(Some(Kind::Link)))
                && let Ok(target) = self.disk.link_target(&walked)
            {
                self.name(&walked);
                let rest: PathBuf = parts.iter().skip(index + 1).collect();
                let mut next = walked.parent().unwrap_or(Path::new("")).join(target);
                if !rest.as_os_str().is_empty() {
                    next.push(rest);
                }
                return self.way(&next, links + 1);
            }
        }
        self.name(path);
    }

    fn name(&mut self, path: &Path) {
        self.cover.names.insert(path.to_owned());
        let Some(folder) = path.parent() else { return };
        if matches!(
            self.disk.resolve(folder).map(|real| self.disk.kind(&real)),
            Ok(Ok(Some(Kind::Directory)))
        ) {
            self.watched.insert(folder.to_owned());
        }
    }

    /// A folder, what is inside, and where links inside lead.
    fn folder(&mut self, path: &Path, deep: bool) {
        self.way(path, 0);
        if let Ok(real) = self.disk.resolve(path) {
            self.inside(&real, deep);
        }
    }

    fn inside(&mut self, real: &Path, deep: bool) {
        if !self.cover.folders.insert(real.to_owned()) {
            return;
        }
        self.watched.insert(real.to_owned());
        for entry in self.disk.list(real).unwrap_or_default() {
            let path = real.join(&entry.name);
            match entry.kind {
                Kind::Directory if deep && !entry.name.to_string_lossy().starts_with("..") => {
                    self.inside(&path, deep);
                }
                // `..data` and the links into it change with this folder; only others lead elsewhere.
                Kind::Link if entry.name != "..data" => {
                    let Ok(target) = self.disk.resolve(&path) else { continue };
                    if matches!(self.disk.kind(&target), Ok(Some(Kind::Directory))) {
                        if deep {
                            self.inside(&target, deep);
                        }
                    } else if let Some(parent) = target.parent()
                        && self.cover.folders.insert(parent.to_owned())
                    {
                        self.watched.insert(parent.to_owned());
                    }
                }
                _ => {}
            }
        }
    }
}
