//! The hardened form: discovery that finds what it should, labels that stay apart, limits, permissions.

use prom_model::{Labels, process};

use super::{clean, hardened, resolve};
use crate::facts::Version;
use crate::model::scrape::config::SdRole;
use crate::model::scrape::{Component, Job, Surroundings, permissions, unscraped};

const EVERYTHING: &str = r#"
    scrape self; scrape kubelet; scrape cadvisor; scrape apiserver; scrape coredns; scrape etcd
    scrape node-exporter; scrape kube-state-metrics; scrape thanos; scrape alertmanager
    scrape minio; scrape grafana; scrape annotated-services
    scrape blackbox { static "https://example.com/" "https://example.org/"; }
    scrape pods as=apps {
        match annotation="prometheus.io/scrape" equals="true"
        keep-labels app team "app.kubernetes.io/version"
        drop-metrics "go_gc_.*" "apiserver_request_duration_seconds_bucket"
        limit samples=20000 labels=40 targets=70000 body="10Mi"
    }
    scrape static as=machines { static "a.example:9100" "b.example:9100" rack=r1; }
    scrape file as=lists { file "/etc/prometheus/targets/*.json"; }
    scrape static as=urls { http-sd "http://sd.example/targets" refresh="1m"; }
    scrape static as=names { dns "_http._tcp.example.com"; }
"#;

/// The labels after relabelling, or `None` where the target is dropped.
fn relabel(job: &Job, discovered: &[(&str, &str)]) -> Option<Labels> {
    let compile = |rule: &crate::model::scrape::rule::Rule| rule.compile(3).expect("legal rule");
    let rules: Vec<_> = job.config.relabel_configs.iter().map(compile).collect();
    process(&rules, discovered.iter().copied().collect())
}

#[test]
fn every_preset_is_clean_limited_and_patient() {
    let (jobs, diagnostics) = resolve(EVERYTHING, &hardened());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "prometheus",
            "kubelet",
            "cadvisor",
            "apiserver",
            "coredns",
            "etcd",
            "node-exporter",
            "kube-state-metrics",
            "thanos-query",
            "thanos-sidecar",
            "thanos-store",
            "alertmanager",
            "minio",
            "grafana",
            "annotated-services",
            "blackbox",
            "apps",
            "machines",
            "lists",
            "urls",
            "names",
        ]
    );
    for job in &jobs {
        assert!(job.config.scrape_timeout < job.config.scrape_interval, "{}", job.name);
        assert!(job.config.limits.sample_limit.is_some(), "{}", job.name);
        assert!(
            job.config.kubernetes_sd_configs.iter().all(|sd| sd.role != SdRole::Endpoints),
            "{}",
            job.name
        );
    }
}

#[test]
fn components_are_found_by_service_and_port_and_named_by_pod() {
    let job = clean("scrape alertmanager", &hardened());
    let target = |service: &'static str, port: &'static str| {
        [
            ("__address__", "10.0.0.1:9093"),
            ("__meta_kubernetes_namespace", "monitoring"),
            ("__meta_kubernetes_service_name", service),
            ("__meta_kubernetes_endpointslice_port_name", port),
            ("__meta_kubernetes_pod_name", "m-alertmanager-0"),
        ]
    };
    let labels = relabel(&job, &target("m-alertmanager", "http")).expect("kept");
    assert_eq!((labels.value("instance"), labels.value("namespace")), ("m-alertmanager-0", "monitoring"));
    assert_eq!(relabel(&job, &target("m-alertmanager", "mesh-tcp")), None);
    assert_eq!(relabel(&job, &target("m-alertmanager-other", "http")), None);
    let namespaces = job.config.kubernetes_sd_configs[0].namespaces.as_ref().expect("restricted");
    assert_eq!(namespaces.names, ["monitoring"]);
}

#[test]
fn several_workloads_of_one_role_are_one_job() {
    let (jobs, _) = resolve("scrape thanos", &hardened());
    let store = jobs.iter().find(|job| job.name == "thanos-store").expect("a store job");
    for service in ["m-store", "m-store-w1"] {
        let target = [
            ("__meta_kubernetes_service_name", service),
            ("__meta_kubernetes_endpointslice_port_name", "http"),
        ];
        assert!(relabel(store, &target).is_some(), "{service}");
    }
    let (jobs, _) = resolve("scrape thanos as=t", &hardened());
    assert!(jobs.iter().all(|job| job.name.starts_with("t-")), "{jobs:#?}");
}

#[test]
fn exporters_of_others_are_found_by_their_usual_label() {
    let external = Component {
        job: "node-exporter".into(),
        namespace: "infra".into(),
        external: true,
        ..Component::default()
    };
    let around = Surroundings { components: vec![external], ..hardened() };
    let job = clean("scrape node-exporter", &around);
    let discovery = &job.config.kubernetes_sd_configs[0];
    assert_eq!(discovery.role, SdRole::Pod);
    assert_eq!(discovery.selectors[0].label.as_deref(), Some("app.kubernetes.io/name=node-exporter"));
    let target = [
        ("__meta_kubernetes_pod_container_port_name", "metrics"),
        ("__meta_kubernetes_pod_node_name", "node-a"),
    ];
    assert_eq!(relabel(&job, &target).expect("kept").value("instance"), "node-a");
}

#[test]
fn addresses_may_be_ipv6() {
    let job = clean("scrape annotated-services", &hardened());
    let target = [
        ("__address__", "[fd00::1]:8080"),
        ("__meta_kubernetes_service_annotation_prometheus_io_scrape", "true"),
        ("__meta_kubernetes_service_annotation_prometheus_io_port", "9000"),
    ];
    assert_eq!(relabel(&job, &target).expect("kept").value("__address__"), "[fd00::1]:9000");
    let job = clean("scrape etcd", &hardened());
    for (ip, address) in [("10.0.0.1", "10.0.0.1:2381"), ("fd00::1", "[fd00::1]:2381")] {
        let labels = relabel(&job, &[("__address__", ip), ("__meta_kubernetes_pod_ip", ip)]).expect("kept");
        assert_eq!(labels.value("__address__"), address);
    }
}

#[test]
fn the_kubelet_is_verified_and_told_who_asks() {
    let job = clean("scrape cadvisor", &hardened());
    assert_eq!((job.config.scheme.as_deref(), job.path()), (Some("https"), "/metrics/cadvisor"));
    let tls = job.config.http.tls_config.as_ref().expect("TLS");
    assert!(tls.ca_file.is_some() && tls.insecure_skip_verify.is_none());
    let authorization = job.config.http.authorization.as_ref().expect("a token");
    assert!(authorization.credentials_file.is_some() && job.config.http.bearer_token_file.is_none());
    assert_eq!(job.config.honor_timestamps, Some(false));
    let node = [("__address__", "10.0.0.7:10250"), ("__meta_kubernetes_node_name", "node-a")];
    let labels = relabel(&job, &node).expect("kept");
    assert_eq!((labels.value("__address__"), labels.value("instance")), ("10.0.0.7:10250", "node-a"));
}

#[test]
fn pods_are_refined() {
    let (jobs, _) = resolve(EVERYTHING, &hardened());
    let apps = jobs.iter().find(|job| job.name == "apps").expect("the job");
    let pod = [
        ("__address__", "10.0.0.1:8080"),
        ("__meta_kubernetes_namespace", "shop"),
        ("__meta_kubernetes_pod_name", "cart-1"),
        ("__meta_kubernetes_pod_phase", "Running"),
        ("__meta_kubernetes_pod_annotation_prometheus_io_scrape", "true"),
        ("__meta_kubernetes_pod_label_team", "blue"),
        ("__meta_kubernetes_pod_label_secret", "x"),
        ("__meta_kubernetes_pod_label_app_kubernetes_io_version", "7"),
    ];
    let labels = relabel(apps, &pod).expect("kept");
    assert_eq!(
        (labels.value("team"), labels.value("secret"), labels.value("app_kubernetes_io_version")),
        ("blue", "", "7")
    );
    assert_eq!(relabel(apps, &pod[..4]), None);
    let limits = &apps.config.limits;
    assert_eq!((limits.sample_limit, limits.target_limit), (Some(20000), Some(70000)));
    assert_eq!((limits.label_limit, limits.body_size_limit.as_deref()), (Some(40), Some("10MiB")));
    assert_eq!(apps.config.metric_relabel_configs.len(), 1);
    assert_eq!(apps.config.fallback_scrape_protocol.as_deref(), Some("PrometheusText0.0.4"));
    let old = Surroundings { prometheus: Version::new(2, 37, 0), ..hardened() };
    assert_eq!(clean("scrape pods", &old).config.fallback_scrape_protocol, None);
}

#[test]
fn probes_ask_the_exporter_about_the_target() {
    let job =
        clean("scrape blackbox module=tcp { static \"db.example:5432\" \"db2.example:5432\"; }", &hardened());
    let labels = relabel(&job, &[("__address__", "db.example:5432")]).expect("kept");
    assert_eq!(labels.value("__address__"), "m-blackbox.monitoring.svc:9115");
    assert_eq!(
        (labels.value("__param_target"), labels.value("instance")),
        ("db.example:5432", "db.example:5432")
    );
    assert_eq!(job.config.params["module"], ["tcp"]);
}

#[test]
fn coredns_is_not_found_twice() {
    let (jobs, diagnostics) = resolve("scrape coredns; scrape annotated-services", &hardened());
    assert!(diagnostics.is_empty(), "{diagnostics:#?}");
    let service = |name: &'static str| {
        [
            ("__address__", "10.0.0.1:9153"),
            ("__meta_kubernetes_namespace", "kube-system"),
            ("__meta_kubernetes_service_name", name),
            ("__meta_kubernetes_service_annotation_prometheus_io_scrape", "true"),
        ]
    };
    assert!(relabel(&jobs[1], &service("kube-dns")).is_none());
    assert!(relabel(&jobs[1], &service("other")).is_some());
}

#[test]
fn federation_keeps_the_labels_of_the_other_side() {
    let mut around = hardened();
    around.components[0].group = Some("apps".into());
    around.group = Some("infra".into());
    let job = clean("scrape federate from=apps { select \"{__name__=~\\\"job:.*\\\"}\"; }", &around);
    assert_eq!((job.path(), job.config.honor_labels), ("/federate", Some(true)));
    assert_eq!(job.config.params["match[]"], ["{__name__=~\"job:.*\"}"]);
    assert_eq!(job.config.kubernetes_sd_configs[0].role, SdRole::Endpointslice);
}

#[test]
fn raw_jobs_keep_what_they_say() {
    let text = "scrape raw as=consul {\n  yaml \"\"\"\n    consul_sd_configs:\n    - server: consul:8500\n    \
                scrape_protocols: [PrometheusText0.0.4]\n    relabel_configs:\n    - {source_labels: [__meta_consul_dc], \
                target_label: dc}\n    \"\"\"\n  limit samples=7\n}";
    let job = clean(text, &hardened());
    assert_eq!(job.config.extra["consul_sd_configs"][0]["server"], "consul:8500");
    assert_eq!((job.name.as_str(), job.config.limits.sample_limit), ("consul", Some(7)));
    assert_eq!(job.config.relabel_configs.len(), 1);
}

#[test]
fn permissions_are_the_least_that_the_jobs_need() {
    let summary = |text: &str| -> Vec<String> {
        let (jobs, _) = resolve(text, &hardened());
        let rule = |rule: &permissions::PolicyRule| {
            let scope = rule.namespaces.as_ref().map_or("*".to_owned(), |names| names.join("+"));
            format!(
                "{scope} {} {}{} {}",
                rule.api_groups.join(","),
                rule.resources.join(","),
                rule.non_resource_urls.join(","),
                rule.verbs.join(",")
            )
        };
        permissions(&jobs).iter().map(rule).collect()
    };
    assert_eq!(
        summary("scrape kubelet; scrape cadvisor"),
        ["*  nodes/metrics get", "*  nodes get,list,watch"]
    );
    assert_eq!(
        summary("scrape apiserver; scrape self; scrape alertmanager"),
        [
            "*  /metrics get",
            "default+monitoring  pods,services get,list,watch",
            "default+monitoring discovery.k8s.io endpointslices get,list,watch",
        ]
    );
    // What is granted everywhere is not granted in a namespace again.
    assert_eq!(summary("scrape pods; scrape etcd"), ["*  pods get,list,watch"]);
    assert_eq!(summary("scrape static { static \"a:1\"; }"), Vec::<String>::new());
}

#[test]
fn estimates_follow_the_sizes() {
    let (jobs, _) = resolve(EVERYTHING, &hardened());
    let series = |name: &str| jobs.iter().find(|job| job.name == name).and_then(|job| job.series);
    assert_eq!((series("kubelet"), series("cadvisor")), (Some(300_000), Some(450_000)));
    assert_eq!((series("thanos-store"), series("machines")), (Some(6000), None));
}

#[test]
fn what_nobody_scrapes_is_named() {
    let around = hardened();
    let (jobs, _) = resolve("scrape self; scrape thanos; scrape kube-state-metrics", &around);
    let missing: Vec<String> =
        unscraped(&[&jobs], &around.components).into_iter().map(|found| found.message).collect();
    assert_eq!(
        missing,
        ["alertmanager", "node-exporter", "minio", "grafana", "blackbox"]
            .map(|job| format!("nothing scrapes {job}"))
    );
}

#[test]
fn without_kubernetes_processes_are_named_by_address() {
    let mut around = Surroundings { local: true, ..hardened() };
    for (port, component) in (9000..).zip(&mut around.components) {
        component.targets = vec![format!("127.0.0.1:{port}")];
    }
    let (jobs, diagnostics) = resolve("scrape self; scrape thanos; scrape kubelet", &around);
    assert_eq!(super::codes(&diagnostics), [("DSC014", "info")]);
    assert!(jobs.iter().all(|job| job.config.kubernetes_sd_configs.is_empty()));
    assert_eq!(jobs[3].config.static_configs[0].targets, ["127.0.0.1:9002", "127.0.0.1:9003"]);
}
