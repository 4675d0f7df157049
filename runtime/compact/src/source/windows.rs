//! Windows over the objects of a block: a few places at which they are read from front to back.
//!
//! A place begins with a small window. Where the next read goes on behind it, windows grow, and the next two are fetched while
//! one is used. A read elsewhere takes the place that was not used for longest.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use objstore::{BucketError, BucketRef};
use tokio::runtime::Handle;
use tokio_util::task::AbortOnDropHandle;
use tsdb::fs::RangeRead;

/// Places of one block: its symbols, its list of series, its series, its chunks, and one for what is read once.
const PLACES: usize = 5;
/// Windows that are on their way ahead of one that is used.
const AHEAD: usize = 2;
const FIRST_BYTES: u64 = 64 << 10;
const WINDOW_BYTES_MAX: u64 = 4 << 20;

/// The windows over all objects of one block.
#[derive(Debug)]
pub(super) struct Windows {
    bucket: BucketRef,
    runtime: Handle,
    window_bytes: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    places: Vec<Place>,
    /// Counts uses.
    now: u64,
    failure: Option<BucketError>,
}

/// Where an object is read.
#[derive(Debug)]
struct Place {
    object: Arc<str>,
    start: u64,
    bytes: Bytes,
    /// What follows, in order, each with its size.
    coming: VecDeque<(u64, AbortOnDropHandle<Result<Bytes, BucketError>>)>,
    /// How large the next window is to be.
    next_bytes: u64,
    used: u64,
}

impl Place {
    fn end(&self) -> u64 {
        self.start.saturating_add(self.bytes.len() as u64)
    }

    /// Whether a byte is in the window, in one that is on its way, or so little behind that what lies between is read too.
    fn leads_to(&self, object: &Arc<str>, offset: u64) -> bool {
        let coming: u64 = self.coming.iter().map(|(bytes, _)| *bytes).sum();
        let end = self.end().saturating_add(coming).saturating_add(FIRST_BYTES);
        Arc::ptr_eq(&self.object, object) && (self.start..end).contains(&offset)
    }
}

impl Windows {
    /// Windows that together hold about `memory_bytes`.
    pub(super) fn new(bucket: BucketRef, runtime: Handle, memory_bytes: u64) -> Self {
        let windows = (PLACES * (1 + AHEAD)) as u64;
        let window_bytes = (memory_bytes / windows).clamp(FIRST_BYTES, WINDOW_BYTES_MAX);
        Windows { bucket, runtime, window_bytes, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the bucket said where a read failed, once.
    pub(super) fn failure(&self) -> Option<BucketError> {
        self.state().failure.take()
    }

    fn fetch(
        &self,
        object: &Arc<str>,
        offset: u64,
        length: u64,
    ) -> AbortOnDropHandle<Result<Bytes, BucketError>> {
        let (bucket, name) = (Arc::clone(&self.bucket), Arc::clone(object));
        AbortOnDropHandle::new(self.runtime.spawn(async move {
            let bytes = match bucket.get_range(&name, offset, length).await {
                // It was longer when its size was asked for.
                Err(BucketError::OutOfRange { .. }) => Bytes::new(),
                answer => answer?,
            };
            if bytes.len() as u64 == length {
                Ok(bytes)
            } else {
                Err(BucketError::Changed { name: name.to_string() })
            }
        }))
    }

    /// The bytes from `offset` on that are in one window; some at least.
    fn read(&self, object: &Arc<str>, size: u64, offset: u64) -> io::Result<Bytes> {
        let mut state = self.state();
        let state = &mut *state;
        state.now = state.now.saturating_add(1);
        let place = match state.places.iter().position(|place| place.leads_to(object, offset)) {
            Some(at) => at,
            None => {
                let fresh = Place {
                    object: Arc::clone(object),
                    start: offset,
                    bytes: Bytes::new(),
                    coming: VecDeque::new(),
                    next_bytes: FIRST_BYTES.min(self.window_bytes),
                    used: 0,
                };
                let oldest = state.places.iter().enumerate().min_by_key(|(_, place)| place.used);
                match oldest.map(|(at, _)| at).filter(|_| state.places.len() >= PLACES) {
                    Some(at) => {
                        if let Some(place) = state.places.get_mut(at) {
                            *place = fresh;
                        }
                        at
                    }
                    None => {
                        state.places.push(fresh);
                        state.places.len().saturating_sub(1)
                    }
                }
            }
        };
        let Some(place) = state.places.get_mut(place) else {
            return Err(io::Error::other("no window"));
        };
        place.used = state.now;
        while offset >= place.end() {
            if let Err(failure) = self.advance(place, size) {
                // Whoever reads here again asks anew.
                let text = report(&failure);
                state.places.retain(|place| place.used != state.now);
                state.failure.get_or_insert(failure);
                return Err(io::Error::other(text));
            }
        }
        let skip = offset.saturating_sub(place.start) as usize;
        Ok(place.bytes.slice(skip..))
    }

    /// Goes to the next window of a place.
    fn advance(&self, place: &mut Place, size: u64) -> Result<(), BucketError> {
        let first = place.bytes.is_empty();
        let mut end = place.end();
        let (length, fetching) = match place.coming.pop_front() {
            Some(next) => next,
            None => {
                let length = place.next_bytes.min(size.saturating_sub(end));
                (length, self.fetch(&place.object, end, length))
            }
        };
        if !first {
            end = end.saturating_add(length);
            // What comes behind what is on its way.
            let mut behind = end.saturating_add(place.coming.iter().map(|(bytes, _)| *bytes).sum());
            while place.coming.len() < AHEAD && behind < size {
                place.next_bytes = place.next_bytes.saturating_mul(4).min(self.window_bytes);
                let length = place.next_bytes.min(size.saturating_sub(behind));
                place.coming.push_back((length, self.fetch(&place.object, behind, length)));
                behind = behind.saturating_add(length);
            }
        }
        let answer = self.runtime.block_on(fetching);
        let bytes = answer.map_err(|stopped| BucketError::Unavailable {
            name: place.object.to_string(),
            source: stopped.into(),
        })??;
        if bytes.is_empty() {
            return Err(BucketError::Changed { name: place.object.to_string() });
        }
        place.start = place.end();
        place.bytes = bytes;
        Ok(())
    }
}

/// An error with its causes.
fn report(error: &BucketError) -> String {
    let mut text = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// An object of the block, to be read on a thread that may wait.
#[derive(Debug)]
pub(super) struct ObjectRead {
    windows: Arc<Windows>,
    name: Arc<str>,
    size: u64,
}

impl ObjectRead {
    pub(super) fn new(windows: Arc<Windows>, name: String, size: u64) -> Self {
        ObjectRead { windows, name: name.into(), size }
    }
}

impl RangeRead for ObjectRead {
    fn len(&self) -> u64 {
        self.size
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(into.len() as u64).filter(|end| *end <= self.size);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut filled = 0usize;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            let bytes = self.windows.read(&self.name, self.size, offset.saturating_add(filled as u64))?;
            let taken = rest.len().min(bytes.len());
            if let (Some(rest), Some(bytes)) = (rest.get_mut(..taken), bytes.get(..taken)) {
                rest.copy_from_slice(bytes);
            }
            filled = filled.saturating_add(taken);
        }
        Ok(())
    }
}
