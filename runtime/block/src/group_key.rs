//! The key of a compaction group: the resolution, and a hash of the external labels.

use xxhash_rust::xxh64::Xxh64;

use crate::meta::Thanos;

const SEPARATOR: [u8; 1] = [0xff];

/// The hash of a label set as Thanos computes it: xxHash64 over name, 0xff, value, 0xff of each label in the order of names.
///
/// The pairs must be sorted by name; folders of a compactor's working directory are named by it.
pub fn labels_hash<'a>(labels: impl IntoIterator<Item = (&'a str, &'a str)>) -> u64 {
    let mut hash = Xxh64::new(0);
    for (name, value) in labels {
        for part in [name.as_bytes(), &SEPARATOR, value.as_bytes(), &SEPARATOR] {
            hash.update(part);
        }
    }
    hash.digest()
}

/// The key of the group that a block belongs to, as in `0@11614692258474290969`. Blocks of one group may be compacted into one.
pub fn group_key(thanos: &Thanos) -> String {
    let labels = thanos.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    format!("{}@{}", thanos.downsample.resolution, labels_hash(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_equal_those_in_thanos_logs() {
        for (labels, hash) in [
            (&[("cluster", "zoo"), ("prometheus_replica", "a")][..], 11_614_692_258_474_290_969),
            (&[("cluster", "us"), ("prometheus_replica", "b")][..], 10_133_539_844_744_742_211),
            (&[("cluster", "eu")][..], 10_215_758_682_207_145_076),
            (&[("cluster", "us")][..], 3_852_488_315_917_472_098),
        ] {
            assert_eq!(labels_hash(labels.iter().copied()), hash);
        }
    }
}
