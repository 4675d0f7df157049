//! Partition, balance and movement of shard plans, and agreement with relabelling.

use prom_model::{GoRegex, Labels, RelabelAction, RelabelConfig, process};
use proptest::prelude::*;

use super::{HASH_LABEL, ShardPlan};
use crate::topology::nodes::prometheus::Strategy;

fn sizes(plan: &ShardPlan) -> Vec<usize> {
    (0..plan.count()).map(|shard| plan.residues(shard).len()).collect()
}

fn slots(count: u32) -> ShardPlan {
    ShardPlan::new(count, Strategy::Slots, 256, &[])
}

/// The two rules as they stand in the configuration of one shard.
fn rules(plan: &ShardPlan, shard: u32) -> Vec<RelabelConfig> {
    let hash = RelabelConfig {
        source_labels: vec!["__address__".into()],
        target_label: HASH_LABEL.into(),
        modulus: plan.modulus(),
        action: RelabelAction::HashMod,
        ..RelabelConfig::default()
    };
    let keep = RelabelConfig {
        source_labels: vec![HASH_LABEL.into()],
        regex: GoRegex::new(&plan.keep_regex(shard)).expect("digits and bars"),
        action: RelabelAction::Keep,
        ..RelabelConfig::default()
    };
    vec![hash, keep]
}

#[test]
fn every_residue_has_one_owner_and_shares_differ_by_one_slot() {
    for count in 1..=64 {
        let plan = slots(count);
        let sizes = sizes(&plan);
        assert_eq!(sizes.iter().sum::<usize>(), 256, "{count} shards");
        let (least, most) = (sizes.iter().min().copied(), sizes.iter().max().copied());
        assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 1, "{count} shards: {sizes:?}");
    }
}

#[test]
fn growing_moves_slots_to_new_shards_only() {
    for count in 1..64 {
        let (from, to) = (slots(count), slots(count + 1));
        for slot in 0..256 {
            let (before, after) = (from.owner(slot), to.owner(slot));
            assert!(before == after || after == count, "{count} shards, slot {slot}: {before} -> {after}");
        }
    }
}

#[test]
fn movement_is_the_minimum() {
    let percent = |from, to| (ShardPlan::moved(&slots(from), &slots(to)) * 100.0).round() as i64;
    assert!((percent(4, 6) - 33).abs() <= 1, "{}", percent(4, 6));
    assert!((percent(4, 5) - 20).abs() <= 1, "{}", percent(4, 5));
    assert_eq!((percent(4, 8), percent(4, 4), percent(6, 4)), (50, 0, percent(4, 6)));
    let hashmod = |count| ShardPlan::new(count, Strategy::Hashmod, 0, &[]);
    let percent = |from, to| (ShardPlan::moved(&hashmod(from), &hashmod(to)) * 100.0).round() as i64;
    assert_eq!((percent(4, 6), percent(4, 5), percent(4, 8)), (67, 80, 50));
}

#[test]
fn movement_between_strategies_is_counted() {
    // 4 residues divide 256 slots, so the whole period is walked.
    let moved = ShardPlan::moved(&slots(4), &ShardPlan::new(4, Strategy::Hashmod, 0, &[]));
    assert!((0.5..=1.0).contains(&moved), "{moved}");
    assert_eq!(ShardPlan::moved(&slots(1), &ShardPlan::new(1, Strategy::Hashmod, 0, &[])), 0.0);
}

#[test]
fn weights_shape_the_shares() {
    let plan = ShardPlan::new(4, Strategy::Slots, 256, &[1.0, 1.0, 1.0, 1.5]);
    assert_eq!(sizes(&plan).iter().sum::<usize>(), 256);
    assert!((plan.share(3) - 1.5 / 4.5).abs() < 0.005, "{}", plan.share(3));
    let drained = ShardPlan::new(3, Strategy::Slots, 64, &[1.0, 0.0, 1.0]);
    assert_eq!((sizes(&drained), drained.keep_regex(1)), (vec![32, 0, 32], String::new()));
    let first_drained = ShardPlan::new(2, Strategy::Slots, 64, &[0.0, 2.0]);
    assert_eq!(sizes(&first_drained), [0, 64]);
}

#[test]
fn expressions_are_plain_lists() {
    assert_eq!(ShardPlan::new(4, Strategy::Hashmod, 256, &[]).keep_regex(1), "1");
    assert_eq!(ShardPlan::new(3, Strategy::Hashmod, 256, &[]).modulus(), 3);
    let regex = ShardPlan::new(64, Strategy::Slots, 256, &[]).keep_regex(5);
    assert_eq!(regex.split('|').count(), 4);
    assert!(regex.chars().all(|c| c.is_ascii_digit() || c == '|'), "{regex}");
}

#[test]
fn odd_input_is_brought_into_range() {
    assert_eq!(ShardPlan::new(0, Strategy::Slots, 0, &[]).count(), 1);
    assert_eq!(ShardPlan::new(2, Strategy::Slots, 100, &[]).modulus(), 128);
    assert_eq!(ShardPlan::new(2, Strategy::Slots, u32::MAX, &[]).modulus(), 4096);
    assert_eq!(ShardPlan::new(u32::MAX, Strategy::Slots, 64, &[]).count(), 64);
    let odd = ShardPlan::new(3, Strategy::Slots, 64, &[f64::NAN, -1.0, f64::INFINITY]);
    assert_eq!(odd, ShardPlan::new(3, Strategy::Slots, 64, &[]));
    assert!(!ShardPlan::single().is_sharded());
}

proptest! {
    #[test]
    fn weighted_tables_are_partitions_that_follow_the_weights(
        weights in prop::collection::vec(0.1_f64..10.0, 1..=64),
        power in 6_u32..=12,
    ) {
        let count = weights.len() as u32;
        let plan = ShardPlan::new(count, Strategy::Slots, 1 << power, &weights);
        let sizes = sizes(&plan);
        prop_assert_eq!(sizes.iter().sum::<usize>(), 1_usize << power);
        let total: f64 = weights.iter().sum();
        for (size, weight) in sizes.iter().zip(&weights) {
            let due = f64::from(1_u32 << power) * weight / total;
            prop_assert!((*size as f64 - due).abs() < 2.0, "{} slots, due {}", size, due);
        }
        if count > 1 {
            let before = ShardPlan::new(count - 1, Strategy::Slots, 1 << power, &weights);
            let moved = ShardPlan::moved(&before, &plan);
            prop_assert!((moved - plan.share(count - 1)).abs() < 1e-9);
        }
    }

    #[test]
    fn exactly_one_shard_keeps_a_target(
        address in "[a-z0-9.-]{1,20}:[0-9]{1,5}",
        count in 2_u32..=64,
        by_slots in any::<bool>(),
    ) {
        let strategy = if by_slots { Strategy::Slots } else { Strategy::Hashmod };
        let plan = ShardPlan::new(count, strategy, 256, &[]);
        let kept: Vec<u32> = (0..count)
            .filter(|shard| {
                let target = Labels::from([("__address__", address.as_str()), ("job", "x")]);
                process(&rules(&plan, *shard), target).is_some()
            })
            .collect();
        prop_assert_eq!(kept, vec![plan.shard_of(&address)]);
    }
}
