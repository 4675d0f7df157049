//! Disk work off the threads that serve the network.

use std::io;

/// Runs `work` where it may wait for a disk.
///
/// # Errors
/// What `work` says; that it panicked, or that the runtime is going down.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(stopped) => Err(io::Error::other(stopped)),
    }
}
