//! What the checks find: each with the topology that triggers it.

use super::{codes, hardened, resolve, sharded};
use crate::facts::Version;
use crate::model::scrape::Surroundings;
use crate::topology::nodes::prometheus::Strategy;

#[test]
fn one_mistake_one_finding() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("scrape coredns { static \"10.244.1.2:9153\"; }", &[("DSC006", "error")]),
        ("scrape static { static \"192.168.1.5:9100\"; }", &[]),
        ("scrape cadvisor via=apiserver-proxy", &[("RBC004", "error")]),
        ("scrape kubelet insecure-skip-verify=#true", &[("SEC007", "warning")]),
        (
            "scrape static { static \"a:1\"; tls ca=\"secret:s/ca\" insecure-skip-verify=#true; }",
            &[("SEC007", "error")],
        ),
        ("scrape static { static \"a:1\"; auth token=\"hunter2\"; }", &[("SEC001", "error")]),
        ("scrape kubelet; scrape kubelet", &[("KDL008", "error"), ("DSC008", "error")]),
        ("scrape kubelet; scrape kubelet as=again", &[("DSC008", "error")]),
        (
            "scrape static as=x { static \"a:1\"; }; scrape static as=y { static \"a:1\"; }",
            &[("DSC008", "error")],
        ),
        (
            "scrape kube-state-metrics; scrape static { static \"m-kube-state-metrics:8080\"; }",
            &[("DSC008", "error")],
        ),
        ("scrape static", &[("DSC014", "error")]),
        ("scrape federate from=nobody { select \"up\"; }", &[("DSC014", "error")]),
        ("scrape kubelet every=\"5s\" timeout=\"6s\"", &[("RES006", "error")]),
        ("scrape kubelet every=\"5s\" timeout=\"5s\"", &[("RES006", "warning")]),
        ("scrape kubelet every=\"0s\"", &[("KDL007", "error")]),
        ("scrape kubelet { relabel keep from=a regex=\"(\"; }", &[("KDL007", "error")]),
        ("scrape static { static \"a:1\"; keep-labels app; }", &[("KDL007", "error")]),
        ("scrape kubelet { relabel replace to=instance replacement=x; }", &[("DSC011", "error")]),
        (
            "scrape pods { relabel replace from=__address__ to=__address__ regex=\"([^:]+):.*\" replacement=\"$1:1\"; }",
            &[("DSC009", "warning")],
        ),
        (
            "scrape pods { relabel labelmap regex=\"__meta_kubernetes_pod_label_(.+)\"; }",
            &[("DSC010", "warning")],
        ),
        ("scrape pods { match label=app equals=x; }", &[]),
        ("scrape pods { keep-labels cluster; }", &[("IDN010", "warning")]),
        ("scrape static { static \"a:1\" prometheus_replica=x; }", &[("IDN006", "warning")]),
        ("scrape raw as=x { yaml \"a: [\"; }", &[("KDL006", "error")]),
        ("scrape raw as=x { yaml \"relabel_configs: [{actoin: keep}]\"; }", &[("KDL006", "error")]),
        ("scrape raw { yaml \"scheme: http\"; }", &[("KDL005", "error")]),
    ];
    for (text, expected) in cases {
        let (_, diagnostics) = resolve(text, &hardened());
        assert_eq!(codes(&diagnostics), *expected, "{text}\n{diagnostics:#?}");
    }
}

#[test]
fn fields_belong_to_versions() {
    let old = Surroundings { prometheus: Version::new(2, 37, 0), ..hardened() };
    let text = "scrape kubelet { relabel keepequal from=a to=b; }";
    assert_eq!(codes(&resolve(text, &old).1), [("VER003", "error")]);
    assert_eq!(codes(&resolve(text, &hardened()).1), []);
    let endpoints = "scrape raw as=x { yaml \"kubernetes_sd_configs: [{role: endpoints}]\"; }";
    assert_eq!(codes(&resolve(endpoints, &hardened()).1), [("DSC007", "warning"), ("DSC013", "warning")]);
}

#[test]
fn hashing_the_wrong_thing_is_found() {
    let around = sharded(4, Strategy::Slots);
    let with = |shards: &str, scrape: &str| {
        let (_, diagnostics) = resolve(&format!("shards 4 {{ {shards} }}\n{scrape}"), &around);
        codes(&diagnostics)
    };
    assert_eq!(with("key kubelet by=job", "scrape kubelet"), [("SHD003", "error")]);
    assert_eq!(with("key kubelet by=__meta_dns_name", "scrape kubelet"), [("SHD003", "error")]);
    assert_eq!(with("key pods by=__meta_kubernetes_namespace", "scrape pods"), [("SHD004", "warning")]);
    assert_eq!(with("key blackbox by=__address__", "scrape blackbox { static a b; }"), [("SHD007", "error")]);
    assert_eq!(with("key cadvisor by=__meta_kubernetes_node_name", "scrape cadvisor"), []);
    assert_eq!(with("one-shard kubelett", "scrape kubelet"), [("KDL013", "error")]);
    assert_eq!(with("one-shard kubelet shard=4", "scrape kubelet"), [("KDL007", "error")]);
    let own = "scrape raw as=x { yaml \"relabel_configs: [{source_labels: [__address__], modulus: 4, target_label: \
               __tmp_hash, action: hashmod}]\"; }";
    assert_eq!(with("", own), [("SHD006", "error")]);
    assert_eq!(with("every-shard x", own), []);
    // A constant address set by the user before our rules ever run cannot happen: ours come first.
    let rewritten = "scrape kubelet { relabel replace to=__address__ replacement=\"proxy:443\"; }";
    assert_eq!(with("", rewritten), []);
}
