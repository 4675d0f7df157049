//! The sections `remote_write` and `remote_read`.

use prom_model::{NameScheme, PromDuration};

use super::{FILE_OF_GOOGLE, Shape, Struct, TEXT_MAP, f, http, relabel, sd, v};
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::{Kind, RemoteWrite};

/// Credentials for Amazon's cloud.
pub(crate) static SIGV4: Struct = Struct {
    fields: &[
        f("access_key", Shape::Text),
        // Of a module of its own since 3.2; the first release with the field is not known, so none is refused it.
        f("external_id", Shape::Text).since(3, 2, 0),
        f("profile", Shape::Text),
        f("region", Shape::Text),
        f("role_arn", Shape::Text),
        f("secret_key", Shape::Text),
        f("use_fips_sts_endpoint", Shape::Bool).since(2, 54, 0),
    ],
    inline: &[],
    check: Some(check_sigv4),
};

static MANAGED_IDENTITY: Struct = Struct { fields: &[f("client_id", Shape::Text)], inline: &[], check: None };
static OAUTH: Struct = Struct {
    fields: &[f("client_id", Shape::Text), f("client_secret", Shape::Text), f("tenant_id", Shape::Text)],
    inline: &[],
    check: None,
};
static SDK: Struct = Struct { fields: &[f("tenant_id", Shape::Text)], inline: &[], check: None };
static WORKLOAD_IDENTITY: Struct = Struct {
    fields: &[
        f("client_id", Shape::Text),
        f("tenant_id", Shape::Text),
        f("token_file_path", http::FILE_CREDENTIALS),
    ],
    inline: &[],
    check: None,
};
static CERTIFICATE: Struct = Struct {
    fields: &[
        f("certificate_key_path", http::FILE_CREDENTIALS),
        f("certificate_password", Shape::Text),
        f("certificate_path", http::FILE_CREDENTIALS),
        f("client_id", Shape::Text),
        f("send_certificate_chain", Shape::Bool),
        f("tenant_id", Shape::Text),
    ],
    inline: &[],
    check: None,
};

static AZUREAD: Struct = Struct {
    fields: &[
        f("certificate", Shape::Struct(&CERTIFICATE)).since(3, 13, 0),
        f("cloud", Shape::Text),
        f("managed_identity", Shape::Struct(&MANAGED_IDENTITY)),
        f("oauth", Shape::Struct(&OAUTH)).since(2, 48, 0),
        f("scope", Shape::Text).since(3, 9, 0),
        f("sdk", Shape::Struct(&SDK)).since(2, 52, 0),
        f("workload_identity", Shape::Struct(&WORKLOAD_IDENTITY)).since(3, 7, 0),
    ],
    inline: &[],
    check: Some(check_azuread),
};

static GOOGLE_IAM: Struct =
    Struct { fields: &[f("credentials_file", FILE_OF_GOOGLE)], inline: &[], check: None };

static QUEUE: Struct = Struct {
    fields: &[
        f("batch_send_deadline", Shape::Duration),
        f("capacity", Shape::Int),
        f("max_backoff", Shape::Duration),
        f("max_samples_per_send", Shape::Int),
        f("max_shards", Shape::Int),
        f("min_backoff", Shape::Duration),
        f("min_shards", Shape::Int),
        f("retry_on_http_429", Shape::Bool),
        f("sample_age_limit", Shape::Duration).since(2, 50, 0),
    ],
    inline: &[],
    check: None,
};

static METADATA: Struct = Struct {
    fields: &[
        f("max_samples_per_send", Shape::Int),
        f("send", Shape::Bool),
        f("send_interval", Shape::Duration),
    ],
    inline: &[],
    check: None,
};

/// An entry of `remote_write`.
pub(crate) static WRITE: Struct = Struct {
    fields: &[
        f("azuread", Shape::Struct(&AZUREAD)).since(2, 45, 0),
        f("failed_request_logging", Shape::Bool).since(3, 14, 0),
        f("google_iam", Shape::Struct(&GOOGLE_IAM)).since(2, 55, 0),
        f("headers", TEXT_MAP),
        f("metadata_config", Shape::Struct(&METADATA)),
        f("name", Shape::Text),
        f("protobuf_message", Shape::Text).since(2, 54, 0),
        f("queue_config", Shape::Struct(&QUEUE)),
        f("remote_timeout", Shape::Duration),
        f("round_robin_dns", Shape::Bool).since(3, 1, 0),
        f("send_exemplars", Shape::Bool),
        f("send_native_histograms", Shape::Bool).since(2, 40, 0),
        f("sigv4", Shape::Struct(&SIGV4)),
        f("url", Shape::Url),
        f("write_relabel_configs", relabel::RULES),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_write),
};

/// An entry of `remote_read`.
pub(crate) static READ: Struct = Struct {
    fields: &[
        f("chunked_read_limit", Shape::Uint).since(2, 55, 0),
        f("filter_external_labels", Shape::Bool),
        f("headers", TEXT_MAP),
        f("name", Shape::Text),
        f("read_recent", Shape::Bool),
        f("remote_timeout", Shape::Duration),
        f("required_matchers", Shape::Map(&Shape::LabelName, &Shape::Text)),
        f("url", Shape::Url),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_read),
};

fn check_sigv4(c: &mut Checker<'_>, record: &Record) {
    if c.is_filled(record, "access_key") != c.is_filled(record, "secret_key") {
        c.refuse(record, "", "`access_key` and `secret_key` belong together: give both or none");
    }
}

fn check_url(c: &mut Checker<'_>, record: &Record) {
    if !c.is_set(record, "url") {
        c.refuse(record, "url", "`url` is missing");
    }
    http::check_plain_headers(c, record);
    http::check(c, record);
}

fn check_read(c: &mut Checker<'_>, record: &Record) {
    check_url(c, record);
}

fn check_write(c: &mut Checker<'_>, record: &Record) {
    check_url(c, record);
    let message = c.text_or(record, "protobuf_message", "prometheus.WriteRequest");
    if !matches!(message, "prometheus.WriteRequest" | "io.prometheus.write.v2.Request") {
        let text = "the message is `prometheus.WriteRequest` or `io.prometheus.write.v2.Request`";
        c.refuse(record, "protobuf_message", text);
    }
    let bearer = c.count_filled(record, &["bearer_token", "bearer_token_file"]) > 0;
    let http =
        ["basic_auth", "authorization", "oauth2"].into_iter().any(|name| c.is_set(record, name)) || bearer;
    let own: Vec<&'static str> =
        ["sigv4", "azuread", "google_iam"].into_iter().filter(|name| c.is_set(record, name)).collect();
    if let (Some(last), true) = (own.last(), own.len() + usize::from(http) > 1) {
        c.refuse(record, last, format!("`{last}` excludes all other credentials"));
    }
    if c.options.at_least(v(3, 12, 0)) {
        check_queue(c, record);
    }
}

fn check_queue(c: &mut Checker<'_>, record: &Record) {
    let Some(id) = record.value("queue_config") else { return };
    let queue = c.quiet_record(id, &QUEUE);
    // An empty section sets everything to zero.
    let empty = c.is_null(id);
    c.within(Step::Field("queue_config"), |c| {
        let fallback = |value: f64| if empty { 0.0 } else { value };
        let read = |c: &Checker<'_>, name, value| c.number_or(&queue, name, fallback(value)).map(f64::trunc);
        for (name, value) in
            [("max_shards", 50.0), ("min_shards", 1.0), ("max_samples_per_send", 2000.0), ("capacity", 1e4)]
        {
            if read(c, name, value).is_some_and(|value| value <= 0.0) {
                if queue.value(name).is_some() {
                    c.refuse(&queue, name, format!("`{name}` must be above 0"));
                } else {
                    c.problem_at(id, Kind::Value, format!("the empty section sets `{name}` to 0: remove it"));
                    return;
                }
            }
        }
        if let (Some(min), Some(max)) = (read(c, "min_shards", 1.0), read(c, "max_shards", 50.0))
            && min > max
        {
            c.refuse(&queue, "min_shards", "`min_shards` is above `max_shards`");
        }
        let min = c.duration_or(&queue, "min_backoff", PromDuration::from_millis(30));
        let max = c.duration_or(&queue, "max_backoff", PromDuration::from_secs(5));
        if let (Some(min), Some(max)) = (min, max)
            && max < min
        {
            c.refuse(&queue, "max_backoff", "`max_backoff` is below `min_backoff`");
        }
    });
}

fn check_azuread(c: &mut Checker<'_>, record: &Record) {
    if !matches!(c.text(record, "cloud"), "" | "AzureChina" | "AzureGovernment" | "AzurePublic") {
        c.refuse(record, "cloud", "the cloud is `AzurePublic`, `AzureChina` or `AzureGovernment`");
    }
    let methods = ["managed_identity", "workload_identity", "oauth", "sdk", "certificate"];
    let given: Vec<&'static str> = methods.into_iter().filter(|name| c.is_set(record, name)).collect();
    if given.len() != 1 {
        c.refuse(record, "", "one method is needed: `managed_identity`, `oauth`, `sdk` and the like");
    }
    let needed: [(&'static str, &'static Struct, &[&'static str]); 4] = [
        ("managed_identity", &MANAGED_IDENTITY, &[]),
        ("workload_identity", &WORKLOAD_IDENTITY, &["client_id", "tenant_id"]),
        ("oauth", &OAUTH, &["client_id", "client_secret", "tenant_id"]),
        ("certificate", &CERTIFICATE, &["client_id", "tenant_id", "certificate_path"]),
    ];
    for (name, of, fields) in needed {
        let Some(method) = c.sub(record, name, of) else { continue };
        // Releases before 3.5 want an id for the managed identity too.
        let old = name == "managed_identity" && c.options.before(v(3, 5, 0));
        c.within(Step::Field(name), |c| {
            let fields = if old { &["client_id"] } else { fields };
            for field in fields {
                if !c.is_filled(&method, field) {
                    c.refuse(&method, field, format!("`{field}` is missing"));
                }
            }
            let id = c.text(&method, "client_id");
            if !id.is_empty() && !sd::is_uuid(id) {
                c.refuse(&method, "client_id", "the id is no UUID");
            }
        });
    }
}

/// Checks names and relabelling of both sections; returns what is written to.
pub(crate) fn check_lists(c: &mut Checker<'_>, root: &Record, scheme: NameScheme) -> Vec<RemoteWrite> {
    let mut writes = Vec::new();
    for (field, of) in [("remote_write", &WRITE), ("remote_read", &READ)] {
        let mut known = std::collections::HashSet::new();
        for (index, item) in c.items(root, field).to_vec().into_iter().enumerate() {
            if c.is_null(item) {
                continue;
            }
            let entry = c.quiet_record(item, of);
            let name = c.text(&entry, "name");
            c.within(Step::Field(field), |c| {
                c.within(Step::Index(index), |c| {
                    if !name.is_empty() && !known.insert(name) {
                        c.refuse(
                            &entry,
                            "name",
                            format!("there is another entry `{name}`: names are unique"),
                        );
                    }
                    relabel::check_list(c, &entry, "write_relabel_configs", scheme);
                });
            });
            if field == "remote_write" {
                writes.push(RemoteWrite { name: name.to_owned(), url: c.text(&entry, "url").to_owned() });
            }
        }
    }
    writes
}
