//! Alertmanager: its configuration, its cluster, its secrets.

use compiler::render::yaml;
use serde_json::{Value, json};

use super::{assert_found, assert_not_found, findings, object, objects, render, rendered, run, text, write};

const FILE: &str = "70-alertmanager.yaml";

const GENERATED: &str = r##"
topology demo {
    prometheus
    alertmanager retention="240h" external-url="https://am.example.net/alerts" {
        receiver team slack="secret:slack/url" channel="#alerts"
        receiver pager severity=critical pagerduty="secret:pagerduty/key" send-resolved=#true
        receiver copy severity=critical team="a\"b" slack="secret:slack/other" channel="#critical"
    }
}
"##;

fn config(text: &str) -> Value {
    yaml::parse(text).expect("YAML").remove(0)
}

#[test]
fn receivers_become_routes() {
    let outcome = rendered(GENERATED, &[]);
    let config = config(&text(&outcome, "raw/alertmanager.yml"));
    assert_eq!(config["route"]["receiver"], "team");
    assert_eq!(config["route"]["group_by"], json!(["alertname", "cluster", "namespace"]));
    assert_eq!(
        config["route"]["routes"],
        json!([
            { "receiver": "null", "matchers": ["alertname=\"Watchdog\""] },
            { "receiver": "pager", "matchers": ["severity=\"critical\""], "continue": true },
            { "receiver": "copy", "matchers": ["severity=\"critical\"", "team=\"a\\\"b\""] },
        ])
    );
    assert_eq!(
        config["receivers"],
        json!([
            { "name": "null" },
            { "name": "team", "slack_configs": [{ "api_url_file": "/etc/alertmanager/secrets/slack/url", "channel": "#alerts" }] },
            { "name": "pager", "pagerduty_configs": [{ "routing_key_file": "/etc/alertmanager/secrets/pagerduty/key", "send_resolved": true }] },
            { "name": "copy", "slack_configs": [{ "api_url_file": "/etc/alertmanager/secrets/slack/other", "channel": "#critical" }] },
        ])
    );
}

#[test]
fn amtool_takes_it_and_routes_as_meant() {
    let outcome = rendered(GENERATED, &[]);
    let folder = tempfile::tempdir().expect("a folder");
    write(&outcome, folder.path());
    let path = folder.path().join("raw/alertmanager.yml").display().to_string();
    let printed = run("amtool", &["check-config", &path]);
    assert!(printed.contains("SUCCESS"), "{printed}");
    let route = |labels: &[&str]| {
        let option = format!("--config.file={path}");
        let mut args = vec!["config", "routes", "test", option.as_str()];
        args.extend(labels);
        run("amtool", &args).trim().to_string()
    };
    assert_eq!(route(&["alertname=Watchdog", "severity=none"]), "null");
    assert_eq!(route(&["alertname=X", "severity=critical"]), "pager");
    assert_eq!(route(&["alertname=X", "severity=critical", r#"team="a\"b""#]), "pager,copy");
    assert_eq!(route(&["alertname=X", "severity=warning"]), "team");
}

#[test]
fn the_watchdog_goes_where_it_is_wanted() {
    let outcome = rendered(
        r#"topology t { prometheus; alertmanager {
            receiver all slack="secret:slack/url" channel=a
            receiver snitch alertname=Watchdog pagerduty="secret:s/url"
        }; }"#,
        &[],
    );
    let config = config(&text(&outcome, "raw/alertmanager.yml"));
    assert_eq!(
        config["route"]["routes"],
        json!([{ "receiver": "snitch", "matchers": ["alertname=\"Watchdog\""] }])
    );
}

#[test]
fn replicas_form_a_cluster() {
    let outcome = rendered(GENERATED, &[]);
    let set = object(&outcome, FILE, "StatefulSet/demo-alertmanager");
    let pod = &set["spec"]["template"]["spec"];
    let container = &pod["containers"][0];
    let args: Vec<&str> =
        container["args"].as_array().expect("args").iter().filter_map(Value::as_str).collect();
    let peers: Vec<&str> = args.iter().filter_map(|arg| arg.strip_prefix("--cluster.peer=")).collect();
    assert_eq!(
        peers,
        [
            "demo-alertmanager-0.demo-alertmanager-headless.monitoring.svc:9094",
            "demo-alertmanager-1.demo-alertmanager-headless.monitoring.svc:9094",
            "demo-alertmanager-2.demo-alertmanager-headless.monitoring.svc:9094",
        ]
    );
    for expected in [
        "--cluster.listen-address=[$(POD_IP)]:9094",
        "--config.file=/etc/alertmanager/config/alertmanager.yml",
        "--data.retention=240h",
        "--storage.path=/alertmanager",
        "--web.external-url=https://am.example.net/alerts",
        "--web.route-prefix=/",
    ] {
        assert!(args.contains(&expected), "{expected} in {args:?}");
    }
    assert_eq!(container["readinessProbe"]["httpGet"], json!({ "path": "/-/ready", "port": "http" }));
    assert_eq!(container["livenessProbe"]["httpGet"], json!({ "path": "/-/healthy", "port": "http" }));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["spec"]["resources"]["requests"]["storage"], "2Gi");
    let slack = &pod["volumes"].as_array().expect("volumes").last().expect("one")["secret"];
    assert_eq!(slack["secretName"], "slack");
    assert_eq!(slack["items"], json!([{ "key": "other", "path": "other" }, { "key": "url", "path": "url" }]));
    let kinds: Vec<Value> =
        objects(&outcome, FILE).into_iter().map(|mut object| object["kind"].take()).collect();
    for kind in
        ["ConfigMap", "StatefulSet", "Service", "PodDisruptionBudget", "NetworkPolicy", "ServiceAccount"]
    {
        assert!(kinds.contains(&json!(kind)), "{kind} in {kinds:?}");
    }
}

#[test]
fn a_changed_configuration_changes_the_pods() {
    let hash = |topology: &str| {
        let outcome = rendered(topology, &[]);
        let set = object(&outcome, FILE, "StatefulSet/demo-alertmanager");
        set["spec"]["template"]["metadata"]["annotations"]["checksum/config"].to_string()
    };
    assert_eq!(hash(GENERATED), hash(&GENERATED.replace("240h", "100h")));
    assert_ne!(hash(GENERATED), hash(&GENERATED.replace("#alerts", "#others")));
}

#[test]
fn one_replica_has_no_cluster() {
    let outcome = rendered("topology demo { prometheus; alertmanager replicas=1; }", &[]);
    let set = object(&outcome, FILE, "StatefulSet/demo-alertmanager");
    let args = set["spec"]["template"]["spec"]["containers"][0]["args"].to_string();
    assert!(args.contains("\"--cluster.listen-address=\"") && !args.contains("--cluster.peer"), "{args}");
    assert_found(&outcome, "ALR006 warning top.kdl:1:29: Alertmanager has no receiver");
}

const CONFIG: &str = "\
# ours
route: {receiver: team, routes: [{receiver: pager, matchers: ['severity=\"critical\"']}]}
receivers:
  - name: team
    slack_configs: [{api_url_file: /etc/alertmanager/secrets/slack/url, channel: '#a'}]
  - name: pager
    pagerduty_configs: [{routing_key_file: /etc/alertmanager/secrets/pd/key}]
";

#[test]
fn a_file_of_the_user_stays_as_it_is() {
    let topology = r#"topology demo { prometheus; alertmanager config="am/config.yaml"; }"#;
    let outcome = rendered(topology, &[("am/config.yaml", CONFIG)]);
    assert_eq!(text(&outcome, "raw/alertmanager.yml"), CONFIG);
    let map = object(&outcome, FILE, "ConfigMap/demo-alertmanager-config");
    assert_eq!(map["data"]["alertmanager.yml"], CONFIG);
    let mounts =
        object(&outcome, FILE, "StatefulSet/demo-alertmanager")["spec"]["template"]["spec"]["containers"][0]
            ["volumeMounts"]
            .to_string();
    assert!(
        mounts.contains("/etc/alertmanager/secrets/slack") && mounts.contains("/etc/alertmanager/secrets/pd")
    );
}

#[test]
fn a_broken_file_is_not_rendered() {
    let topology = r#"topology demo { prometheus; alertmanager config="am.yaml"; }"#;
    let broken = CONFIG.replace("receiver: pager", "receiver: pgaer") + "recievers: []\n";
    let outcome = render(topology, &[("am.yaml", &broken)]);
    assert_found(&outcome, "ALR010 error top.kdl:1:29: a route names receiver `pgaer`, which is not there");
    assert_found(&outcome, "ALR010 error top.kdl:1:29: Alertmanager's configuration has no `recievers`");
    let outcome = render(topology, &[("am.yaml", "route: {receiver: [")]);
    assert_found(&outcome, "ALR010 error am.yaml:1:");
    let outcome =
        render(topology, &[("am.yaml", "route: {receiver: a}\nreceivers: [{name: a}]\n---\nx: 1\n")]);
    assert_found(&outcome, "ALR010 error top.kdl:1:49: Alertmanager reads one document");
    assert!(outcome.artefacts.is_empty());
}

#[test]
fn no_secret_in_clear_text() {
    let outcome = render(
        r#"topology t { prometheus; alertmanager { receiver a slack="https://hooks.example.net/T0P" channel=x; }; }"#,
        &[],
    );
    assert_found(&outcome, "SEC001 error top.kdl:1:58: a secret in clear text");
    let file =
        "route: {receiver: a}\nreceivers:\n  - name: a\n    pagerduty_configs:\n      - routing_key: T0P\n";
    let outcome =
        render(r#"topology t { prometheus; alertmanager config="am.yaml"; }"#, &[("am.yaml", file)]);
    assert_found(&outcome, "SEC001 error am.yaml:5:9: `receivers.pagerduty_configs.routing_key`");
    assert!(findings(&outcome).iter().all(|found| !found.contains("T0P")));

    let bare = rendered(
        r#"topology t profile=bare { prometheus; alertmanager { receiver a slack="https://hooks.example.net/T0P" channel=x; }; }"#,
        &[],
    );
    assert_found(&bare, "SEC001 info");
    let holders: Vec<&str> = bare
        .artefacts
        .iter()
        .filter(|artefact| artefact.text().contains("T0P"))
        .map(|artefact| artefact.path.as_str())
        .collect();
    assert_eq!(holders, [FILE]);
    let secret = object(&bare, FILE, "Secret/alertmanager-config");
    assert!(secret["stringData"]["alertmanager.yml"].as_str().is_some_and(|text| text.contains("T0P")));
}

#[test]
fn the_mail_server_is_written_in_alertmanagers_words() {
    let outcome =
        render(r#"topology t { prometheus; alertmanager { receiver a email="a@example.net"; }; }"#, &[]);
    assert_found(&outcome, "KDL005 error top.kdl:1:58: an e-mail receiver needs a mail server");
    let outcome = rendered(
        r#"topology t { prometheus; alertmanager {
            yaml """
                global: {smtp_smarthost: "mail.example.net:587", smtp_from: am@example.net}
                """
            receiver a email="a@example.net"
        }; }"#,
        &[],
    );
    let folder = tempfile::tempdir().expect("a folder");
    write(&outcome, folder.path());
    let path = folder.path().join("raw/alertmanager.yml").display().to_string();
    assert!(run("amtool", &["check-config", &path]).contains("SUCCESS"));
    assert_not_found(&outcome, "ALR006");
}

#[test]
fn somebody_elses_is_not_deployed() {
    let outcome =
        rendered(r#"topology t { prometheus; alertmanager external="https://am.example.net/prod"; }"#, &[]);
    assert!(outcome.artefacts.iter().all(|artefact| !artefact.path.contains("alertmanager.y")));
    let prometheus = text(&outcome, "raw/prometheus-shard-0.yml");
    let alerting = config(&prometheus)["alerting"]["alertmanagers"].take();
    assert_eq!(
        alerting,
        json!([{ "scheme": "https", "path_prefix": "/prod", "static_configs": [{ "targets": ["am.example.net:443"] }] }])
    );
    let outcome = render(r#"topology t { prometheus; alertmanager external="nowhere"; }"#, &[]);
    assert_found(&outcome, "KDL007 error top.kdl:1:48: `nowhere` is no address");
}
