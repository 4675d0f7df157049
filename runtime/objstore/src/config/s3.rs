//! `type: S3`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::http::{self, HttpSettings, HttpYaml};
use super::{ConfigError, Secret};

const MIB: u64 = 1 << 20;
/// The smallest and the largest part that S3 takes.
const PART_SIZES: std::ops::RangeInclusive<u64> = 5 * MIB..=5 * 1024 * MIB;

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct S3Yaml {
    bucket: Option<String>,
    endpoint: Option<String>,
    region: Option<String>,
    /// No effect: the endpoint is taken as it is given, and never rewritten into a dual-stack one.
    #[serde(rename = "disable_dualstack")]
    _disable_dualstack: Option<bool>,
    aws_sdk_auth: Option<bool>,
    access_key: Option<String>,
    insecure: Option<bool>,
    signature_version2: Option<bool>,
    secret_key: Option<Secret>,
    session_token: Option<Secret>,
    put_user_metadata: Option<BTreeMap<String, Option<String>>>,
    http_config: Option<HttpYaml>,
    trace: Option<TraceYaml>,
    list_objects_version: Option<String>,
    bucket_lookup_type: Option<String>,
    send_content_md5: Option<bool>,
    disable_multipart: Option<bool>,
    part_size: Option<u64>,
    sse_config: Option<SseYaml>,
    sts_endpoint: Option<String>,
    max_retries: Option<u32>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct TraceYaml {
    enable: Option<bool>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SseYaml {
    #[serde(rename = "type")]
    kind: Option<String>,
    kms_key_id: Option<String>,
    kms_encryption_context: Option<BTreeMap<String, Option<String>>>,
    encryption_key: Option<String>,
}

/// S3 and what speaks its protocol.
pub struct S3Settings {
    /// The bucket.
    pub bucket: String,
    /// Host and perhaps port.
    pub endpoint: String,
    /// Whether to talk without TLS.
    pub insecure: bool,
    /// Where the bucket is; found out where it is not given.
    pub region: Option<String>,
    /// Where the bucket is in the URL.
    pub lookup: Lookup,
    /// Who we are.
    pub credentials: S3Credentials,
    /// What is sent along with every object.
    pub metadata: BTreeMap<String, String>,
    /// `x-amz-storage-class`.
    pub storage_class: Option<String>,
    /// Whether every object is sent with its MD5 sum.
    pub send_content_md5: bool,
    /// Objects above this size are sent in parts of it; `None` where they never are.
    pub part_size: Option<u64>,
    /// Encryption by the store.
    pub encryption: Option<Encryption>,
    /// Where roles are assumed.
    pub sts_endpoint: Option<String>,
    /// How often a request is tried.
    pub attempts: Option<u32>,
    /// Whether every request is logged at debug.
    pub trace: bool,
    /// Connections.
    pub http: HttpSettings,
}

/// Where the bucket is in the URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    /// In the host for Amazon, Google and Alibaba, in the path for everybody else.
    Auto,
    /// In the host.
    VirtualHosted,
    /// In the path.
    Path,
}

/// Who we are.
pub enum S3Credentials {
    /// Keys from the configuration.
    Static {
        /// `access_key`.
        access_key: String,
        /// `secret_key`.
        secret_key: Secret,
        /// `session_token`.
        session_token: Option<Secret>,
    },
    /// Environment, `~/.aws/credentials`, web identity, container, instance: the first that there is.
    Chain,
}

/// Encryption by the store.
pub enum Encryption {
    /// With keys of S3.
    SseS3,
    /// With this key of the key management service.
    SseKms(String),
    /// With the 32 bytes of this file.
    SseC(PathBuf),
}

pub(super) fn check(yaml: S3Yaml) -> Result<S3Settings, ConfigError> {
    let mut problems = Vec::new();
    let mut problem = |text: &str| problems.push(text.to_owned());
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let secret = |secret: Option<Secret>| secret.filter(|secret| !secret.expose().is_empty());

    let bucket = given(yaml.bucket).unwrap_or_default();
    if bucket.is_empty() {
        problem("`bucket` is missing");
    } else if bucket.contains(['/', '?', '#', '@', ':', ' ']) {
        problem("`bucket` is the name of a bucket, not a path or a URL");
    }
    let mut insecure = yaml.insecure.unwrap_or(false);
    let endpoint = match endpoint(given(yaml.endpoint), &mut insecure) {
        Ok(endpoint) => endpoint,
        Err(text) => {
            problem(text);
            String::new()
        }
    };
    if yaml.signature_version2 == Some(true) {
        problem("`signature_version2` is not supported: the store must take signatures of version 4");
    }
    match yaml.list_objects_version.as_deref() {
        None | Some("" | "v2") => {}
        Some("v1") => {
            problem("`list_objects_version: v1` is not supported: the store must have ListObjectsV2")
        }
        Some(_) => problem("`list_objects_version` is v2"),
    }
    let lookup = match yaml.bucket_lookup_type.as_deref() {
        None | Some("" | "auto") => Lookup::Auto,
        Some("virtual-hosted") => Lookup::VirtualHosted,
        Some("path") => Lookup::Path,
        Some(_) => {
            problem("`bucket_lookup_type` is one of auto, virtual-hosted, path");
            Lookup::Auto
        }
    };
    let sdk = yaml.aws_sdk_auth.unwrap_or(false);
    let credentials = match (given(yaml.access_key), secret(yaml.secret_key)) {
        (Some(_), _) if sdk => {
            problem("give `aws_sdk_auth` or `access_key`, not both");
            S3Credentials::Chain
        }
        (Some(access_key), Some(secret_key)) => {
            S3Credentials::Static { access_key, secret_key, session_token: secret(yaml.session_token) }
        }
        (None, None) => S3Credentials::Chain,
        (Some(_), None) => {
            problem(
                "`access_key` without `secret_key`: give both, or neither to use the environment or a role",
            );
            S3Credentials::Chain
        }
        (None, Some(_)) => {
            problem(
                "`secret_key` without `access_key`: give both, or neither to use the environment or a role",
            );
            S3Credentials::Chain
        }
    };
    let part_size = match yaml.part_size.filter(|size| *size > 0) {
        None => 64 * MIB,
        Some(size) if PART_SIZES.contains(&size) => size,
        Some(_) => {
            problem("`part_size` is between 5242880 and 5368709120 bytes");
            64 * MIB
        }
    };
    let encryption = yaml.sse_config.and_then(|sse| match encryption(sse) {
        Ok(encryption) => encryption,
        Err(text) => {
            problem(text);
            None
        }
    });
    let (metadata, storage_class) = match metadata(yaml.put_user_metadata.unwrap_or_default()) {
        Ok(split) => split,
        Err(text) => {
            problem(&text);
            Default::default()
        }
    };
    let http = http::check(yaml.http_config, &mut problems);
    ConfigError::unless_good("S3", problems)?;
    Ok(S3Settings {
        bucket,
        endpoint,
        insecure,
        region: given(yaml.region),
        lookup,
        credentials,
        metadata,
        storage_class,
        send_content_md5: yaml.send_content_md5.unwrap_or(true),
        part_size: (yaml.disable_multipart != Some(true)).then_some(part_size),
        encryption,
        sts_endpoint: given(yaml.sts_endpoint),
        attempts: yaml.max_retries.filter(|attempts| *attempts > 0),
        trace: yaml.trace.and_then(|trace| trace.enable).unwrap_or(false),
        http,
    })
}

/// Host and port; a scheme, which Thanos does not take, must agree with `insecure`.
fn endpoint(given: Option<String>, insecure: &mut bool) -> Result<String, &'static str> {
    let given = given.ok_or("`endpoint` is missing, as in s3.eu-central-1.amazonaws.com")?;
    let host = match given.split_once("://") {
        None => given.as_str(),
        Some(("http", host)) => {
            *insecure = true;
            host
        }
        Some(("https", _)) if *insecure => return Err("`endpoint` begins with https and `insecure` is true"),
        Some(("https", host)) => host,
        Some(_) => return Err("`endpoint` is a host, perhaps with https:// or http:// before it"),
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    if host.is_empty() || host.contains(['/', '?', '#', '@', ' ']) {
        return Err("`endpoint` is a host and perhaps a port, without a path: the bucket goes into `bucket`");
    }
    Ok(host.to_owned())
}

fn encryption(sse: SseYaml) -> Result<Option<Encryption>, &'static str> {
    match sse.kind.as_deref() {
        None | Some("") => Ok(None),
        Some("SSE-S3") => Ok(Some(Encryption::SseS3)),
        Some("SSE-KMS") => {
            if sse.kms_encryption_context.is_some_and(|context| !context.is_empty()) {
                return Err(
                    "`sse_config.kms_encryption_context` is not supported: leave it out, or set it in the \
                            default encryption of the bucket",
                );
            }
            let key = sse.kms_key_id.filter(|id| !id.is_empty());
            key.map(|id| Some(Encryption::SseKms(id))).ok_or("`sse_config.kms_key_id` is missing for SSE-KMS")
        }
        Some("SSE-C") => {
            let key = sse.encryption_key.filter(|path| !path.is_empty());
            key.map(|path| Some(Encryption::SseC(path.into()))).ok_or(
                "`sse_config.encryption_key` is missing for SSE-C: it is the path of a file with 32 bytes",
            )
        }
        Some(_) => Err("`sse_config.type` is one of SSE-S3, SSE-KMS, SSE-C"),
    }
}

type Metadata = (BTreeMap<String, String>, Option<String>);

fn metadata(given: BTreeMap<String, Option<String>>) -> Result<Metadata, String> {
    let mut metadata = BTreeMap::new();
    let mut storage_class = None;
    for (key, value) in given {
        let value = value.unwrap_or_default();
        if key.eq_ignore_ascii_case("x-amz-storage-class") {
            storage_class = Some(value);
            continue;
        }
        let is_token = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if key.is_empty() || !key.chars().all(is_token) || !value.chars().all(|c| (' '..='~').contains(&c)) {
            return Err(format!("`put_user_metadata` has `{key}`, which cannot be sent as a header"));
        }
        metadata.insert(key, value);
    }
    Ok((metadata, storage_class))
}
