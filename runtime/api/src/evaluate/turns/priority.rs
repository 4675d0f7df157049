//! What a thread is worth to the scheduler: one that evaluates a long query gives way to those that answer short ones.

use std::cell::Cell;
use std::sync::OnceLock;

use super::Class;

/// That of the process when queries began.
static USUAL: OnceLock<i32> = OnceLock::new();

thread_local! {
    static SUNK: Cell<Class> = const { Cell::new(Class::Short) };
}

/// Takes the priority of this thread for the usual one; the first call counts.
pub(super) fn usual() -> i32 {
    *USUAL.get_or_init(current)
}

/// Lowers the priority of this thread to that of the class. It never rises again; the threads it starts inherit it.
pub(in crate::evaluate) fn sink(class: Class) {
    if SUNK.get() >= class {
        return;
    }
    SUNK.set(class);
    let below = match class {
        Class::Short => return,
        Class::Medium => 5,
        Class::Long => 10,
    };
    lower(usual().saturating_add(below).min(19));
}

/// Whether the priority of this thread has sunk.
pub(in crate::evaluate) fn sunk() -> bool {
    SUNK.get() > Class::Short
}

/// On Linux the nice value is that of a thread.
#[cfg(target_os = "linux")]
fn current() -> i32 {
    rustix::process::getpriority_process(None).unwrap_or(0)
}

#[cfg(target_os = "linux")]
fn lower(nice: i32) {
    if current() < nice {
        // Where it is not allowed, the thread goes on as it is.
        let _ = rustix::process::setpriority_process(None, nice);
    }
}

/// Elsewhere it is that of the process.
#[cfg(not(target_os = "linux"))]
const fn current() -> i32 {
    0
}

#[cfg(not(target_os = "linux"))]
const fn lower(_: i32) {}
