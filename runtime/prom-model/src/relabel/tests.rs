//! Rules against what Prometheus does with them.

use proptest::prelude::*;

use super::{RelabelAction, RelabelConfig, RelabelError, hashmod, process};
use crate::{GoRegex, Labels, NameScheme};

fn rule(
    action: RelabelAction,
    source: &[&str],
    regex: &str,
    target: &str,
    replacement: &str,
) -> RelabelConfig {
    RelabelConfig {
        action,
        source_labels: source.iter().map(|name| (*name).to_owned()).collect(),
        regex: GoRegex::new(regex).unwrap(),
        target_label: target.to_owned(),
        replacement: replacement.to_owned(),
        ..RelabelConfig::default()
    }
}

fn run(rules: &[RelabelConfig], labels: &[(&str, &str)]) -> Option<String> {
    process(rules, labels.iter().copied().collect()).map(|labels| labels.to_string())
}

use RelabelAction as A;

#[test]
fn replace_writes_and_deletes() {
    let abc = &[("a", "foo"), ("b", "bar")];
    let both = rule(A::Replace, &["a", "b"], "f(.*);(.*)r", "${2}x", "$1-$2");
    assert_eq!(run(&[both], abc).unwrap(), r#"{a="foo", b="bar", bax="oo-ba"}"#);
    let no_match = rule(A::Replace, &["a"], "x(.*)", "c", "y");
    assert_eq!(run(&[no_match], abc).unwrap(), r#"{a="foo", b="bar"}"#);
    let deletes = rule(A::Replace, &["a"], "f(x)?oo", "b", "$1");
    assert_eq!(run(&[deletes], abc).unwrap(), r#"{a="foo"}"#);
    let empty_target = rule(A::Replace, &["a"], "f(x)?oo", "$1", "y");
    assert_eq!(run(&[empty_target], abc).unwrap(), r#"{a="foo", b="bar"}"#);
    let constant = rule(A::Replace, &[], "(.*)", "cluster", "eu");
    assert_eq!(run(&[constant], &[]).unwrap(), r#"{cluster="eu"}"#);
}

#[test]
fn keep_and_drop() {
    let job = &[("job", "api"), ("zone", "api")];
    assert!(run(&[rule(A::Keep, &["job"], "a.*", "", "$1")], job).is_some());
    assert!(run(&[rule(A::Keep, &["job"], "a", "", "$1")], job).is_none());
    assert!(run(&[rule(A::Drop, &["job", "zone"], "api;api", "", "$1")], job).is_none());
    assert!(run(&[rule(A::Drop, &["absent"], ".+", "", "$1")], job).is_some());
    assert!(run(&[rule(A::KeepEqual, &["job"], "(.*)", "zone", "$1")], job).is_some());
    assert!(run(&[rule(A::KeepEqual, &["job"], "(.*)", "absent", "$1")], job).is_none());
    assert!(run(&[rule(A::DropEqual, &["job"], "(.*)", "zone", "$1")], job).is_none());
    assert!(run(&[rule(A::DropEqual, &["absent"], "(.*)", "absent2", "$1")], job).is_none());
}

#[test]
fn label_actions_work_on_names() {
    let meta = &[("__meta_k8s_app", "x"), ("__meta_k8s_zone", "z"), ("app", "old")];
    let map = rule(A::LabelMap, &[], "__meta_k8s_(.+)", "", "$1");
    assert_eq!(
        run(&[map, rule(A::LabelDrop, &[], "__.*", "", "$1")], meta).unwrap(),
        r#"{app="x", zone="z"}"#
    );
    assert_eq!(run(&[rule(A::LabelKeep, &[], "app|zone", "", "$1")], meta).unwrap(), r#"{app="old"}"#);
    // Two sources, one target: the later in order of names wins.
    let collapse = rule(A::LabelMap, &[], "__meta_k8s_.+", "", "one");
    assert!(run(&[collapse], meta).unwrap().contains(r#"one="z""#));
}

#[test]
fn case_actions_map_each_character() {
    let labels = &[("a", "Straße")];
    assert_eq!(run(&[rule(A::Uppercase, &["a"], "(.*)", "a", "$1")], labels).unwrap(), r#"{a="STRAßE"}"#);
    assert_eq!(run(&[rule(A::Lowercase, &["a"], "(.*)", "a", "$1")], labels).unwrap(), r#"{a="straße"}"#);
}

/// Expected numbers come from `md5sum`.
#[test]
fn hashmod_takes_the_last_eight_bytes() {
    assert_eq!(hashmod("", u64::MAX), 0xe980_0998_ecf8_427e);
    assert_eq!(hashmod("", 256), 0x7e);
    assert_eq!(hashmod("foo", u64::MAX), 0xedef_654f_ccc4_a4d8);
    assert_eq!(hashmod("anything", 0), 0);
    let config = RelabelConfig { modulus: 1000, ..rule(A::HashMod, &["a", "b", "c"], "(.*)", "d", "$1") };
    let written = run(&[config], &[("a", "foo"), ("b", "bar"), ("c", "baz")]).unwrap();
    assert_eq!(written, r#"{a="foo", b="bar", c="baz", d="719"}"#);
}

#[test]
fn refuses_what_prometheus_refuses() {
    use NameScheme::{Legacy, Utf8};
    let base = |action| rule(action, &["a"], "(.*)", "t", "$1");
    let ok = |config: RelabelConfig, scheme| config.validate(scheme);
    assert_eq!(ok(base(A::Replace), Legacy), Ok(()));
    assert_eq!(ok(base(A::HashMod), Utf8), Err(RelabelError::ZeroModulus));
    let no_target = |action| RelabelConfig { target_label: String::new(), modulus: 1, ..base(action) };
    for action in [A::Replace, A::HashMod, A::Lowercase, A::Uppercase, A::KeepEqual, A::DropEqual] {
        assert_eq!(ok(no_target(action), Utf8), Err(RelabelError::MissingTarget(action)));
    }
    let target = |name: &str| RelabelConfig { target_label: name.into(), ..base(A::Replace) };
    for good in ["a", "${1}", "$1_x", "a${x}b$y", "_$1"] {
        assert_eq!(ok(target(good), Legacy), Ok(()), "{good}");
    }
    for bad in ["a-b", "9a", "${1", "$", "a$-", "${}", "9$1", "a.b"] {
        assert!(ok(target(bad), Legacy).is_err(), "{bad}");
        assert_eq!(ok(target(bad), Utf8), Ok(()), "{bad}");
    }
    let replaced = RelabelConfig { replacement: "x".into(), ..base(A::Lowercase) };
    assert_eq!(ok(replaced, Utf8), Err(RelabelError::ReplacementSet(A::Lowercase)));
    let separated = RelabelConfig { separator: ",".into(), ..base(A::KeepEqual) };
    assert_eq!(ok(separated, Utf8), Err(RelabelError::OnlySourceAndTarget(A::KeepEqual)));
    assert_eq!(ok(base(A::LabelDrop), Utf8), Err(RelabelError::OnlyRegex(A::LabelDrop)));
    let map = RelabelConfig { replacement: "a-$1".into(), ..base(A::LabelMap) };
    assert_eq!(ok(map.clone(), Legacy), Err(RelabelError::InvalidReplacement("a-$1".into())));
    assert_eq!(ok(map, Utf8), Ok(()));
}

#[test]
fn is_written_without_defaults_and_read_with_them() {
    let text = r#"{"source_labels":["__address__"],"target_label":"__tmp","modulus":4,"action":"hashmod"}"#;
    let config: RelabelConfig = serde_json::from_str(text).unwrap();
    assert_eq!(
        (config.separator.as_str(), config.regex.as_str(), config.replacement.as_str()),
        (";", "(.*)", "$1")
    );
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    assert_eq!(serde_json::to_string(&RelabelConfig::default()).unwrap(), "{}");
    let all = r#"{"source_labels":["a"],"separator":",","target_label":"b","regex":"x","modulus":1,"replacement":"y","action":"drop"}"#;
    let config: RelabelConfig = serde_json::from_str(all).unwrap();
    assert_eq!(serde_json::to_string(&config).unwrap(), all);
    let error = serde_json::from_str::<RelabelConfig>(r#"{"regex":"("}"#).unwrap_err().to_string();
    assert!(error.starts_with("error parsing regexp: missing closing ): `(`"), "{error}");
    assert!(serde_json::from_str::<RelabelConfig>(r#"{"source_label":["a"]}"#).is_err());
}

#[test]
fn action_names_are_read_in_any_case() {
    assert_eq!("LabelMap".parse(), Ok(A::LabelMap));
    assert_eq!("x".parse::<A>().unwrap_err().to_string(), r#"unknown relabel action "x""#);
}

proptest! {
    #[test]
    fn shards_partition_every_target(address in "[a-z0-9.:-]{0,24}", shards in 1_u64..20) {
        let labels = Labels::from([("__address__", address.as_str())]);
        let keepers = (0..shards).filter(|shard| {
            let hash = RelabelConfig { modulus: shards, ..rule(A::HashMod, &["__address__"], "(.*)", "__tmp", "$1") };
            let keep = rule(A::Keep, &["__tmp"], &shard.to_string(), "", "$1");
            process(&[hash, keep], labels.clone()).is_some()
        });
        prop_assert_eq!(keepers.count(), 1);
    }
}
