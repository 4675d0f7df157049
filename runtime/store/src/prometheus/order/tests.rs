//! Random series through the orders: whatever streams comes out sorted, whole, and as a plain sort would have it.

use std::collections::{BTreeMap, BTreeSet};

use prom_model::Labels;
use proptest::prelude::*;

use super::*;

type Set = BTreeMap<String, String>;

fn bytes(set: &Set) -> LabelBytes {
    LabelBytes::from_pairs(set.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())))
}

fn external(set: &Set) -> Labels {
    let mut labels = Labels::new();
    for (name, value) in set {
        labels.set(name.as_str(), value.as_str());
    }
    labels
}

/// What a run of series gives, and the most that waited at a time.
fn run(own: &[Set], externals: &Set, without: &[String]) -> (Vec<LabelBytes>, usize) {
    let relabel = Relabel::new(&external(externals), without);
    let names: BTreeSet<&str> = own.iter().flat_map(|set| set.keys().map(String::as_str)).collect();
    let first = relabel.first_changed(names);
    let mut order = Reorder::new(relabel.clone(), first);
    let (mut out, mut most) = (Vec::new(), 0);
    for set in own {
        let series = Series { labels: relabel.apply(bytes(set)), chunks: Vec::new() };
        order.push(series, &mut out).expect("in order");
        most = most.max(order.waiting.len());
    }
    order.finish(&mut out).expect("in order");
    assert_eq!(order.waiting_bytes(), 0);
    (out.into_iter().map(|series| series.labels).collect(), most)
}

/// What goes out, by the definition.
fn wanted(own: &[Set], externals: &Set, without: &[String]) -> Vec<LabelBytes> {
    let mut sets: Vec<LabelBytes> = own
        .iter()
        .map(|set| {
            let mut set = set.clone();
            set.extend(externals.clone());
            set.retain(|name, _| !without.contains(name));
            bytes(&set)
        })
        .collect();
    sets.sort();
    sets
}

fn set(names: &'static str) -> impl Strategy<Value = Set> {
    let name = prop::sample::select(names.split(' ').map(str::to_owned).collect::<Vec<_>>());
    prop::collection::btree_map(name, "[12]", 0..5)
}

fn sorted(names: &'static str) -> impl Strategy<Value = Vec<Set>> {
    prop::collection::vec(set(names), 0..40).prop_map(|mut sets| {
        sets.sort_by_key(bytes);
        sets
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(800))]

    #[test]
    fn what_goes_out_is_sorted_whatever_labels_there_are(
        own in sorted("a b c d e f"), externals in set("a0 b c0 e f0"), without in prop::sample::subsequence(vec!["a", "b", "c0", "f"], 0..3),
    ) {
        let without: Vec<String> = without.into_iter().map(str::to_owned).collect();
        let (out, _) = run(&own, &externals, &without);
        prop_assert_eq!(out, wanted(&own, &externals, &without));
    }

    #[test]
    fn no_more_wait_than_a_series_has_labels(own in sorted("a b c d e f"), externals in set("a0 b0 c0 e0 f0")) {
        let mut distinct = own.clone();
        distinct.dedup();
        let (out, most) = run(&distinct, &externals, &[]);
        prop_assert_eq!(out, wanted(&distinct, &externals, &[]));
        prop_assert!(most <= 6, "{} waited", most);
    }
}

#[test]
fn series_whose_last_label_is_their_own_never_wait() {
    let own: Vec<Set> = ["1", "2", "3"]
        .map(|value| [("job", "x"), ("pod", value)].map(|(n, v)| (n.to_owned(), v.to_owned())).into())
        .into();
    let externals: Set = [("cluster".to_owned(), "eu".to_owned())].into();
    assert_eq!(run(&own, &externals, &["replica".to_owned()]).1, 0);
}

#[test]
fn an_external_label_behind_all_others_changes_places() {
    let sets: Vec<Set> = [&[("a", "1")][..], &[("a", "1"), ("b", "2")], &[("a", "2")]]
        .iter()
        .map(|pairs| pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect())
        .collect();
    let externals: Set = [("z".to_owned(), "x".to_owned())].into();
    let (out, most) = run(&sets, &externals, &[]);
    assert_eq!(
        format!("{out:?}"),
        r#"[{"a": "1", "b": "2", "z": "x"}, {"a": "1", "z": "x"}, {"a": "2", "z": "x"}]"#
    );
    assert_eq!(most, 2);
}

#[test]
fn an_answer_out_of_order_is_an_error() {
    let mut order = Reorder::new(Relabel::default(), None);
    let series = |value: &str| Series {
        labels: LabelBytes::from_pairs([(&b"a"[..], value.as_bytes())]),
        chunks: Vec::new(),
    };
    let mut out = Vec::new();
    order.push(series("2"), &mut out).expect("the first");
    let error = order.push(series("1"), &mut out).expect_err("it comes too late").to_string();
    assert!(error.contains(r#"{"a": "1"} after {"a": "2"}"#), "{error}");
}
