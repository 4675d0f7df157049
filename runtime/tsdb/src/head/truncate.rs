//! Forgets what is in blocks: in memory, in the log, in the head chunk files.

use std::io;
use std::path::PathBuf;

use hashbrown::HashSet;

use crate::wal::checkpoint::{self, CheckpointError, CheckpointStats};
use crate::wal::record::SeriesRef;
use crate::wal::{LogError, segments};

use super::Head;
use super::series::{Open, Place, Series};
use super::state::State;

/// The head could not forget what is in blocks. Nothing is lost; it can be tried again.
#[derive(Debug, thiserror::Error)]
pub enum TruncateError {
    /// The log could not be cut.
    #[error("truncating the head")]
    Log(#[from] LogError),
    /// The checkpoint could not be made.
    #[error("truncating the head")]
    Checkpoint(#[from] CheckpointError),
    /// The disk refused.
    #[error("truncating the head: {}", path.display())]
    Disk {
        /// The folder.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
}

impl error_kind::Kind for TruncateError {
    fn kind(&self) -> error_kind::ErrorKind {
        match self {
            TruncateError::Log(error) => error.kind(),
            TruncateError::Checkpoint(error) => error.kind(),
            TruncateError::Disk { .. } => error_kind::ErrorKind::Unavailable,
        }
    }
}

impl State {
    /// Drops the in-order chunks that end before this time, and the series of which nothing is left.
    pub(super) fn truncate_before(&mut self, time: i64, range: i64) {
        for series in self.series.iter_mut().flatten() {
            if !series.open.is_none() && series.committed_max() < time {
                series.open = Open::None;
            }
            if series.closed.first().is_some_and(|chunk| chunk.max_time < time) {
                series.closed.retain(|chunk| chunk.max_time >= time);
                series.closed.shrink_to_fit();
            }
            if let Some(extra) = &mut series.extra {
                extra.deleted.retain(|(_, to)| *to >= time);
            }
        }
        self.min_valid_time = self.min_valid_time.max(time);
        if self.min_time < time {
            self.max_time = self.max_time.max(time);
            // From the oldest sample that is left, so that ranges without any are passed over; but not from one that is newer
            // than what may still be appended.
            let oldest = self.series.iter().flatten().filter_map(Series::min_time).min().unwrap_or(time);
            self.min_time = oldest.min(self.max_time.saturating_sub(range / 2)).max(time);
        }
        self.collect_garbage();
    }

    /// Drops the series without samples.
    pub(super) fn collect_garbage(&mut self) {
        let oldest = self.series.iter().flatten().filter_map(|series| series.min_time()).min();
        let empty: Vec<u32> = (0u32..)
            .zip(self.series.iter())
            .filter(|(_, series)| series.as_ref().is_some_and(|series| series.is_empty()))
            .map(|(slot, _)| slot)
            .collect();
        for slot in empty {
            if let Some(series) = self.remove(slot) {
                // Samples of it may still be in the log, which then has to know its labels.
                let until = oldest.unwrap_or(self.min_valid_time);
                self.retained.insert(series.reference, until);
            }
        }
        let gone = self.series.len() - self.live;
        if gone > self.live / 4 {
            self.rebuild();
        }
    }

    /// The number of the first head chunk file that a series needs.
    fn first_file(&self) -> Option<u32> {
        let files = self.series.iter().flatten().flat_map(|series| {
            let others = series.out_of_order.iter().flat_map(|others| &others.closed);
            series.closed.iter().chain(others).filter_map(|chunk| match chunk.place {
                Place::File(place) => Some((place >> 32) as u32),
                Place::Memory(_) => None,
            })
        });
        files.min()
    }
}

impl Head {
    /// Forgets the in-order samples before `time`, which must be in blocks: first in memory, then in the log, whose older
    /// segments become a checkpoint, then in the head chunk files. A crash in between costs nothing but time on opening.
    ///
    /// # Errors
    /// [`TruncateError`].
    pub fn truncate(&self, time: i64) -> Result<Option<CheckpointStats>, TruncateError> {
        let mut state = self.write();
        if state.min_time >= time && state.min_valid_time >= time {
            return Ok(None);
        }
        state.truncate_before(time, self.options.chunk_range_ms);
        drop(state);
        let stats = self.truncate_log(time)?;
        self.truncate_files()?;
        Ok(stats)
    }

    /// Replaces the older two thirds of the log's segments by a checkpoint.
    fn truncate_log(&self, time: i64) -> Result<Option<CheckpointStats>, TruncateError> {
        let Some((fs, folder)) = &self.disk else {
            return Ok(None);
        };
        let folder = folder.join("wal");
        let failed = |source| TruncateError::Disk { path: folder.clone(), source };
        let all = segments(&**fs, &folder).map_err(failed)?;
        let (mut state, options) = (self.write(), self.options.wal);
        let Some(wal) = &mut state.wal else {
            return Ok(None);
        };
        wal.next_segment()?;
        let ticket = self.durability.enter(&mut state, self.options.fsync)?;
        let alive: HashSet<SeriesRef, foldhash::fast::FixedState> =
            state.series.iter().flatten().map(|series| series.reference).collect();
        let retained = state.retained.clone();
        drop(state);
        self.durability.wait(ticket)?;
        let (Some(first), Some(last)) = (all.first(), all.last()) else {
            return Ok(None);
        };
        // The last segment was being written; of the others the older two thirds hold mostly what is in blocks.
        let last = first.index + (last.index.saturating_sub(1).saturating_sub(first.index)) * 2 / 3;
        if last <= first.index {
            return Ok(None);
        }
        let mut keep =
            |series| alive.contains(&series) || retained.get(&series).is_some_and(|until| *until >= time);
        let stats = checkpoint::create(fs, &folder, last, options, time, &mut keep)?;
        let mut state = self.write();
        state.retained.retain(|_, until| *until >= time);
        if let Some(wal) = &mut state.wal {
            wal.truncate(last + 1)?;
        }
        drop(state);
        checkpoint::remove_old(&**fs, &folder).map_err(failed)?;
        Ok(Some(stats))
    }

    /// Removes the head chunk files that no series needs.
    pub(super) fn truncate_files(&self) -> Result<(), TruncateError> {
        let Some((_, folder)) = &self.disk else {
            return Ok(());
        };
        let failed = |source| TruncateError::Disk { path: folder.join("chunks_head"), source };
        let mut state = self.write();
        let first = state.first_file();
        let Some(files) = &mut state.chunk_files else {
            return Ok(());
        };
        files.end_file().map_err(failed)?;
        files.truncate(first.unwrap_or(u32::MAX)).map_err(failed)
    }

    /// Makes everything that was committed durable, as before an orderly end.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn sync(&self) -> Result<(), LogError> {
        let mut state = self.write();
        let ticket = self.durability.enter(&mut state, super::Fsync::Always)?;
        if let Some(files) = &mut state.chunk_files {
            // What is not durable there comes from the log.
            let _ = files.sync();
        }
        drop(state);
        self.durability.wait(ticket)
    }
}
