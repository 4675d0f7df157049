//! Files that are compiled into the binary; `build.rs` lists them.

include!(concat!(env!("OUT_DIR"), "/embedded.rs"));
