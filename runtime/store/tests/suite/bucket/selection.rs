//! What matchers select is what they say of each series, however it is found; and nothing is held beyond the budget.

use std::collections::BTreeSet;

use budget::Budget;
use futures::StreamExt;
use prom_model::{MatchOp, Matcher};
use store::{Context, Store};
use storeapi::thanos::{LabelNamesRequest, LabelValuesRequest, SeriesRequest};
use storeapi::{LabelBytes, SeriesFrame};
use tonic::{Code, Status};

use super::{folder, served, wire};

async fn labels(
    store: &dyn Store,
    matchers: &[Matcher],
    context: Context,
) -> Result<Vec<LabelBytes>, Status> {
    let request = SeriesRequest {
        min_time: 0,
        max_time: i64::MAX,
        matchers: storeapi::to_wire(matchers),
        skip_chunks: true,
        ..SeriesRequest::default()
    };
    let mut frames = store.series(request, context).await?;
    let mut all = Vec::new();
    while let Some(frame) = frames.next().await {
        if let SeriesFrame::Batch(batch) = frame? {
            all.extend(batch.into_iter().map(|series| series.labels));
        }
    }
    Ok(all)
}

fn matcher(op: MatchOp, name: &str, value: &str) -> Matcher {
    Matcher::new(op, name, value).unwrap()
}

fn satisfies(labels: &LabelBytes, matchers: &[Matcher]) -> bool {
    let text = |matcher: &Matcher| {
        String::from_utf8_lossy(labels.get(matcher.name().as_bytes()).unwrap_or_default()).into_owned()
    };
    matchers.iter().all(|matcher| matcher.matches(&text(matcher)))
}

#[tokio::test]
async fn matchers_select_what_they_say() {
    use MatchOp::{Equal, NotEqual, NotRegex, Regex};
    let Some(wire) = wire() else { return };
    let (store, _folder) = served(folder(&wire.join("bucket")), |config| config.series_batch = 37).await;
    let name = || matcher(Regex, "__name__", ".+");
    let everything = labels(store.as_ref(), &[name()], Context::unlimited()).await.unwrap();
    assert!(everything.len() > 300, "{} series", everything.len());
    assert!(everything.is_sorted_by(|one, next| one < next), "in the order of their labels, each once");
    let singles = [
        matcher(Equal, "__name__", "up"),
        matcher(Equal, "job", "api"),
        matcher(Equal, "nowhere", ""),
        matcher(Equal, "instance", ""),
        matcher(NotEqual, "instance", ""),
        matcher(NotEqual, "job", "api"),
        matcher(NotEqual, "nowhere", "x"),
        matcher(Regex, "instance", "host-1.*|sparse-0[1-7]"),
        matcher(Regex, "instance", "host-1:9100|host-2:9100|none"),
        matcher(Regex, "instance", ".*"),
        matcher(Regex, "code", "2.."),
        matcher(Regex, "pod", "pod-0.*"),
        matcher(Regex, "code", "|200"),
        matcher(NotRegex, "code", "2..|4.."),
        matcher(NotRegex, "instance", ".+"),
        matcher(NotRegex, "instance", "host-.*"),
        matcher(Equal, "cluster", "eu1"),
        matcher(NotRegex, "replica", "b|c"),
        matcher(Equal, "cluster", "elsewhere"),
    ];
    for (at, one) in singles.iter().enumerate() {
        for apart in [0, 1, 5, 8] {
            let other = &singles[(at + apart) % singles.len()];
            let matchers = [name(), one.clone(), other.clone()];
            let expect: Vec<&LabelBytes> =
                everything.iter().filter(|labels| satisfies(labels, &matchers)).collect();
            // The second time the caches answer.
            for _ in 0..2 {
                let found = labels(store.as_ref(), &matchers, Context::unlimited()).await.unwrap();
                assert_eq!(found.iter().collect::<Vec<_>>(), expect, "{matchers:?}");
            }
        }
    }
}

#[tokio::test]
async fn label_calls_know_what_the_series_have() {
    use MatchOp::{Equal, NotEqual, Regex};
    let Some(wire) = wire() else { return };
    let (store, _folder) = served(folder(&wire.join("bucket")), |_| {}).await;
    let all = [matcher(Regex, "__name__", ".+")];
    let everything = labels(store.as_ref(), &all, Context::unlimited()).await.unwrap();
    for matchers in [
        vec![matcher(Equal, "job", "api")],
        vec![matcher(Regex, "__name__", "h.*"), matcher(NotEqual, "code", "")],
        vec![matcher(Equal, "__name__", "up")],
        vec![matcher(Equal, "__name__", "none")],
    ] {
        let wanted: Vec<&LabelBytes> =
            everything.iter().filter(|labels| satisfies(labels, &matchers)).collect();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let names: BTreeSet<String> =
            wanted.iter().flat_map(|labels| labels.iter().map(|(name, _)| text(name))).collect();
        let request = LabelNamesRequest {
            end: i64::MAX,
            matchers: storeapi::to_wire(&matchers),
            ..LabelNamesRequest::default()
        };
        let answer = store.label_names(request, Context::unlimited()).await.unwrap();
        assert_eq!(answer.names, Vec::from_iter(names), "{matchers:?}");
        for label in ["__name__", "instance", "code", "replica", "le", "nowhere"] {
            let values = wanted.iter().filter_map(|labels| labels.get(label.as_bytes())).map(text);
            let expect = Vec::from_iter(values.collect::<BTreeSet<String>>());
            // The narrower range does not cover the first blocks wholly, but all their series have samples in it.
            for start in [0, 1_795_219_300_000] {
                let request = LabelValuesRequest {
                    label: label.to_owned(),
                    start,
                    end: i64::MAX,
                    matchers: storeapi::to_wire(&matchers),
                    ..LabelValuesRequest::default()
                };
                let answer = store.label_values(request, Context::unlimited()).await.unwrap();
                assert_eq!(answer.values, expect, "{label} of {matchers:?} from {start}");
            }
        }
    }
}

#[tokio::test]
async fn a_call_holds_no_more_than_its_budget() {
    let Some(wire) = wire() else { return };
    let (store, _folder) = served(folder(&wire.join("bucket")), |_| {}).await;
    let all = [matcher(MatchOp::Regex, "__name__", ".+")];
    let small = Budget::new("a small memory", 10_000);
    let context = Context { budget: small.clone(), ..Context::unlimited() };
    let refused = labels(store.as_ref(), &all, context).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("rpc error: code = ResourceExhausted desc = "), "{refused}");
    assert!(refused.message().contains("a small memory"), "{refused}");
    let large = Budget::new("a large memory", 64 << 20);
    let context = Context { budget: large.clone(), ..Context::unlimited() };
    assert!(!labels(store.as_ref(), &all, context).await.unwrap().is_empty());
    assert!(large.peak() > 0);
    // Tasks that were told to end give back what they hold when they do.
    for budget in [small, large] {
        for _ in 0..1000 {
            if budget.used() == 0 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        assert_eq!(budget.used(), 0, "all is given back");
    }
}
