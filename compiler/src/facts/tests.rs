//! Checks the tables themselves, then answers that were looked up by hand.

use super::*;
use super::{features, fields, flags, images, status::Lifetime, table::Fault};

fn at(text: &str) -> Version {
    text.parse().expect("a version in a test")
}

fn programs() -> Vec<Program> {
    let mut programs: Vec<Program> = Component::ALL.into_iter().map(Program::Thanos).collect();
    programs.extend([
        Program::Prometheus,
        Program::Alertmanager,
        Program::KubeStateMetrics,
        Program::NodeExporter,
    ]);
    programs
}

fn assert_sorted<K: Ord + std::fmt::Debug>(table: &str, keys: &[K]) {
    assert!(keys.len() > 10, "{table} is nearly empty");
    let wrong = keys.windows(2).find(|pair| pair[0] >= pair[1]);
    assert_eq!(wrong, None, "{table}: not sorted or not unique");
}

fn assert_sound(name: &str, range: VersionRange, lifetime: &Lifetime) {
    let Lifetime { first, last, deprecated, .. } = *lifetime;
    assert!(range.contains(first), "{name} begins outside of what was read");
    assert!(last.is_none_or(|last| first <= last && last < range.max), "{name} ends before it begins");
    assert!(deprecated.is_none_or(|since| first <= since), "{name} is deprecated before it begins");
    assert!(
        last.zip(deprecated).is_none_or(|(last, since)| since <= last),
        "{name} is deprecated after its end"
    );
}

const NO_FAULT: [Fault; 0] = [];

#[test]
fn tables_of_flags_are_readable_sorted_and_unique() {
    for program in programs() {
        let table = flags::table(&program);
        assert_eq!(table.faults, NO_FAULT, "{program}");
        let keys: Vec<_> = table.rows.iter().map(|row| (row.component, row.facts.name)).collect();
        assert_sorted(&program.to_string(), &keys);
        for row in &table.rows {
            assert_sound(row.facts.name, supported_range(&program), &row.lifetime);
        }
    }
}

#[test]
fn tables_of_names_are_readable_sorted_and_unique() {
    let range = supported_range(&Program::Prometheus);
    assert_eq!(features::table().faults, NO_FAULT);
    assert_sorted("features", &features::table().rows.iter().map(|row| row.name).collect::<Vec<_>>());
    for row in &features::table().rows {
        assert_sound(row.name, range, &row.lifetime);
    }
    assert_eq!(fields::table().faults, NO_FAULT);
    assert_sorted("fields", &fields::table().rows.iter().map(|row| row.path).collect::<Vec<_>>());
    for row in &fields::table().rows {
        assert_sound(row.path, range, &row.lifetime);
    }
    assert_eq!(images::table().faults, NO_FAULT);
    assert_sorted(
        "images",
        &images::table().rows.iter().map(|row| (row.image, row.since)).collect::<Vec<_>>(),
    );
}

#[test]
fn every_replacement_exists_once_it_is_needed() {
    let replaced = |program: &Program, name: &str, lifetime: &Lifetime| {
        // The first release in which somebody would follow the advice.
        let newest = supported_range(program).max;
        let when = lifetime.deprecated.unwrap_or(newest);
        let answer = match lifetime.instead {
            None | Some(Replacement::AlwaysOn) => return,
            Some(Replacement::Flag(flag)) => flag_status(program, newest.max(when), flag),
            Some(Replacement::Field(path)) => config_field_status(newest, path),
        };
        assert!(
            matches!(answer, FlagStatus::Known | FlagStatus::Deprecated { .. }),
            "{program} {name}: {answer:?}"
        );
    };
    for program in programs() {
        let component = match program {
            Program::Thanos(component) => component.as_str(),
            _ => "",
        };
        for row in flags::table(&program).rows.iter().filter(|row| row.component == component) {
            replaced(&program, row.facts.name, &row.lifetime);
        }
    }
    for row in &features::table().rows {
        replaced(&Program::Prometheus, row.name, &row.lifetime);
    }
    for row in &fields::table().rows {
        replaced(&Program::Prometheus, row.path, &row.lifetime);
    }
}

#[test]
fn every_image_has_one_default_and_it_is_supported() {
    for image in Image::ALL {
        let defaults =
            images::table().rows.iter().filter(|row| row.image == image.as_str() && row.default.is_some());
        assert_eq!(defaults.count(), 1, "{image:?}");
        assert!(image_facts(image, None).is_ok(), "{image:?}");
    }
    for program in programs() {
        let default = default_version(program);
        assert!(supported_range(&program).contains(at(default)), "{program} {default}");
    }
}

#[test]
fn versions_are_read_and_compared_as_numbers() {
    assert_eq!(at("v0.42.4"), Version::new(0, 42, 4));
    assert_eq!(at("1.37").to_string(), "1.37.0");
    assert!(at("3.9.1") < at("3.14"));
    for wrong in
        ["", "v", "3", "3.", "3.x", "3.14.0.1", "3.14.0-rc.0", "+3.1", "3.-1", "vv1.2", "3.99999999999"]
    {
        let error = wrong.parse::<Version>().expect_err(wrong);
        assert!(error.to_string().contains(&format!("`{wrong}`")), "{error}");
    }
}

#[test]
fn ranges_cover_later_patches_of_the_newest_release() {
    let range = supported_range(&Program::Prometheus);
    assert!(range.contains(at("2.37.0")) && range.contains(at("3.14.7")));
    assert!(!range.contains(at("2.36.2")) && !range.contains(at("3.15.0")));
}

#[test]
fn thanos_query_lost_store_after_0_37() {
    let query = Program::Thanos(Component::Query);
    let instead = Some(Replacement::Flag("--endpoint"));
    let deprecated = FlagStatus::Deprecated { since: at("0.28.0"), instead };
    assert_eq!(flag_status(&query, at("0.37"), "--store"), deprecated);
    assert_eq!(flag_status(&query, at("0.37.9"), "--store=dnssrv+_grpc._tcp.store"), deprecated);
    let removed = FlagStatus::Removed { last: at("0.37.2"), instead };
    assert_eq!(flag_status(&query, at("0.38.0"), "--store"), removed);
    assert_eq!(flag_status(&query, at("0.99.0"), "--store"), removed);
}

#[test]
fn prometheus_2_flags_at_the_edges_of_their_lives() {
    let prometheus = Program::Prometheus;
    let status = |version: &str, flag: &str| flag_status(&prometheus, at(version), flag);
    assert_eq!(status("3.11.3", "--config.auto-reload"), FlagStatus::NotYet { since: at("3.12.0") });
    assert_eq!(status("3.12.0", "--config.auto-reload"), FlagStatus::Known);
    let delay = "--storage.tsdb.delay-compact-file.path=/prometheus/thanos.shipper.json";
    assert_eq!(status("3.8.1", delay), FlagStatus::NotYet { since: at("3.9.0") });
    assert_eq!(status("3.9.0", delay), FlagStatus::Known);
    assert_eq!(status("2.37.0", "--web.enable-lifecycle"), FlagStatus::Known);
    assert_eq!(status("3.14.0", "--no-web.enable-lifecycle"), FlagStatus::Known);
    assert_eq!(status("2.0.0", "--web.enable-lifecycle"), FlagStatus::Known);
    assert!(matches!(status("3.0.0", "--storage.tsdb.retention"), FlagStatus::Removed { .. }));
    assert_eq!(
        status("3.14.0", "--storage.tsdb.retention.time=6h"),
        FlagStatus::Deprecated {
            since: at("3.8.0"),
            instead: Some(Replacement::Field("storage.tsdb.retention.time"))
        }
    );
}

#[test]
fn thanos_flags_at_the_edges_of_their_lives() {
    let cases = [
        (Component::Query, "--endpoint.sd-config", "0.38.0"),
        (Component::Query, "--query.promql-engine", "0.29.0"),
        (Component::Query, "--query.partition-label", "0.37.0"),
        (Component::Sidecar, "--reloader.method", "0.34.0"),
        (Component::Sidecar, "--shipper.upload-concurrency", "0.41.0"),
        (Component::Store, "--objstore-parquet.config-file", "0.42.0"),
        (Component::Receive, "--tsdb.out-of-order.time-window", "0.30.0"),
        (Component::Rule, "--rule-query-offset", "0.38.0"),
        (Component::QueryFrontend, "--query-frontend.force-query-stats", "0.37.0"),
        (Component::Compact, "--disable-admin-operations", "0.33.0"),
    ];
    for (component, flag, since) in cases {
        let program = Program::Thanos(component);
        let since = at(since);
        let before = Version { minor: since.minor - 1, ..since };
        assert_eq!(flag_status(&program, before, flag), FlagStatus::NotYet { since }, "{program} {flag}");
        assert_eq!(flag_status(&program, since, flag), FlagStatus::Known, "{program} {flag}");
    }
    let always =
        ["--tsdb.path", "--prometheus.url", "--objstore.config-file", "--reloader.rule-dir", "--log.level"];
    for flag in always {
        for version in ["0.28.0", "0.43.0"] {
            let status = flag_status(&Program::Thanos(Component::Sidecar), at(version), flag);
            assert_eq!(status, FlagStatus::Known, "{version} {flag}");
        }
    }
}

#[test]
fn flags_of_one_component_are_not_those_of_another() {
    let store = Program::Thanos(Component::Store);
    assert!(matches!(flag_status(&store, at("0.42.4"), "--tsdb.path"), FlagStatus::Unknown { .. }));
    assert!(matches!(
        flag_status(&Program::Thanos(Component::Compact), at("0.42.4"), "--grpc-address"),
        FlagStatus::Unknown { .. }
    ));
}

#[test]
fn a_misspelt_flag_gets_a_proposal_that_the_release_accepts() {
    let unknown =
        |suggestion: Option<&str>| FlagStatus::Unknown { suggestion: suggestion.map(str::to_owned) };
    let compact = Program::Thanos(Component::Compact);
    assert_eq!(flag_status(&compact, at("0.42.4"), "--data-dirs=/x"), unknown(Some("--data-dir")));
    assert_eq!(flag_status(&compact, at("0.42.4"), "--frobnicate"), unknown(None));
    let long = format!("--{}", "x".repeat(100_000));
    assert_eq!(flag_status(&compact, at("0.42.4"), &long), unknown(None));
    let prometheus = Program::Prometheus;
    assert_ne!(
        flag_status(&prometheus, at("3.0.0"), "--config.auto-relod"),
        unknown(Some("--config.auto-reload")),
        "proposed a flag that came later"
    );
}

#[test]
fn only_switches_of_programs_with_negation_can_be_negated() {
    let known = |program: Program, flag: &str| flag_status(&program, at("99.0"), flag) == FlagStatus::Known;
    assert!(known(Program::NodeExporter, "--no-collector.wifi"));
    assert!(!known(Program::NodeExporter, "--no-path.rootfs"));
    assert!(known(Program::KubeStateMetrics, "--use-apiserver-cache"));
    assert!(!known(Program::KubeStateMetrics, "--no-use-apiserver-cache"));
}

#[test]
fn traits_follow_the_flag() {
    let facts = |program: Program, flag: &str| *flag_facts(&program, flag).expect(flag);
    let sidecar = Program::Thanos(Component::Sidecar);
    assert_eq!(facts(sidecar, "--reloader.rule-dir").repeatable_since, Some(at("0.28.0")));
    assert!(facts(sidecar, "--shipper.ignore-unequal-block-size").hidden);
    assert_eq!(facts(Program::Prometheus, "--web.listen-address").repeatable_since, Some(at("2.55.0")));
    assert!(facts(Program::Prometheus, "--storage.agent.path").agent_only);
    assert!(facts(Program::Prometheus, "--storage.tsdb.path").server_only);
    assert!(facts(Program::Alertmanager, "--cluster.peer").repeatable_since.is_some());
    assert!(!facts(Program::KubeStateMetrics, "--resources").switch);
    assert_eq!(flag_facts(&sidecar, "--nope"), None);
}

#[test]
fn listing_a_release_leaves_out_what_it_does_not_accept() {
    let has = |version: &str, flag: &str| {
        flags(&Program::Thanos(Component::Query), at(version)).any(|facts| facts.name == flag)
    };
    assert!(has("0.37.2", "--store-strict") && !has("0.38.0", "--store-strict"));
    assert!(!has("0.37.2", "--endpoint.sd-config") && has("0.38.0", "--endpoint.sd-config"));
}

#[test]
fn feature_names_live_and_die() {
    let status = |version: &str, feature: &str| prometheus_feature_status(at(version), feature);
    assert_eq!(status("2.55.1", "expand-external-labels"), FeatureStatus::Active);
    assert_eq!(
        status("3.0.0", "expand-external-labels"),
        FeatureStatus::Removed { last: at("2.55.1"), instead: Some(Replacement::AlwaysOn) }
    );
    assert_eq!(status("2.39.2", "native-histograms"), FeatureStatus::NotYet { since: at("2.40.0") });
    assert!(matches!(status("3.8.0", "native-histograms"), FeatureStatus::Deprecated { .. }));
    let field = Some(Replacement::Field("scrape_configs.scrape_native_histograms"));
    let no_effect = FeatureStatus::NoEffect { since: at("3.9.0"), instead: field };
    assert_eq!(status("3.14.0", "native-histograms"), no_effect);
    let agent = FeatureStatus::Removed { last: at("2.55.1"), instead: Some(Replacement::Flag("--agent")) };
    assert_eq!(status("3.14.0", "agent"), agent);
    let unknown = FeatureStatus::Unknown { suggestion: Some("exemplar-storage".to_owned()) };
    assert_eq!(status("3.14.0", "examplar-storage"), unknown);
}

#[test]
fn fields_live_and_die() {
    let since = |path: &str| config_field_since(path).map(|version| version.to_string());
    let cases = [
        ("scrape_configs.keep_dropped_targets", "2.47.0"),
        ("global.metric_name_validation_scheme", "2.55.0"),
        ("scrape_configs.convert_classic_histograms_to_nhcb", "3.0.0"),
        ("scrape_config_files", "2.43.0"),
        ("storage.tsdb.retention.time", "3.8.0"),
        ("storage.tsdb.out_of_order_time_window", "2.39.0"),
        ("rule_group.query_offset", "2.53.0"),
        ("rule.keep_firing_for", "2.42.0"),
        ("kubernetes_sd_configs.role=endpointslice", "2.37.0"),
        ("relabel_config.action=keepequal", "2.41.0"),
    ];
    for (path, first) in cases {
        assert_eq!(since(path).as_deref(), Some(first), "{path}");
    }
    assert_eq!(since("scrape_classes"), None);
    assert_eq!(
        config_field_status(at("3.0.0"), "scrape_configs.scrape_classic_histograms"),
        FlagStatus::Removed {
            last: at("2.55.1"),
            instead: Some(Replacement::Field("scrape_configs.always_scrape_classic_histograms"))
        }
    );
}

#[test]
fn shared_blocks_are_found_through_every_place_that_takes_them() {
    let known = [
        "scrape_configs.authorization.credentials_file",
        "scrape_configs.tls_config.ca_file",
        "scrape_configs.relabel_configs.action=hashmod",
        "scrape_configs.metric_relabel_configs.source_labels",
        "scrape_configs.kubernetes_sd_configs.namespaces.names",
        "scrape_configs.kubernetes_sd_configs.tls_config.ca_file",
        "scrape_configs.http_sd_configs.basic_auth.username",
        "scrape_configs.static_configs.targets",
        "alerting.alert_relabel_configs.regex",
        "alerting.alertmanagers.basic_auth",
        "alerting.alertmanagers.dns_sd_configs.names",
        "alerting.alertmanagers.kubernetes_sd_configs",
        "alerting.alertmanagers.static_configs.targets",
        "remote_write.oauth2.tls_config.ca_file",
        "remote_write.write_relabel_configs.action",
        "tracing.tls_config.ca_file",
    ];
    for path in known {
        assert_eq!(config_field_status(at("3.14.0"), path), FlagStatus::Known, "{path}");
    }
    for path in
        ["global.authorization", "scrape_configs.relabel_configs.actoin", "rule_files.tls_config", "."]
    {
        let status = config_field_status(at("3.14.0"), path);
        assert!(matches!(status, FlagStatus::Unknown { .. }), "{path}: {status:?}");
    }
}

#[test]
fn images_know_their_tag_and_their_user() {
    let thanos = |release: &str| image_facts(Image::Thanos, Some(release)).expect(release);
    assert_eq!(thanos("0.42.4").to_string(), "quay.io/thanos/thanos:v0.42.4");
    assert_eq!((thanos("v0.32.0").uid, thanos("0.31.0").uid), (1001, 0));
    let reference = |image: Image| image_facts(image, None).expect("a default").to_string();
    assert_eq!(reference(Image::Prometheus), "quay.io/prometheus/prometheus:v3.14.0");
    assert_eq!(reference(Image::Memcached), "docker.io/library/memcached:1.6.45-alpine");
    assert_eq!(reference(Image::Minio), "quay.io/minio/minio:RELEASE.2025-09-07T16-13-09Z");
    let distroless = image_facts(Image::PrometheusDistroless, Some("3.14")).expect("a release");
    assert_eq!((distroless.tag.as_str(), distroless.uid), ("v3.14.0-distroless", 65532));
    let sidecar = image_facts(Program::Thanos(Component::Sidecar), None).expect("a default");
    assert_eq!(sidecar, thanos(default_version(Image::Thanos)));
    assert!(image_facts(Image::Thanos, Some("latest")).is_err());
}
