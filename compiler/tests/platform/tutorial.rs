//! The tutorial's own files, parsed, against what `bare` makes of its topology. They are looked up in `PRONOIA_SHARED`.

use std::path::Path;

use compiler::render::yaml;
use serde_json::Value;

use super::{object, objects, rendered, text};

const TOPOLOGY: &str = include_str!("../../../examples/tutorial.kdl");

const FILES: [&str; 8] = [
    "03-state-sa.yaml",
    "04-state-deploy.yaml",
    "05-state-svc.yaml",
    "09-storageclass.yaml",
    "12-test-deployment.yaml",
    "13-minio-deploy.yaml",
    "14-minio-pvc.yaml",
    "15-minio-ingress.yaml",
];

#[test]
fn objects_are_those_of_the_tutorials_files() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else { return };
    let folder = Path::new(&shared).join("tutorial/yaml");
    let read = |file: &str| {
        let text =
            std::fs::read_to_string(folder.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        yaml::parse(&text).unwrap_or_else(|error| panic!("{file}: {error}"))
    };
    let outcome = rendered(TOPOLOGY);
    let found = objects(&outcome);
    for expected in FILES.iter().flat_map(|file| read(file)) {
        let part = |pointer: &str| expected.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
        let key = format!("{}/{}", part("/kind"), part("/metadata/name"));
        assert_eq!(found.get(&key), Some(&expected), "{key}");
    }
    let secret = object(&outcome, "Secret/thanos-objectstorage");
    let objstore = yaml::parse(secret["stringData"]["thanos.yaml"].as_str().expect("a text")).expect("YAML");
    assert_eq!(objstore, read("16-thanos-storage-minio.yaml"));
}

#[test]
fn class_and_provisioner_agree_on_one_name() {
    let outcome = rendered(TOPOLOGY);
    let class = object(&outcome, "StorageClass/thanos-storage");
    let deployment = object(&outcome, "Deployment/thanos-nfs-client-provisioner");
    let env = &deployment["spec"]["template"]["spec"]["containers"][0]["env"];
    assert_eq!(class["provisioner"], env[0]["value"]);
    assert_eq!(env[1]["value"], "192.168.200.101");
    assert_eq!(env[2]["value"], "/data/thanos");
    assert_eq!(
        object(&outcome, "PersistentVolumeClaim/minio-pvc")["spec"]["storageClassName"],
        "thanos-storage"
    );
}

#[test]
fn the_password_stays_where_the_tutorial_has_it() {
    let outcome = rendered(TOPOLOGY);
    let places: Vec<&str> = outcome
        .artefacts
        .iter()
        .filter(|artefact| artefact.text().contains("minio123"))
        .map(|artefact| artefact.path.as_str())
        .collect();
    assert_eq!(places, ["50-bucket/minio.yaml", "50-bucket/objstore.yaml"]);
    assert!(text(&outcome, "raw/objstore.yml").contains("secret_key: '$(OBJSTORE_SECRET_KEY)'"));
    assert!(outcome.diagnostics.iter().all(|found| !format!("{found:?}").contains("minio123")));
}
