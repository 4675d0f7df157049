//! Service discovery of the large clouds.

use prom_model::PromDuration;

use super::{need, need_role};
use crate::Kind;
use crate::checker::Checker;
use crate::record::Record;
use crate::schema::http::FILE_CREDENTIALS;
use crate::schema::{Shape, Struct, TEXTS, Word, f, http, v, w};

const DIGITALOCEAN_ROLES: &[Word] = &[w("droplets"), w("databases")];
const OPENSTACK_ROLES: &[Word] = &[w("hypervisor"), w("instance"), w("loadbalancer").since(3, 2, 0)];

pub(crate) static AZURE: Struct = Struct {
    fields: &[
        f("authentication_method", Shape::Text),
        f("client_id", Shape::Text),
        f("client_secret", Shape::Text),
        f("environment", Shape::Text),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("resource_group", Shape::Text),
        f("subscription_id", Shape::Text),
        f("tenant_id", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_azure),
};

pub(crate) static DIGITALOCEAN: Struct = Struct {
    fields: &[
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("role", Shape::Enum(DIGITALOCEAN_ROLES)).since(3, 12, 0),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_digitalocean),
};

pub(crate) static GCE: Struct = Struct {
    fields: &[
        f("filter", Shape::Text),
        f("port", Shape::Int),
        f("project", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("tag_separator", Shape::Text),
        f("zone", Shape::Text),
    ],
    inline: &[],
    check: Some(check_gce),
};

pub(crate) static IONOS: Struct = Struct {
    fields: &[f("datacenter_id", Shape::Text), f("port", Shape::Int), f("refresh_interval", Shape::Duration)],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_ionos),
};

pub(crate) static LINODE: Struct = Struct {
    fields: &[
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("region", Shape::Text).since(2, 52, 0),
        f("tag_separator", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(http::check),
};

pub(crate) static OCI: Struct = Struct {
    fields: &[
        f("auth", Shape::Text).since(3, 14, 0),
        f("compartments", TEXTS).since(3, 14, 0),
        f("fingerprint", Shape::Text).since(3, 14, 0),
        f("key_file", FILE_CREDENTIALS).since(3, 14, 0),
        f("key_passphrase", Shape::Text).since(3, 14, 0),
        f("key_passphrase_file", FILE_CREDENTIALS).since(3, 14, 0),
        f("port", Shape::Int).since(3, 14, 0),
        f("refresh_interval", Shape::Duration).since(3, 14, 0),
        f("region", Shape::Text).since(3, 14, 0),
        f("tenancy", Shape::Text).since(3, 14, 0),
        f("user", Shape::Text).since(3, 14, 0),
    ],
    inline: &[(&http::CLIENT, v(3, 14, 0))],
    check: Some(check_oci),
};

pub(crate) static OPENSTACK: Struct = Struct {
    fields: &[
        f("all_tenants", Shape::Bool),
        f("application_credential_id", Shape::Text),
        f("application_credential_name", Shape::Text),
        f("application_credential_secret", Shape::Text),
        f("availability", Shape::Text),
        f("domain_id", Shape::Text),
        f("domain_name", Shape::Text),
        f("identity_endpoint", Shape::Text),
        f("password", Shape::Text),
        f("port", Shape::Int),
        f("project_id", Shape::Text),
        f("project_name", Shape::Text),
        f("refresh_interval", Shape::Duration),
        f("region", Shape::Text),
        f("role", Shape::Enum(OPENSTACK_ROLES)),
        f("tls_config", Shape::Struct(&http::TLS)),
        f("userid", Shape::Text),
        f("username", Shape::Text),
    ],
    inline: &[],
    check: Some(check_openstack),
};

pub(crate) static VULTR: Struct = Struct {
    fields: &[f("port", Shape::Int), f("refresh_interval", Shape::Duration)],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(http::check),
};

fn check_azure(c: &mut Checker<'_>, record: &Record) {
    need(c, record, &["subscription_id"]);
    let method = c.text_or(record, "authentication_method", "OAuth");
    match method {
        "OAuth" => need(c, record, &["tenant_id", "client_id", "client_secret"]),
        "ManagedIdentity" => {}
        "SDK" if !c.options.before(v(2, 52, 0)) => {}
        "WorkloadIdentity" if !c.options.before(v(3, 11, 0)) => {}
        _ => c.refuse(record, "authentication_method", "the method is `OAuth`, `ManagedIdentity` or `SDK`"),
    }
    if c.options.at_least(v(2, 48, 0)) {
        http::check(c, record);
    }
}

fn check_digitalocean(c: &mut Checker<'_>, record: &Record) {
    if record.value("role").is_some() {
        need_role(c, record, DIGITALOCEAN_ROLES);
    }
    http::check(c, record);
}

fn check_gce(c: &mut Checker<'_>, record: &Record) {
    need(c, record, &["project", "zone"]);
}

fn check_ionos(c: &mut Checker<'_>, record: &Record) {
    need(c, record, &["datacenter_id"]);
    http::check(c, record);
}

fn check_openstack(c: &mut Checker<'_>, record: &Record) {
    need_role(c, record, OPENSTACK_ROLES);
    need(c, record, &["region"]);
    if !matches!(c.text_or(record, "availability", "public"), "public" | "internal" | "admin") {
        c.refuse(record, "availability", "the availability is `public`, `internal` or `admin`");
    }
}

fn check_oci(c: &mut Checker<'_>, record: &Record) {
    need(c, record, &["region"]);
    match c.text_or(record, "auth", "api_key") {
        "api_key" => {
            need(c, record, &["tenancy", "user", "fingerprint", "key_file"]);
            c.at_most_one(record, &["key_passphrase", "key_passphrase_file"]);
        }
        "instance_principal" => {
            let keys =
                ["tenancy", "user", "fingerprint", "key_file", "key_passphrase", "key_passphrase_file"];
            if let Some(key) = keys.into_iter().find(|key| c.is_filled(record, key)) {
                c.refuse(record, key, format!("`instance_principal` takes no `{key}`: remove it"));
            }
        }
        _ => c.refuse(record, "auth", "`auth` is `api_key` or `instance_principal`"),
    }
    for item in c.items(record, "compartments").to_vec() {
        if c.scalar_text(item).is_empty() {
            c.problem_at(item, Kind::Value, "the name of a compartment is empty");
        }
    }
    let interval = c.duration_or(record, "refresh_interval", PromDuration::from_mins(1));
    if interval.is_some_and(PromDuration::is_zero) {
        c.refuse(record, "refresh_interval", "the interval must be above zero");
    }
    http::check(c, record);
}
