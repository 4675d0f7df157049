//! What each role may do with the bucket: only the compactor deletes.

use serde_json::{Value, json};

use crate::model::bucket::{self, Provider, bucket_name};
use crate::render::output::Output;
use crate::topology::nodes::bucket::{Azure, Bucket, S3};

/// Rights of one role.
struct Role {
    name: &'static str,
    writes: bool,
    deletes: bool,
}

const ROLES: [Role; 3] = [
    Role { name: "uploader", writes: true, deletes: false },
    Role { name: "reader", writes: false, deletes: false },
    Role { name: "compactor", writes: true, deletes: true },
];

/// Adds `policies/{uploader,reader,compactor}.json`, in the provider's own form.
pub fn render(out: &mut Output) {
    let cluster = out.cluster;
    let Some(bucket) = &cluster.topology.bucket else { return };
    for role in &ROLES {
        let policy = match bucket::provider(bucket) {
            Some(Provider::Minio(_)) => s3(bucket, None, role),
            Some(Provider::S3(node)) => s3(bucket, Some(node), role),
            Some(Provider::Gcs(_)) => gcs(bucket, role),
            Some(Provider::Azure(node)) => azure(bucket, node, role),
            Some(Provider::Filesystem(_)) | None => continue,
        };
        let mut text = serde_json::to_string_pretty(&policy).unwrap_or_default();
        text.push('\n');
        out.text(&format!("policies/{}.json", role.name), vec![text.into()]);
    }
}

fn s3(bucket: &Bucket, node: Option<&S3>, role: &Role) -> Value {
    let region = node.and_then(|node| node.region.as_ref()).map_or("", |region| region.value.as_str());
    let partition = match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let all = format!("arn:{partition}:s3:::{}", bucket_name(bucket));
    let objects = match bucket.prefix.as_ref().map(|prefix| prefix.value.trim_matches('/')) {
        Some(prefix) if !prefix.is_empty() => format!("{all}/{prefix}/*"),
        _ => format!("{all}/*"),
    };
    let mut actions = vec!["s3:GetObject"];
    if role.writes {
        actions.push("s3:PutObject");
    }
    if role.deletes {
        actions.push("s3:DeleteObject");
    }
    json!({
        "Version": "2012-10-17",
        "Statement": [
            { "Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [all] },
            { "Sid": "Objects", "Effect": "Allow", "Action": actions, "Resource": [objects] },
        ],
    })
}

fn gcs(bucket: &Bucket, role: &Role) -> Value {
    let roles: &[&str] = match (role.writes, role.deletes) {
        (_, true) => &["roles/storage.objectUser"],
        (true, false) => &["roles/storage.objectCreator", "roles/storage.objectViewer"],
        (false, false) => &["roles/storage.objectViewer"],
    };
    json!({ "resource": format!("projects/_/buckets/{}", bucket_name(bucket)), "roles": roles })
}

fn azure(bucket: &Bucket, node: &Azure, role: &Role) -> Value {
    const BLOBS: &str = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs";
    let mut actions = vec![format!("{BLOBS}/read")];
    if role.writes {
        actions.extend([format!("{BLOBS}/write"), format!("{BLOBS}/add/action")]);
    }
    if role.deletes {
        actions.push(format!("{BLOBS}/delete"));
    }
    let account = node.account.as_ref().map_or("", |account| account.value.as_str());
    json!({
        "Name": format!("Thanos {} of {account}/{}", role.name, bucket_name(bucket)),
        "IsCustom": true,
        "Description": "Rights of one role of a Thanos bucket.",
        "Actions": ["Microsoft.Storage/storageAccounts/blobServices/containers/read"],
        "DataActions": actions,
        "AssignableScopes": ["/subscriptions/SUBSCRIPTION"],
    })
}
