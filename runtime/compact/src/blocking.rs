//! Work on the disk and with the processor, off the threads that wait for the network.

use std::io;

/// Runs `work` where it may take its time.
///
/// # Errors
/// What `work` says; that it panicked, or that the runtime is going down.
pub(crate) async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    aside(work).await?
}

/// Runs `work` where it may take its time, whatever it gives.
///
/// # Errors
/// That it panicked, or that the runtime is going down.
pub(crate) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)
}
