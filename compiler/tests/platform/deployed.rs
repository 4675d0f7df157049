//! Exporters, storage classes, Grafana, other workloads.

use compiler::diagnostic::Severity;
use serde_json::{Value, json};

use super::{at, codes, object, objects, render_with, rendered, text};

fn container(outcome: &compiler::pipeline::Outcome, key: &str) -> Value {
    at(&object(outcome, key), "/spec/template/spec/containers/0").clone()
}

fn args(container: &Value) -> Vec<&str> {
    at(container, "/args").as_array().expect("a list").iter().filter_map(Value::as_str).collect()
}

/// Every (group, resource) of a role.
fn granted(role: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for rule in role["rules"].as_array().expect("rules") {
        for resource in rule["resources"].as_array().expect("resources") {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            out.push((text(&rule["apiGroups"][0]), text(resource)));
        }
    }
    out.sort();
    out
}

#[test]
fn kube_state_metrics_may_read_what_it_is_told_to_watch() {
    let outcome = rendered("topology t { kube-state-metrics; }");
    let role = granted(&object(&outcome, "ClusterRole/monitoring-t-kube-state-metrics"));
    let own = container(&outcome, "Deployment/t-kube-state-metrics");
    let watched = args(&own)
        .into_iter()
        .find_map(|arg| arg.strip_prefix("--resources="))
        .expect("the flag")
        .split(',')
        .map(str::to_owned);
    let mut resources: Vec<String> = role.iter().map(|(_, resource)| resource.clone()).collect();
    resources.sort();
    assert!(watched.eq(resources.iter().cloned()), "{resources:?}");
    for refused in ["secrets", "configmaps", "tokenreviews"] {
        assert!(!resources.iter().any(|resource| resource == refused), "{refused}");
    }
    let outcome = rendered(
        "topology t { kube-state-metrics; args kube-state-metrics { \"--resources\" \"pods,deployments,ingresses\"; }; }",
    );
    let role = granted(&object(&outcome, "ClusterRole/monitoring-t-kube-state-metrics"));
    let pair = |group: &str, resource: &str| (group.to_owned(), resource.to_owned());
    assert_eq!(role, [pair("", "pods"), pair("apps", "deployments"), pair("networking.k8s.io", "ingresses")]);
    assert_eq!(
        args(&container(&outcome, "Deployment/t-kube-state-metrics"))
            .iter()
            .filter(|arg| arg.starts_with("--resources"))
            .count(),
        1
    );
}

#[test]
fn probes_of_kube_state_metrics_follow_its_version() {
    for (version, live, ready) in
        [("2.12.0", "/healthz", "/"), ("2.13.0", "/livez", "/readyz"), ("2.16.0", "/livez", "/readyz")]
    {
        let outcome = rendered(&format!(
            "topology t {{ target kube-state-metrics=\"{version}\"; kube-state-metrics; }}"
        ));
        let container = container(&outcome, "Deployment/t-kube-state-metrics");
        assert_eq!(
            container["livenessProbe"]["httpGet"],
            json!({ "path": live, "port": "http" }),
            "{version}"
        );
        assert_eq!(
            container["readinessProbe"]["httpGet"],
            json!({ "path": ready, "port": "telemetry" }),
            "{version}"
        );
    }
}

#[test]
fn node_exporter_sees_the_node_and_cannot_change_it() {
    let outcome = rendered("topology t { node-exporter port=9200; }");
    let set = object(&outcome, "DaemonSet/t-node-exporter");
    let pod = at(&set, "/spec/template/spec");
    assert_eq!((&pod["hostNetwork"], &pod["hostPID"]), (&json!(true), &json!(true)));
    assert_eq!(pod["tolerations"], json!([{ "operator": "Exists" }]));
    let mounts = at(pod, "/containers/0/volumeMounts").as_array().expect("mounts");
    assert!(mounts.len() == 3 && mounts.iter().all(|mount| mount["readOnly"] == true), "{mounts:?}");
    assert!(args(at(pod, "/containers/0")).contains(&"--web.listen-address=:9200"));
    let namespace = object(&outcome, "Namespace/monitoring");
    assert_eq!(namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"], "privileged");

    let flags = |version: &str| {
        let outcome =
            rendered(&format!("topology t {{ target node-exporter=\"{version}\"; node-exporter; }}"));
        args(&container(&outcome, "DaemonSet/t-node-exporter")).join(" ")
    };
    let (old, new) = (flags("1.0.1"), flags("1.12.1"));
    assert!(old.contains("ignored-mount-points=") && !old.contains("mount-points-exclude"), "{old}");
    assert!(new.contains("mount-points-exclude=") && !new.contains("ignored-mount-points"), "{new}");
    let external =
        objects(&rendered("topology t { prometheus { scrape self; }; node-exporter external=#true; }"));
    assert!(!external.keys().any(|key| key.starts_with("DaemonSet/")));
    assert_eq!(
        external["Namespace/monitoring"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"],
        "restricted"
    );
}

#[test]
fn blackbox_takes_the_users_configuration() {
    let topology = "topology t { blackbox config=\"lib/bb.yml\"; }";
    let own = |config: &str| {
        let outcome = render_with(topology, &[("lib/bb.yml", config)]);
        assert_eq!(codes(&outcome, Severity::Error), [""; 0]);
        let text = object(&outcome, "ConfigMap/t-blackbox-config")["data"]["blackbox.yml"].clone();
        let hash =
            at(&object(&outcome, "Deployment/t-blackbox"), "/spec/template/metadata/annotations").clone();
        (text, hash)
    };
    let (first, second) = (own("modules:\n  a: {prober: tcp}\n"), own("modules:\n  b: {prober: tcp}\n"));
    assert_eq!(first.0, "modules:\n  a: {prober: tcp}\n");
    assert_ne!(first.1, second.1, "another configuration restarts the pods");
    assert_eq!(codes(&render_with(topology, &[]), Severity::Error), ["KDL009"]);
    let modules = text(&rendered("topology t { blackbox; }"), "42-blackbox.yaml");
    assert!(modules.contains("http_2xx:"), "{modules}");
}

#[test]
fn storage_classes_wait_for_their_first_pod() {
    let outcome = rendered(
        "topology t { storage fast provisioner=\"ebs.csi.aws.com\" { parameters type=gp3 iops=4000; }; prometheus { scrape self; }; }",
    );
    let class = object(&outcome, "StorageClass/fast");
    assert_eq!(class["volumeBindingMode"], "WaitForFirstConsumer");
    assert_eq!(class["allowVolumeExpansion"], true);
    assert_eq!(class["parameters"], json!({ "type": "gp3", "iops": "4000" }));
    assert!(class["metadata"].get("annotations").is_none(), "nobody asked for a default class");
    assert!(class["metadata"].get("namespace").is_none());
    let claim = object(&outcome, "StatefulSet/t-prometheus")["spec"]["volumeClaimTemplates"][0].clone();
    assert_eq!(claim["spec"]["storageClassName"], "fast");
}

#[test]
fn the_nfs_provisioner_locks_a_lease_and_shares_no_name() {
    let outcome = rendered("topology t namespace=prom { storage slow { nfs \"nas:/export\"; }; }");
    let role = granted(&object(&outcome, "Role/t-nfs-provisioner-slow-leader"));
    assert_eq!(role, [("coordination.k8s.io".to_owned(), "leases".to_owned())]);
    let binding = object(&outcome, "ClusterRoleBinding/prom-t-nfs-provisioner-slow");
    assert_eq!(binding["roleRef"]["name"], "prom-t-nfs-provisioner-slow");
    assert_eq!(binding["subjects"][0]["namespace"], "prom");
    let env = container(&outcome, "Deployment/t-nfs-provisioner-slow")["env"].clone();
    assert_eq!(env[0]["value"], object(&outcome, "StorageClass/slow")["provisioner"]);
    for (topology, code) in [
        ("topology t { storage x; }", "KDL005"),
        ("topology t { storage x { nfs nas; }; }", "KDL007"),
        ("topology t { storage x provisioner=p { nfs \"nas:/x\"; }; }", "KDL008"),
        (
            "topology t { storage x provisioner=p default=#true; storage y provisioner=p default=#true; }",
            "STO007",
        ),
    ] {
        assert_eq!(codes(&render_with(topology, &[]), Severity::Error), [code], "{topology}");
    }
}

#[test]
fn grafana_asks_the_frontend_and_shows_what_is_deployed() {
    let topology =
        "topology t { prometheus { every \"20s\"; scrape self; }; query { frontend; }; grafana NOTE; }";
    let outcome = rendered(&topology.replace("NOTE", "host=\"g.example.net\" password=\"secret:g/p\""));
    let source = text(&outcome, "raw/grafana.yml");
    assert!(source.contains("url: http://t-thanos-query-frontend.monitoring.svc:9090"), "{source}");
    assert!(source.contains("prometheusType: Thanos") && source.contains("timeInterval: 20s"), "{source}");
    let deployment = object(&outcome, "Deployment/t-grafana");
    let volumes = at(&deployment, "/spec/template/spec/volumes").to_string();
    let all = objects(&outcome);
    let dashboards: Vec<&String> =
        all.keys().filter(|key| key.starts_with("ConfigMap/t-grafana-dashboard-")).collect();
    assert!(dashboards.iter().any(|key| key.ends_with("thanos-query")));
    assert!(!dashboards.iter().any(|key| key.ends_with("thanos-store") || key.ends_with("thanos-receive")));
    for key in dashboards {
        let name = key.trim_start_matches("ConfigMap/");
        assert!(volumes.contains(&format!("{{\"name\":\"{name}\"}}")), "{name} is mounted");
        let text = all[key]["data"].as_object().and_then(|data| data.values().next()).and_then(Value::as_str);
        let dashboard: Value = serde_json::from_str(text.expect("a text")).expect("JSON");
        assert!(dashboard["uid"].is_string());
    }
    assert_eq!(object(&outcome, "Ingress/t-grafana")["spec"]["rules"][0]["host"], "g.example.net");
    assert_eq!(
        container(&outcome, "Deployment/t-grafana")["env"][0]["valueFrom"]["secretKeyRef"],
        json!({ "name": "g", "key": "p" })
    );

    let outcome =
        rendered(&topology.replace("NOTE", "external=\"https://g\" namespace=web datasource=prometheus"));
    let all = objects(&outcome);
    assert!(!all.contains_key("Deployment/t-grafana") && !all.contains_key("ConfigMap/t-grafana-provider"));
    let source = &all["ConfigMap/t-grafana-datasource"];
    assert_eq!(source["metadata"]["labels"]["grafana_datasource"], "1");
    assert_eq!(source["metadata"]["namespace"], "web");
    assert_eq!(all["ConfigMap/t-grafana-dashboard-overview"]["metadata"]["labels"]["grafana_dashboard"], "1");
    assert!(text(&outcome, "raw/grafana.yml").contains("url: http://t-prometheus.monitoring.svc:9090"));
    let without = objects(&rendered(&topology.replace("NOTE", "dashboards=#false")));
    assert!(!without.keys().any(|key| key.contains("grafana-dashboard")));
    let literal = render_with(&topology.replace("NOTE", "password=topsecret"), &[]);
    assert_eq!(codes(&literal, Severity::Error), ["SEC001"]);
}

#[test]
fn other_workloads_are_hardened_too() {
    let outcome =
        rendered("topology t { workload web image=\"nginx:1.27\" replicas=2 port=8080 namespace=shop; }");
    let deployment = object(&outcome, "Deployment/web");
    assert_eq!(deployment["metadata"]["namespace"], "shop");
    let pod = at(&deployment, "/spec/template/spec");
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["containers"][0]["name"], "nginx");
    assert_eq!(object(&outcome, "PodDisruptionBudget/web")["spec"]["maxUnavailable"], 1);
}
