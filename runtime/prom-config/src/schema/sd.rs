//! Service discovery: every kind, its fields, and what it cannot do without.

mod aws;
mod cloud;
mod container;
mod hosting;
mod registry;
mod selector;

pub(crate) use container::STATIC;

use super::{Shape, Struct, Word, f};
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::{Kind, go_url};

const WHAT: &str = "section";

macro_rules! kind {
    ($name:literal, $of:expr) => {
        f($name, Shape::Entries(&$of, WHAT))
    };
}

/// The lists of all kinds, to stand inline where targets are found.
pub(crate) static LISTS: Struct = Struct {
    fields: &[
        kind!("aws_sd_configs", aws::AWS).since(3, 8, 0),
        kind!("azure_sd_configs", cloud::AZURE),
        kind!("consul_sd_configs", registry::CONSUL),
        kind!("digitalocean_sd_configs", cloud::DIGITALOCEAN),
        kind!("dns_sd_configs", registry::DNS),
        kind!("docker_sd_configs", container::DOCKER),
        kind!("dockerswarm_sd_configs", container::DOCKERSWARM),
        kind!("ec2_sd_configs", aws::EC2),
        kind!("ecs_sd_configs", aws::ECS).since(3, 8, 0),
        kind!("elasticache_sd_configs", aws::ELASTICACHE).since(3, 11, 0),
        kind!("eureka_sd_configs", registry::EUREKA),
        kind!("file_sd_configs", registry::FILE),
        kind!("gce_sd_configs", cloud::GCE),
        kind!("hetzner_sd_configs", hosting::HETZNER),
        kind!("http_sd_configs", registry::HTTP),
        kind!("ionos_sd_configs", cloud::IONOS),
        kind!("kubernetes_sd_configs", container::KUBERNETES),
        kind!("kuma_sd_configs", registry::KUMA),
        kind!("lightsail_sd_configs", aws::LIGHTSAIL),
        kind!("linode_sd_configs", cloud::LINODE),
        kind!("marathon_sd_configs", registry::MARATHON),
        kind!("msk_sd_configs", aws::MSK).since(3, 10, 0),
        kind!("nerve_sd_configs", registry::NERVE),
        kind!("nomad_sd_configs", registry::NOMAD),
        kind!("oci_sd_configs", cloud::OCI).since(3, 14, 0),
        kind!("openstack_sd_configs", cloud::OPENSTACK),
        kind!("outscale_sd_configs", hosting::OUTSCALE).since(3, 12, 0),
        kind!("ovhcloud_sd_configs", hosting::OVHCLOUD).since(2, 40, 0),
        kind!("puppetdb_sd_configs", hosting::PUPPETDB),
        kind!("rds_sd_configs", aws::RDS).since(3, 11, 0),
        kind!("scaleway_sd_configs", hosting::SCALEWAY),
        kind!("serverset_sd_configs", registry::SERVERSET),
        kind!("stackit_sd_configs", hosting::STACKIT).since(3, 5, 0),
        kind!("static_configs", STATIC),
        kind!("triton_sd_configs", hosting::TRITON),
        kind!("uyuni_sd_configs", hosting::UYUNI),
        kind!("vultr_sd_configs", cloud::VULTR),
    ],
    inline: &[],
    check: None,
};

/// Records a problem for every field without a text.
fn need(c: &mut Checker<'_>, record: &Record, names: &[&'static str]) {
    for name in names {
        if !c.is_filled(record, name) {
            c.refuse(record, name, format!("`{name}` is missing"));
        }
    }
}

/// Records a problem for every list without entries.
fn need_items(c: &mut Checker<'_>, record: &Record, names: &[&'static str]) {
    for name in names {
        if c.items(record, name).is_empty() {
            c.refuse(record, name, format!("`{name}` needs at least one entry"));
        }
    }
}

/// Records a problem if there is no role; a wrong one is found by its type.
fn need_role(c: &mut Checker<'_>, record: &Record, roles: &[Word]) {
    if !c.is_set(record, "role") {
        let names: Vec<&str> = roles.iter().map(|role| role.text).collect();
        c.refuse(record, "role", format!("`role` is missing: write one of {}", super::http::words(&names)));
    }
}

/// Records a problem unless the field is a URL with scheme and host.
fn need_url(c: &mut Checker<'_>, record: &Record, name: &'static str, http: bool) {
    let text = c.text(record, name);
    if text.is_empty() {
        return need(c, record, &[name]);
    }
    let message = match go_url::parse(text) {
        Err(error) => format!("this is no URL: {error}"),
        Ok(url) if http && !matches!(url.scheme.as_str(), "http" | "https") => {
            "the URL begins with `http://` or `https://`".to_owned()
        }
        Ok(url) if url.scheme.is_empty() || url.host.is_empty() => {
            "the URL needs a scheme and a host".to_owned()
        }
        Ok(_) => return,
    };
    c.refuse(record, name, message);
}

/// Whether a text has the form that libraries for UUIDs take: digits in groups, with or without ornaments.
pub(crate) fn is_uuid(text: &str) -> bool {
    let text = text.strip_prefix("urn:uuid:").unwrap_or(text);
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let grouped = text.len() == 36
        && text.bytes().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => b == b'-',
            _ => b.is_ascii_hexdigit(),
        });
    grouped || text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Records problems for targets that are written as URLs; relabelling may still make addresses of them.
pub(crate) fn check_static_targets(c: &mut Checker<'_>, record: &Record) {
    if !c.items(record, "relabel_configs").is_empty() {
        return;
    }
    for (group, item) in c.items(record, "static_configs").to_vec().into_iter().enumerate() {
        let targets = c.quiet_record(item, &STATIC);
        for (index, target) in c.items(&targets, "targets").to_vec().into_iter().enumerate() {
            let text = c.scalar_text(target);
            if !text.contains('/') {
                continue;
            }
            let message = format!("{text:?} is no `host:port`: scheme and path have fields of their own");
            c.within(Step::Field("static_configs"), |c| {
                c.within(Step::Index(group), |c| {
                    c.within(Step::Field("targets"), |c| {
                        c.within(Step::Index(index), |c| c.problem_at(target, Kind::Value, message));
                    });
                });
            });
        }
    }
}
