//! Where groups are evaluated.

use compiler::pipeline::Outcome;

use super::{assert_found, assert_not_found, render, rendered};

/// Names of the groups in the plain files of one place.
fn groups(outcome: &Outcome, folder: &str) -> Vec<String> {
    outcome
        .artefacts
        .iter()
        .filter(|artefact| artefact.path.starts_with(folder) && !artefact.path.contains("builtin-"))
        .flat_map(|artefact| {
            artefact
                .text()
                .lines()
                .filter_map(|line| line.strip_prefix("- name: ").map(str::to_string))
                .collect::<Vec<_>>()
        })
        .collect()
}

const RULES: &str = r#"
    rules Absent { alert A severity=info { expr "absent(up{job=\"api\"})"; summary "s"; }; }
    rules Across { alert B severity=info { expr "sum by (job) (up) < 10"; summary "s"; }; }
    rules Follows { alert C severity=info { expr "job:x:sum > 1"; summary "s"; }; }
    rules Kube { alert D severity=info { expr "sum by (namespace) (kube_pod_info) > 100"; summary "s"; }; }
    rules OneTarget { alert E severity=info { expr "up == 0"; summary "s"; }; }
    rules Records { record "job:x:sum" { expr "sum by (job) (x)"; }; }
    rules Regions { alert F severity=info { expr "up{region=\"eu\"} == 0"; summary "s"; }; }
    rules ShardKey { alert G severity=info { expr "sum by (shard) (up) < 10"; summary "s"; }; }
"#;

#[test]
fn the_ruler_gets_what_needs_all_shards() {
    let outcome = rendered(
        &format!(
            "topology t {{ prometheus {{ identity region=eu; shards 4; scrape kube-state-metrics; }}
             bucket b {{ minio; }}\nquery\nruler\nkube-state-metrics\n{RULES} }}"
        ),
        &[],
    );
    assert_eq!(groups(&outcome, "raw/rules/"), ["Kube", "OneTarget", "ShardKey"]);
    assert_eq!(groups(&outcome, "raw/ruler-rules/"), ["Absent", "Across", "Follows", "Records", "Regions"]);
}

#[test]
fn one_prometheus_needs_no_ruler() {
    let outcome =
        rendered(&format!("topology t {{ prometheus; bucket b {{ minio; }}\nquery\nruler\n{RULES} }}"), &[]);
    assert_eq!(
        groups(&outcome, "raw/rules/"),
        ["Absent", "Across", "Follows", "Kube", "OneTarget", "Records", "Regions", "ShardKey"]
    );
}

#[test]
fn without_a_ruler_sharded_groups_are_refused() {
    let outcome = render(
        r#"topology t {
    prometheus { shards 4; }
    rules Across { alert B severity=info { expr "1 < sum by (job) (up)"; summary "s"; }; }
}"#,
        &[],
    );
    assert_found(&outcome, "SHD013 error top.kdl:3:54: `B` is evaluated on each shard alone: `sum by (job)`");
    assert_found(&outcome, "SHD013 info top.kdl:2:25: ");
    assert!(outcome.artefacts.is_empty());
}

#[test]
fn the_user_decides_otherwise() {
    let outcome = rendered(
        r#"topology t {
    prometheus
    bucket b { minio; }
    query
    ruler { rules Inside { alert A severity=info { expr "up == 0"; summary "s"; }; }; }
    rules Forced place=ruler { alert B severity=info { expr "up == 0"; summary "s"; }; }
    rules Local place=local { alert C severity=info { expr "up{cluster=\"x\"} == 0"; summary "s"; }; }
}"#,
        &[],
    );
    assert_eq!(groups(&outcome, "raw/rules/"), ["Local"]);
    assert_eq!(groups(&outcome, "raw/ruler-rules/"), ["Forced", "Inside"]);
    assert_found(&outcome, "RUL009 warning top.kdl:7:");
    let outcome = render("topology t { prometheus; rules X place=ruler { record y { expr x; }; }; }", &[]);
    assert_found(&outcome, "KDL007 error top.kdl:1:40: `place=ruler` needs a ruler");
}

#[test]
fn agents_evaluate_nothing() {
    let outcome = render("topology t { prometheus mode=agent; rules X { record y { expr x; }; }; }", &[]);
    assert_found(&outcome, "MCL007 error top.kdl:1:43: nobody evaluates group `X`");
}

#[test]
fn the_dead_man_switch_is_everywhere() {
    let outcome = rendered("topology t { prometheus; bucket b { minio; }; query; ruler; }", &[]);
    for folder in ["raw/rules", "raw/ruler-rules"] {
        let path = format!("{folder}/builtin-watchdog.yml");
        assert!(super::text(&outcome, &path).contains("alert: Watchdog"), "{path}");
    }
    assert_not_found(&outcome, "RUL006");
}
