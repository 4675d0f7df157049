//! Several clusters: who is reached under which address, and with which certificates.

use compiler::render::yaml;
use serde_json::json;

use super::{outcome, tree};

const GLOBAL: &str = r#"
topology global {
    target thanos="0.42.4"
    trust ca="secret:mtls/ca.crt" issuer=cert-manager
    cluster eu namespace=mon {
        prometheus replicas=2 { identity cluster=eu replica-label=eu_replica; every "30s"; scrape self; }
        query host="query.eu.example.net"
    }
    cluster us namespace=mon {
        prometheus replicas=2 { identity cluster=us; every "30s"; scrape self; }
        query
    }
    cluster shop namespace=mon mode=agent {
        prometheus replicas=2 { identity cluster=shop replica-label=shop_replica; every "30s"; scrape self; }
        push receive cluster=hub
    }
    cluster hub namespace=obs {
        receive
        query { reach eu us via=query; reach local; reach "store.example.net:10901"; }
    }
}
"#;

#[test]
fn a_querier_of_queriers_uses_tls_for_other_clusters_only() {
    let tree = tree(GLOBAL);
    let hub = "Deployment/global-thanos-query";
    let args = |cluster: &str| {
        let path = format!("{cluster}/60-thanos/query.yaml");
        let found = tree.objects.iter().find(|(file, object)| *file == path && super::title(object) == hub);
        let (_, object) = found.unwrap_or_else(|| panic!("no querier in {cluster}"));
        object.pointer("/spec/template/spec/containers/0/args").expect("args").to_string()
    };
    let hub_args = args("hub");
    assert!(hub_args.contains("--endpoint=dnssrv+_grpc._tcp.global-thanos-receive.obs.svc"), "{hub_args}");
    assert!(hub_args.contains("--endpoint=store.example.net:10901"));
    let remote: Vec<String> = serde_json::from_str::<Vec<String>>(&hub_args).expect("list");
    let config = remote.iter().find_map(|arg| arg.strip_prefix("--endpoint.sd-config=")).expect("sd-config");
    let config = yaml::parse(config).expect("YAML").remove(0);
    let addresses: Vec<&str> = config["endpoints"]
        .as_array()
        .expect("list")
        .iter()
        .map(|endpoint| endpoint["address"].as_str().expect("text"))
        .collect();
    assert_eq!(addresses, ["grpc-query.eu.example.net:443", "global-thanos-query.mon.svc.us:10901"]);
    let tls = json!({
        "enabled": true, "cert_file": "/etc/thanos/tls/tls.crt", "key_file": "/etc/thanos/tls/tls.key",
        "ca_file": "/etc/thanos/tls/ca.crt",
    });
    assert_eq!(config["endpoints"][0]["client_config"]["tls_config"], tls);
    assert_eq!(config["endpoints"][0]["client_config"]["server_name"], "grpc-query.eu.example.net");
    assert!(!hub_args.contains("--grpc-server-tls-cert"), "nobody asks the hub");
    let eu = args("eu");
    assert!(eu.contains("--grpc-server-tls-client-ca=/etc/thanos/tls/ca.crt"), "{eu}");
    assert!(!eu.contains("--endpoint.sd-config"));
    for label in ["eu_replica", "prometheus_replica", "shop_replica", "receive_replica"] {
        assert!(hub_args.contains(&format!("--query.replica-label={label}")), "{label}: {hub_args}");
    }
}

#[test]
fn a_reached_querier_is_published_with_a_certificate() {
    let tree = tree(GLOBAL);
    let titles = tree.titles("eu/60-thanos/query.yaml");
    for wanted in [
        "Issuer/global-grpc-ca",
        "Certificate/global-thanos-query-grpc-tls",
        "Service/global-thanos-query-grpc",
        "NetworkPolicy/global-thanos-query-grpc",
    ] {
        assert!(titles.iter().any(|title| title == wanted), "{wanted} in {titles:?}");
    }
    let service = &tree.object("Service/global-thanos-query-grpc")["spec"];
    assert_eq!(service["type"], "LoadBalancer");
    assert_eq!(service["ports"][0]["port"], 443);
    let names = &tree.object("Certificate/global-thanos-query-grpc-tls")["spec"]["dnsNames"];
    assert!(names.to_string().contains("grpc-query.eu.example.net"), "{names}");
}

#[test]
fn a_release_without_tls_for_each_endpoint_is_refused() {
    let outcome = outcome(&GLOBAL.replace("0.42.4", "0.41.0"));
    let found = outcome.diagnostics.iter().find(|found| found.code == "VER003").expect("VER003");
    assert!(found.span.is_some(), "it points at the target");
    assert!(outcome.artefacts.is_empty());
}
