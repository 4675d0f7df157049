//! Every recorded block opens, all of it can be read, and its parts agree.

use std::collections::BTreeMap;

use tsdb::block::BlockReader;
use tsdb::fs::RealFs;
use tsdb::index::{LabelArena, Series};

use super::fixtures;

#[test]
fn index_and_chunks_agree() {
    let Some(fixtures) = fixtures::folder("reading of recorded blocks") else { return };
    for folder in fixtures::good_blocks(&fixtures) {
        let block = BlockReader::open(&RealFs, &folder).unwrap();
        let stats = &block.meta().stats;
        let mut postings: BTreeMap<(String, String), Vec<u32>> = BTreeMap::new();
        let (mut series_count, mut chunks) = (0, 0);
        let (mut symbols, mut arena) = (block.index().symbol_cache(), LabelArena::default());
        let mut scan = block.scan().unwrap();
        let mut direct = block.index().scan();
        let mut same = Series::default();
        while let Some(series) = scan.next_series().unwrap() {
            assert!(direct.next_into(&mut same).unwrap());
            assert_eq!(series, &same);
            symbols.resolve(&series.labels, &mut arena).unwrap();
            for (name, value) in arena.iter() {
                postings.entry((name.to_owned(), value.to_owned())).or_default().push(series.reference.0);
            }
            series_count += 1;
            for at in 0..series.chunks.len() {
                let (meta, chunk) = scan.chunk_at(at).unwrap().unwrap();
                assert!(!chunk.data.is_empty() && meta.min_time <= meta.max_time);
                chunks += 1;
            }
        }
        assert!(!direct.next_into(&mut same).unwrap());
        assert_eq!((series_count, chunks), (stats.num_series, stats.num_chunks), "{}", folder.display());
        assert_eq!(block.index().postings_lists(), postings.len() as u64 + 1);
        for ((name, value), expected) in &postings {
            let list: Vec<u32> =
                block.index().postings(name, value).unwrap().iter().map(|series| series.0).collect();
            assert_eq!(&list, expected, "{name}={value}");
            let name_symbol = block.index().symbols().find(name.as_bytes()).unwrap().unwrap();
            assert_eq!(symbols.text(name_symbol).unwrap(), name);
        }
    }
}

#[test]
fn meta_json_keeps_its_bytes() {
    let Some(fixtures) = fixtures::folder("meta.json of recorded blocks") else { return };
    for folder in fixtures::good_blocks(&fixtures) {
        let bytes = std::fs::read(folder.join("meta.json")).unwrap();
        let meta = tsdb::block::BlockMeta::parse(bytes.clone()).unwrap();
        let mut written = meta.to_json();
        // Thanos ends the file with a line feed.
        if bytes.ends_with(b"\n") {
            written.push(b'\n');
            assert_eq!(String::from_utf8(written).unwrap(), String::from_utf8(bytes).unwrap());
        }
    }
}
