//! The predicate against another one that was written from the rules alone, on random cases; and each reason by itself.
//!
//! `PRONOIA_PREDICATE_CASES` says how many cases are tried.

use std::collections::HashSet;

use block::{Downsample, Source, Thanos};
use objstore::Chance;
use serde_json::Map;
use tsdb::block::BlockMeta;

use super::super::account::SourceRead;
use super::*;

/// A source and what is said of it. Numbers are small, so that each rule is broken often and not always.
#[derive(Debug, Clone)]
struct Case {
    source: Meta,
    output: Meta,
    proof: Proof,
}

fn id(number: u64) -> BlockId {
    BlockId::new(number, 7)
}

fn meta(chance: &mut Chance, number: u64, slip: u64) -> Meta {
    let from = pick(chance, slip, 0, 3) as i64;
    let mut block = BlockMeta::new(id(number), from, from + 1 + pick(chance, slip, 1, 4) as i64);
    block.compaction.sources = (0..4).filter(|_| chance.below(2) == 0).map(id).collect();
    block.stats.num_samples = chance.below(4);
    let mut labels = BTreeMap::from([("cluster".to_owned(), "eu".to_owned())]);
    match chance.below(slip) {
        0 => drop(labels.insert("cluster".to_owned(), "us".to_owned())),
        1 => drop(labels.insert("zone".to_owned(), String::new())),
        2 => drop(labels.insert("zone".to_owned(), "b".to_owned())),
        _ => {}
    }
    let resolution = if chance.below(slip) == 0 { Resolution::FIVE_MINUTES } else { Resolution::RAW };
    let downsample = Downsample { resolution, extra: Map::new() };
    Meta { block, thanos: Thanos { labels, downsample, source: Source::Compactor, ..Thanos::default() } }
}

/// The usual number, or one time in `slip` another below `limit`.
fn pick(chance: &mut Chance, slip: u64, usual: u64, limit: u64) -> u64 {
    if chance.below(slip) == 0 { chance.below(limit) } else { usual }
}

/// A merge of some blocks that went well, with a slip here and there: rarely or often, by chance.
fn case(chance: &mut Chance) -> Case {
    let slip = [4, 12, 60][chance.below(3) as usize];
    let mut sources: Vec<Meta> = (0..1 + chance.below(3)).map(|at| meta(chance, 10 + at, slip)).collect();
    for source in &mut sources {
        if source.block.compaction.sources.is_empty() && chance.below(3) > 0 {
            source.block.compaction.sources = vec![source.id()];
        }
    }
    let mut output = meta(chance, 50, slip);
    let made_of = sources.iter().flat_map(|source| match source.block.compaction.sources.as_slice() {
        [] => vec![source.id()],
        known => known.to_vec(),
    });
    output.block.compaction.sources = made_of.filter(|_| chance.below(slip) > 0).collect();
    output.block.min_time = sources.iter().map(|source| source.block.min_time).min().unwrap();
    output.block.max_time = sources.iter().map(|source| source.block.max_time).max().unwrap();
    if chance.below(slip) == 0 {
        output.block.min_time += 1;
    }
    if chance.below(slip) == 0 {
        output.block.max_time -= 1;
    }
    let mut read: Vec<SourceRead> = Vec::new();
    for source in &sources {
        let short = u64::from(chance.below(slip) == 0);
        let more = u64::from(chance.below(slip) == 0);
        let samples = source.block.stats.num_samples.saturating_sub(short) + more;
        let mut entry = SourceRead::new(&source.block, samples);
        if chance.below(slip) == 0 {
            entry.min_time += 1;
        }
        if chance.below(slip) > 0 {
            read.push(entry);
        }
    }
    if chance.below(slip) == 0
        && let Some(first) = read.first_mut()
    {
        first.samples = u64::MAX - chance.below(2);
    }
    let sum = read.iter().fold(0u64, |sum, entry| sum.wrapping_add(entry.samples));
    let deleted = chance.below(2).min(sum);
    let duplicates = if chance.below(3) == 0 { chance.below(2).min(sum - deleted) } else { 0 };
    let outside = pick(chance, slip, 0, 2).min(sum - deleted - duplicates);
    let written = (sum - deleted - duplicates - outside).wrapping_add(pick(chance, slip, 0, 2));
    output.block.stats.num_samples = written.wrapping_add(pick(chance, slip, 0, 2));
    let times = (chance.below(6) > 0).then(|| {
        let first = output.block.min_time - i64::from(chance.below(slip) == 0);
        (first, output.block.max_time - 1 + i64::from(chance.below(slip) == 0))
    });
    let proof = Proof {
        block: if chance.below(slip) == 0 { id(51) } else { output.id() },
        account: Account { read, deleted, outside, duplicates, written },
        problems: pick(chance, slip, 0, 2),
        samples: written.wrapping_add(pick(chance, slip, 0, 2)),
        times,
        compared: [Compared::NotAsked, Compared::Equal, Compared::Differs][pick(chance, slip, 1, 3) as usize],
        in_bucket: chance.below(slip) > 0,
    };
    let source = if chance.below(20) == 0 { output.clone() } else { sources.swap_remove(0) };
    Case { source, output, proof }
}

/// The rules, said once more and differently.
fn oracle(case: &Case) -> bool {
    let Case { source, output, proof } = case;
    let said_labels = |meta: &Meta| -> HashSet<String> {
        let labels = meta.thanos.labels.iter().filter(|label| !label.1.is_empty());
        labels.map(|(name, value)| format!("{name}\u{0}{value}")).collect()
    };
    let part: HashSet<BlockId> = match source.block.compaction.sources.len() {
        0 => HashSet::from([source.block.ulid]),
        _ => source.block.compaction.sources.iter().copied().collect(),
    };
    let whole: HashSet<BlockId> = output.block.compaction.sources.iter().copied().collect();
    let visible_and_complete = proof.in_bucket && proof.problems == 0 && proof.block == output.block.ulid;
    let same_group = said_labels(source) == said_labels(output)
        && source.thanos.downsample.resolution == output.thanos.downsample.resolution;
    let superset = !whole.is_empty() && part.difference(&whole).next().is_none();
    let range = source.block.min_time..source.block.max_time;
    let covered = output.block.min_time <= range.start && range.end <= output.block.max_time;
    let account = &proof.account;
    let in_all: u128 = account.read.iter().map(|entry| u128::from(entry.samples)).sum();
    let out: u128 =
        [account.written, account.deleted, account.outside, account.duplicates].map(u128::from).iter().sum();
    let conserved = in_all == out && in_all <= u128::from(u64::MAX);
    let was_read = account.read.iter().find(|entry| entry.block == source.block.ulid).is_some_and(|entry| {
        entry.min_time == range.start
            && entry.max_time == range.end
            && entry.samples >= source.block.stats.num_samples
    });
    let vertical = account.read.iter().enumerate().any(|(at, one)| {
        let others = account.read.iter().skip(at + 1);
        others.into_iter().any(|other| one.min_time.max(other.min_time) < one.max_time.min(other.max_time))
    });
    let counts =
        [proof.samples, output.block.stats.num_samples].iter().all(|count| *count == account.written);
    let inside = proof.times.is_none_or(|(first, last)| {
        (output.block.min_time..output.block.max_time).contains(&first)
            && (output.block.min_time..output.block.max_time).contains(&last)
    });
    source.block.ulid != output.block.ulid
        && visible_and_complete
        && same_group
        && superset
        && covered
        && conserved
        && was_read
        && (vertical || account.duplicates == 0)
        && account.outside == 0
        && counts
        && inside
        && proof.compared != Compared::Differs
}

#[test]
#[expect(clippy::disallowed_methods, clippy::print_stderr, reason = "how many cases, and what came of them")]
fn says_what_the_rules_say() {
    let cases = std::env::var("PRONOIA_PREDICATE_CASES").map_or(100_000, |text| text.parse().unwrap());
    let (mut chance, mut allowed) = (Chance::from_seed(4), 0u64);
    let mut reasons = BTreeMap::<String, u64>::new();
    for number in 0..cases {
        let case = case(&mut chance);
        let said = may_mark_source(&case.source, &case.output, &case.proof);
        assert_eq!(said.is_ok(), oracle(&case), "case {number}: {said:?} of {case:#?}");
        match said {
            Ok(()) => allowed += 1,
            Err(why) => {
                let words = format!("{why:?}");
                let name = words.split(['(', ' ', '{']).next().unwrap_or_default().to_owned();
                *reasons.entry(name).or_default() += 1;
            }
        }
    }
    assert!(allowed > cases / 20, "{allowed} of {cases} were allowed: the cases say nothing");
    assert_eq!(reasons.len(), 18, "each reason is met: {reasons:?}");
    eprintln!("{cases} cases, {allowed} may be marked, the rest not: {reasons:?}");
}

#[test]
fn an_emptied_source_goes_when_nothing_was_left_of_it() {
    let mut source = meta(&mut Chance::from_seed(1), 10, u64::MAX);
    source.block.stats.num_samples = 5;
    let account = |samples, deleted, duplicates, written| Account {
        read: vec![SourceRead::new(&source.block, samples)],
        deleted,
        outside: 0,
        duplicates,
        written,
    };
    assert_eq!(may_mark_emptied(&source, &account(5, 5, 0, 0)), Ok(()));
    for wrong in [account(4, 4, 0, 0), account(5, 4, 0, 0), account(5, 4, 1, 0), account(5, 4, 0, 1)] {
        assert!(may_mark_emptied(&source, &wrong).is_err(), "{wrong:?}");
    }
    assert_eq!(may_mark_emptied(&source, &Account::default()), Err(WhyNot::NotRead));
}
