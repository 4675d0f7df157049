//! What the objects of a block are called.

use tsdb::BlockId;

/// The metadata; written last and removed first, so that its presence says that the block is whole.
pub const META: &str = "meta.json";
/// The index.
pub const INDEX: &str = "index";
/// The folder of the segments.
pub const CHUNKS: &str = "chunks";
/// Says that a block is to be deleted; removed last.
pub const DELETION_MARK: &str = "deletion-mark.json";
/// Says that a block is not to be compacted.
pub const NO_COMPACT_MARK: &str = "no-compact-mark.json";
/// Says that a block is not to be downsampled.
pub const NO_DOWNSAMPLE_MARK: &str = "no-downsample-mark.json";
/// A store gateway's extract of the index, on its disk only.
pub const INDEX_HEADER: &str = "index-header";
/// An object that is written to learn the store's time; nobody reads what is in it.
pub const CLOCK_PROBE: &str = "debug/clock-probe";

/// The name of an object of a block, from the root of the bucket.
pub fn object(block: BlockId, file: &str) -> String {
    format!("{block}/{file}")
}

/// The folder of a block, with a `/` at its end.
pub fn folder(block: BlockId) -> String {
    format!("{block}/")
}

/// The block that a name in a listing belongs to, and the rest of the name; `None` for what lies outside of blocks.
pub fn block_of(name: &str) -> Option<(BlockId, &str)> {
    let (folder, rest) = name.split_once('/')?;
    folder.parse().ok().map(|block| (block, rest))
}

/// Whether a path that stands in a meta.json may be a file of a block: relative, at most one folder deep, and without `..`.
pub fn is_block_file(path: &str) -> bool {
    let is_name = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.len() <= 255
            && !part.contains(['\\', '\0', '\n', '\r'])
    };
    match path.split_once('/') {
        None => is_name(path),
        Some((folder, file)) => is_name(folder) && is_name(file) && !file.contains('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_files_of_a_block_from_others() {
        for (path, expect) in [
            ("index", true),
            ("chunks/000001", true),
            ("", false),
            ("/index", false),
            ("../index", false),
            ("chunks/..", false),
            ("chunks//1", false),
            ("a/b/c", false),
            ("a\\b", false),
        ] {
            assert_eq!(is_block_file(path), expect, "{path}");
        }
        assert_eq!(
            block_of("01HK153X00AAAAAAAAAAAAAAAA/chunks/000001"),
            Some(("01HK153X00AAAAAAAAAAAAAAAA".parse().unwrap(), "chunks/000001"))
        );
        assert_eq!(block_of("debug/metas/x.json"), None);
    }
}
