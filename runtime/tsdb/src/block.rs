//! A block: its folder, its meta.json, its segments of chunks, its tombstones.
