//! Bounds the memory that the system's allocator keeps for threads.
//!
//! glibc gives threads up to eight arenas per core, and what is freed in one is of no use to the others: under many queries the
//! process would hold several times what its budget says. The number is read once, before `main`, so it takes a second start.

use std::os::unix::process::CommandExt;
use std::process::Command;

/// glibc's name for it, and what we set; whoever sets it, or `GLIBC_TUNABLES`, is left alone.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "2");

/// Starts the program again in its own place, once. Goes on as it is where that cannot be done.
#[expect(clippy::disallowed_methods, reason = "the process is the world outside")]
pub(crate) fn bound() {
    let (name, number) = ARENAS;
    if [name, "GLIBC_TUNABLES"].iter().any(|known| std::env::var_os(known).is_some()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut arguments = std::env::args_os();
    let mut again = Command::new(program);
    again.env(name, number);
    if let Some(called) = arguments.next() {
        again.arg0(called);
    }
    // It comes back only with an error.
    drop(again.args(arguments).exec());
}
