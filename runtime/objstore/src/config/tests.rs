//! Configurations, right and wrong.

use std::time::Duration;

use super::*;

fn parse(yaml: &str) -> Result<BucketConfig, ConfigError> {
    BucketConfig::parse(yaml, &|name| (name == "KEY").then(|| "from-the-environment".to_owned()))
}

fn s3(yaml: &str) -> S3Settings {
    match parse(yaml).unwrap_or_else(|error| panic!("{yaml}: {error}")).provider {
        Provider::S3(settings) => settings,
        _ => panic!("{yaml}: not S3"),
    }
}

#[test]
fn everything_that_thanos_documents_for_s3_is_read() {
    let config = parse(
        "type: S3
config:
  bucket: metrics
  endpoint: minio.example:9000
  region: eu-west-3
  disable_dualstack: false
  aws_sdk_auth: false
  access_key: $(KEY)
  insecure: true
  signature_version2: false
  secret_key: secret
  session_token: token
  put_user_metadata: {team: storage, X-Amz-Storage-Class: GLACIER}
  http_config:
    idle_conn_timeout: 1m30s
    response_header_timeout: 2m
    insecure_skip_verify: false
    tls_handshake_timeout: 10s
    expect_continue_timeout: 1s
    max_idle_conns: 100
    max_idle_conns_per_host: 50
    max_conns_per_host: 7
    tls_config: {ca_file: '', cert_file: '', key_file: '', server_name: '', insecure_skip_verify: true}
    disable_compression: false
  trace: {enable: true}
  list_objects_version: ''
  bucket_lookup_type: path
  send_content_md5: false
  disable_multipart: false
  part_size: 67108864
  sse_config: {type: SSE-KMS, kms_key_id: id, kms_encryption_context: {}, encryption_key: ''}
  sts_endpoint: https://sts.example
  max_retries: 5
prefix: /a/b/
hedging_config: {enabled: true, up_to: 2, quantile: 0.95}
",
    )
    .unwrap();
    assert_eq!(config.prefix, "a/b");
    assert_eq!(config.hedging, Hedging { enabled: true, up_to: 2, quantile: 0.95 });
    let Provider::S3(s3) = config.provider else { panic!("not S3") };
    assert_eq!(
        (s3.bucket.as_str(), s3.endpoint.as_str(), s3.insecure),
        ("metrics", "minio.example:9000", true)
    );
    assert_eq!((s3.region.as_deref(), s3.lookup), (Some("eu-west-3"), Lookup::Path));
    let S3Credentials::Static { access_key, secret_key, session_token } = s3.credentials else {
        panic!("no keys")
    };
    assert_eq!((access_key.as_str(), secret_key.expose()), ("from-the-environment", "secret"));
    assert_eq!(session_token.unwrap().expose(), "token");
    assert_eq!(s3.metadata.get("team").map(String::as_str), Some("storage"));
    assert_eq!(s3.storage_class.as_deref(), Some("GLACIER"));
    assert_eq!((s3.send_content_md5, s3.part_size, s3.trace), (false, Some(64 << 20), true));
    assert!(matches!(s3.encryption, Some(Encryption::SseKms(id)) if id == "id"));
    assert_eq!((s3.sts_endpoint.as_deref(), s3.attempts), (Some("https://sts.example"), Some(5)));
    assert_eq!((s3.http.idle, s3.http.response_header), (Duration::from_secs(90), Duration::from_secs(120)));
    assert_eq!((s3.http.idle_connections, s3.http.connections), (50, Some(7)));
    assert!(s3.http.tls.insecure_skip_verify && s3.http.tls.ca.is_none());
}

#[test]
fn what_is_not_given_has_thanos_defaults() {
    let s3 = s3("{type: s3, config: {bucket: b, endpoint: e}}");
    assert_eq!((s3.part_size, s3.send_content_md5, s3.insecure), (Some(64 << 20), true, false));
    assert!(matches!(s3.credentials, S3Credentials::Chain));
    assert_eq!((s3.http.idle, s3.http.handshake), (Duration::from_secs(90), Duration::from_secs(10)));
    assert_eq!((s3.http.idle_connections, s3.http.connections), (100, None));
    assert_eq!((s3.lookup, s3.attempts), (Lookup::Auto, None));
}

#[test]
fn yaml_is_read_as_go_reads_it() {
    // No value leaves the default; a number where a text is wanted is that text; the type has any case.
    let given = s3(
        "type: S3\nconfig:\n  bucket: 123\n  endpoint: e\n  access_key:\n  secret_key: ~\n  insecure:\n  \
                    part_size:\n  http_config:\n  sse_config:\n    type:\n  put_user_metadata:\nprefix:\n",
    );
    assert_eq!((given.bucket.as_str(), given.part_size), ("123", Some(64 << 20)));
    assert!(matches!(given.credentials, S3Credentials::Chain));
    let keys = s3("type: S3\nconfig: {bucket: b, endpoint: e, access_key: 007, secret_key: yes}");
    let S3Credentials::Static { access_key, secret_key, .. } = keys.credentials else { panic!("no keys") };
    assert_eq!((access_key.as_str(), secret_key.expose()), ("007", "yes"));
    for kind in ["filesystem", "FILESYSTEM", "FileSystem"] {
        let config = parse(&format!("type: {kind}\nconfig:\n  directory: /data\n")).unwrap();
        let Provider::Filesystem(settings) = config.provider else { panic!("not a folder") };
        assert_eq!(settings.directory.to_str(), Some("/data"));
    }
    for (prefix, expected) in [("a", "a"), ("/a/b/", "a/b"), ("///", ""), ("''", ""), ("7", "7")] {
        let config =
            parse(&format!("{{type: FILESYSTEM, config: {{directory: d}}, prefix: {prefix}}}")).unwrap();
        assert_eq!(config.prefix, expected, "{prefix}");
    }
    assert_eq!(s3("{type: S3, config: {bucket: b, endpoint: 'http://e:1/'}}").endpoint, "e:1");
    assert!(s3("{type: S3, config: {bucket: b, endpoint: 'http://e'}}").insecure);
    assert!(s3("{type: S3, config: {bucket: b, endpoint: e, disable_multipart: true}}").part_size.is_none());
}

#[test]
fn gcs_and_azure_are_read() {
    let config = parse(
        "type: GCS\nconfig:\n  bucket: b\n  service_account: |-\n    {\"type\": \"service_account\"}\n  use_grpc: false\n  \
         grpc_conn_pool_size: 0\n  chunk_size_bytes: 8388608\n  max_retries: 3\n  http_config: {idle_conn_timeout: 0s}\n",
    )
    .unwrap();
    let Provider::Gcs(gcs) = config.provider else { panic!("not GCS") };
    assert_eq!((gcs.bucket.as_str(), gcs.part_size, gcs.attempts), ("b", 8 << 20, Some(3)));
    assert_eq!(gcs.http.idle, Duration::MAX);
    assert!(gcs.service_account.is_some());

    let azure = |more: &str| {
        let yaml = format!("type: AZURE\nconfig:\n  storage_account: acc\n  container: c\n{more}");
        match parse(&yaml).unwrap_or_else(|error| panic!("{yaml}: {error}")).provider {
            Provider::Azure(settings) => settings,
            _ => panic!("not Azure"),
        }
    };
    let settings = azure(
        "  storage_account_key: a2V5\n  max_retries: 2\n  pipeline_config: {max_tries: 4, try_timeout: 30s, \
         retry_delay: 1s, max_retry_delay: 2m}\n  reader_config: {max_retry_requests: 9}\n  msi_resource: x\n",
    );
    assert_eq!(settings.endpoint, "https://acc.blob.core.windows.net");
    assert!(matches!(settings.credentials, AzureCredentials::AccountKey(_)));
    assert_eq!((settings.attempts, settings.try_timeout), (Some(4), Some(Duration::from_secs(30))));
    assert_eq!(settings.pauses, (Some(Duration::from_secs(1)), Some(Duration::from_secs(120))));
    assert!(settings.create_container);
    let settings = azure("  endpoint: blob.core.chinacloudapi.cn\n  user_assigned_id: id\n");
    assert_eq!(settings.endpoint, "https://acc.blob.core.chinacloudapi.cn");
    assert!(matches!(settings.credentials, AzureCredentials::UserAssigned(_)));
    let settings =
        azure("  az_tenant_id: t\n  client_id: c\n  client_secret: s\n  storage_create_container: false\n");
    assert!(matches!(settings.credentials, AzureCredentials::Client { .. }));
    assert!(!settings.create_container);
    assert!(matches!(azure("").credentials, AzureCredentials::Chain));
    let settings = azure(
        "  storage_connection_string: DefaultEndpointsProtocol=http;AccountName=acc;AccountKey=a2V5==;\
         BlobEndpoint=http://127.0.0.1:10000/acc;\n",
    );
    assert_eq!(settings.endpoint, "http://127.0.0.1:10000/acc");
    assert!(matches!(&settings.credentials, AzureCredentials::AccountKey(key) if key.expose() == "a2V5=="));
    let settings = azure(
        "  storage_connection_string: AccountName=acc;SharedAccessSignature=sv=1&sig=x;EndpointSuffix=example\n",
    );
    assert_eq!(settings.endpoint, "https://acc.blob.example");
    assert!(matches!(settings.credentials, AzureCredentials::Signature(_)));
}

/// Wrong configurations, and what the message says.
const WRONG: &[(&str, &[&str])] = &[
    ("", &["`type` is missing"]),
    ("config: {directory: d}", &["`type` is missing"]),
    ("type:\nconfig: {directory: d}", &["`type` is missing"]),
    ("type: S4\nconfig: {}", &["unknown type `S4`"]),
    ("type: FILESYTEM\nconfig: {}", &["unknown type `FILESYTEM`", "did you mean `FILESYSTEM`"]),
    ("type: SWIFT\nconfig: {container_name: c}", &["SWIFT is not built in", "S3"]),
    ("type: cos\nconfig: {}", &["COS is not built in", "myqcloud.com"]),
    ("type: ALIYUNOSS\nconfig: {}", &["ALIYUNOSS is not built in", "aliyuncs.com"]),
    ("type: BOS\nconfig: {}", &["BOS is not built in", "bcebos.com"]),
    ("type: OCI\nconfig: {}", &["OCI is not built in", "oraclecloud.com"]),
    ("type: OBS\nconfig: {}", &["OBS is not built in", "myhuaweicloud.com"]),
    (
        "type: S3\nconfig:\n  bucket: b\n  endpont: e\n",
        &["line 4", "unknown key `endpont`", "did you mean `endpoint`"],
    ),
    ("type: S3\nconfg: {}\n", &["line 2", "unknown key `confg`", "did you mean `config`"]),
    ("type: S3\nconfig:\n  http_config:\n    idle_timeout: 1s\n", &["line 4", "unknown key `idle_timeout`"]),
    ("type: FILESYSTEM\nconfig: {directory: d, dir: x}", &["unknown key `dir`"]),
    ("type: FILESYSTEM", &["`directory` is missing"]),
    ("type: FILESYSTEM\nconfig: {directory: ''}", &["`directory` is missing"]),
    ("type: S3", &["`bucket` is missing", "`endpoint` is missing"]),
    ("type: S3\nconfig: {bucket: a/b, endpoint: e}", &["`bucket` is the name of a bucket"]),
    ("type: S3\nconfig: {bucket: b, endpoint: 's3://e'}", &["`endpoint` is a host"]),
    ("type: S3\nconfig: {bucket: b, endpoint: 'https://e/b'}", &["without a path"]),
    ("type: S3\nconfig: {bucket: b, endpoint: 'https://e', insecure: true}", &["https", "`insecure`"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, access_key: a}", &["`access_key` without `secret_key`"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, secret_key: a}", &["`secret_key` without `access_key`"]),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, access_key: a, secret_key: s, aws_sdk_auth: true}",
        &["`aws_sdk_auth` or `access_key`, not both"],
    ),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, signature_version2: true}",
        &["`signature_version2` is not supported"],
    ),
    ("type: S3\nconfig: {bucket: b, endpoint: e, list_objects_version: v1}", &["`list_objects_version: v1`"]),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, list_objects_version: v3}",
        &["`list_objects_version` is v2"],
    ),
    ("type: S3\nconfig: {bucket: b, endpoint: e, bucket_lookup_type: dns}", &["auto, virtual-hosted, path"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, part_size: 1000}", &["`part_size` is between"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, part_size: many}", &["line 2"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, sse_config: {type: AES}}", &["SSE-S3, SSE-KMS, SSE-C"]),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, sse_config: {type: SSE-KMS}}",
        &["`sse_config.kms_key_id` is missing"],
    ),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, sse_config: {type: SSE-C}}",
        &["`sse_config.encryption_key` is missing"],
    ),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, sse_config: {type: SSE-KMS, kms_key_id: i, kms_encryption_context: {a: b}}}",
        &["`sse_config.kms_encryption_context` is not supported"],
    ),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, put_user_metadata: {'a b': c}}",
        &["`put_user_metadata` has `a b`"],
    ),
    ("type: S3\nconfig: {bucket: b, endpoint: e, http_config: {idle_conn_timeout: 5}}", &["duration"]),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, http_config: {tls_config: {cert_file: c}}}",
        &["cert_file and key_file"],
    ),
    (
        "type: S3\nconfig: {bucket: b, endpoint: e, http_config: {tls_config: {server_name: n}}}",
        &["server_name"],
    ),
    ("type: S3\nconfig: {bucket: b, bucket: c, endpoint: e}", &["line 2", "duplicate"]),
    ("type: S3\nconfig: {bucket: b, endpoint: e, access_key: $(NOT_SET)}", &["NOT_SET is not set"]),
    ("type: S3\nconfig: [a]", &["line 2"]),
    ("type: S3\nconfig: {bucket: b", &["line"]),
    ("type: GCS\nconfig: {}", &["`bucket` is missing"]),
    ("type: GCS\nconfig: {bucket: b, use_grpc: true}", &["`use_grpc` is not supported"]),
    (
        "type: GCS\nconfig: {bucket: b, service_account: /etc/key.json}",
        &["`service_account` is not the JSON"],
    ),
    ("type: GCS\nconfig: {bucket: b, no_auth: true}", &["unknown key `no_auth`"]),
    ("type: AZURE\nconfig: {}", &["`storage_account` is missing", "`container` is missing"]),
    ("type: AZURE\nconfig: {storage_account: a, container: c, client_id: i}", &["go together"]),
    (
        "type: AZURE\nconfig: {storage_account: a, container: c, user_assigned_id: i, storage_account_key: k}",
        &["`user_assigned_id` or `storage_account_key`"],
    ),
    (
        "type: AZURE\nconfig: {storage_account: a, container: c, storage_connection_string: x, storage_account_key: k}",
        &["`storage_account_key` or `storage_connection_string`", "neither AccountName nor BlobEndpoint"],
    ),
    (
        "type: AZURE\nconfig: {storage_account: a, container: c, endpoint: 'https://x'}",
        &["`endpoint` is the host"],
    ),
    (
        "type: AZURE\nconfig: {storage_account: a, container: c, pipeline_config: {max_tries: -1}}",
        &["max_tries"],
    ),
    (
        "type: AZURE\nconfig: {storage_account: a, container: c, reader_config: {max_retry_requests: -1}}",
        &["max_retry"],
    ),
    ("type: FILESYSTEM\nconfig: {directory: d}\nhedging_config: {enabled: true, quantile: 2}", &["quantile"]),
    ("type: FILESYSTEM\nconfig: {directory: d}\nhedging_config: {up_to: 0}", &["up_to"]),
    (
        "type: FILESYSTEM\nconfig: {directory: d}\nhedging_config: {upto: 1}",
        &["unknown key `upto`", "`up_to`"],
    ),
];

#[test]
fn wrong_configurations_are_refused_with_what_is_wrong() {
    assert!(WRONG.len() >= 40);
    for (yaml, says) in WRONG {
        let error = match parse(yaml) {
            Ok(_) => panic!("accepted: {yaml}"),
            Err(error) => error.to_string(),
        };
        for words in *says {
            assert!(error.contains(words), "{yaml}\nsays: {error}\nlacks: {words}");
        }
        assert!(error.starts_with("objstore.config: "), "{error}");
    }
}

#[test]
fn no_error_shows_a_secret() {
    // The canary in every key that holds a secret, and something else wrong in every possible way.
    let sections = [
        "type: S3\nconfig:\n  bucket: b\n  endpoint: e\n  access_key: a\n  secret_key: CANARY\n  session_token: CANARY\n",
        "type: GCS\nconfig:\n  bucket: b\n  service_account: '{\"private_key\": \"CANARY\"}'\n",
        "type: GCS\nconfig:\n  bucket: b\n  service_account: CANARY\n",
        "type: AZURE\nconfig:\n  storage_account: a\n  container: c\n  storage_account_key: CANARY\n",
        "type: AZURE\nconfig:\n  storage_account: a\n  container: c\n  client_secret: CANARY\n",
        "type: AZURE\nconfig:\n  storage_account: a\n  container: c\n  storage_connection_string: CANARY\n",
        "type: AZURE\nconfig:\n  storage_account: a\n  container: c\n  storage_connection_string: AccountName=x;AccountKez=CANARY\n",
        "type: S3\nconfig:\n  secret_key: {a: CANARY}\n",
        "type: S3\nconfig:\n  secret_key: [CANARY]\n",
        "type: S3\nconfig:\n  session_token: !!binary CANARY\n",
        "type: S3\nconfig: CANARY\n",
        "type: S3\nconfig:\n  secret_key: CANARY\n  secret_key: CANARY\n",
    ];
    let breakers = [
        "",
        "  unknown: x\n",
        "  http_config: 5\n",
        "  http_config: {idle_conn_timeout: x}\n",
        "  max_retries: -1\n",
        "prefix: [\n",
        "prefix: {a: b}\n",
        "unknown: x\n",
        "  : :\n",
        "\tx\n",
    ];
    let mut errors = 0;
    for section in sections {
        for breaker in breakers {
            if let Err(error) = parse(&format!("{section}{breaker}")) {
                errors += 1;
                for text in [error.to_string(), format!("{error:?}")] {
                    assert!(!text.contains("CANARY"), "{section}{breaker}\n{text}");
                }
            }
        }
    }
    assert!(errors > 80, "{errors}");
}
