//! Thanos components: what a topology makes of the store gateway, compactor, querier, ruler and receivers.

mod bare;
mod hardened;
mod receive;
mod several;
mod versions;

use compiler::diagnostic::{Diagnostic, Severity};
use compiler::pipeline::{Outcome, Request, render};
use compiler::render::yaml;
use compiler::source::MemoryWorld;
use serde_json::Value;

/// The rendered objects of a topology.
struct Tree {
    outcome: Outcome,
    objects: Vec<(String, Value)>,
}

fn outcome(kdl: &str) -> Outcome {
    let world = MemoryWorld::single("t.kdl", kdl);
    render(&world, &Request { path: "t.kdl".to_string(), ..Request::default() })
}

fn tree(kdl: &str) -> Tree {
    let outcome = outcome(kdl);
    let errors: Vec<&Diagnostic> =
        outcome.diagnostics.iter().filter(|found| found.severity == Severity::Error).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    let mut objects = Vec::new();
    for artefact in outcome.artefacts.iter().filter(|artefact| artefact.path.ends_with(".yaml")) {
        for object in yaml::parse(&artefact.text()).expect("rendered YAML parses") {
            objects.push((artefact.path.clone(), object));
        }
    }
    Tree { outcome, objects }
}

impl Tree {
    /// `KIND/NAME` of a file, in the order of the file.
    fn titles(&self, file: &str) -> Vec<String> {
        self.objects.iter().filter(|(path, _)| path == file).map(|(_, object)| title(object)).collect()
    }

    fn object(&self, wanted: &str) -> &Value {
        let found = self.objects.iter().find(|(_, object)| title(object) == wanted);
        let Some((_, object)) = found else {
            let titles: Vec<String> = self.objects.iter().map(|(_, object)| title(object)).collect();
            panic!("no {wanted} among {titles:#?}");
        };
        object
    }

    fn has(&self, wanted: &str) -> bool {
        self.objects.iter().any(|(_, object)| title(object) == wanted)
    }

    fn args(&self, wanted: &str) -> Vec<&str> {
        let args = self.object(wanted).pointer("/spec/template/spec/containers/0/args");
        args.and_then(Value::as_array).expect("args").iter().map(|arg| arg.as_str().expect("text")).collect()
    }

    /// Values of one flag.
    fn flag(&self, wanted: &str, flag: &str) -> Vec<&str> {
        let start = format!("{flag}=");
        self.args(wanted).into_iter().filter_map(|arg| arg.strip_prefix(&start)).collect()
    }

    fn text(&self, path: &str) -> String {
        let artefact = self.outcome.artefacts.iter().find(|artefact| artefact.path == path);
        artefact.unwrap_or_else(|| panic!("no {path}")).text().into_owned()
    }
}

fn title(object: &Value) -> String {
    let part = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("");
    format!("{}/{}", part("/kind"), part("/metadata/name"))
}

/// Everything that can be said about the Thanos components, in one cluster.
const EVERYTHING: &str = r#"
topology all {
    target prometheus="2.53.0" thanos="VERSION"
    prometheus replicas=2 retention="24h" {
        identity cluster=all
        every "30s"
        shards 2
        scrape self
    }
    bucket metrics { s3 bucket=metrics endpoint="s3.example.net" region=eu auth=irsa role="arn:aws:iam::1:role/t"; }
    store shards=2 replicas=2 cache="memcached:dnssrvnoa+_client._tcp.memcached" {
        window "0d" "14d"
        window "14d" "2y" replicas=1
    }
    compact by=shard concurrency=2 delete-delay="24h" {
        keep raw="30d" m5="180d" h1="2y"
        dedup func=penalty
    }
    query replicas=3 engine=thanos timeout="90s" host="query.example.net" tls="secret:query-tls/tls.crt" {
        frontend cache=memcached split="36h"
        partial-response abort
    }
    ruler every="15s"
    receive replicas=5 factor=3 out-of-order="10m" {
        tenants header=X-Tenant default=shared label=tenant {
            tenant retail limit-series=3000 shard-size=3
            tenant platform limit-request-samples=500 limit-request-series=400
        }
        hashring ketama zones=#true
        routers ingress="receive.example.net"
    }
    alertmanager
}
"#;

fn everything(version: &str) -> Tree {
    tree(&EVERYTHING.replace("VERSION", version))
}
