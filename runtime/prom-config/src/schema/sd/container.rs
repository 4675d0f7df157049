//! Targets written in the file, and service discovery of container platforms.

use super::need_role;
use crate::checker::{Checker, Step};
use crate::record::Record;
use crate::schema::http::FILE_CREDENTIALS;
use crate::schema::{Shape, Struct, TEXTS, Word, f, http, v, w};
use crate::{Kind, go_url};

const KUBERNETES_ROLES: &[Word] =
    &[w("node"), w("pod"), w("service"), w("endpoints"), w("endpointslice"), w("ingress")];

/// An entry of `static_configs`.
pub(crate) static STATIC: Struct = Struct {
    fields: &[f("labels", Shape::Map(&Shape::LabelName, &Shape::Text)), f("targets", TEXTS)],
    inline: &[],
    check: None,
};

static FILTER: Struct =
    Struct { fields: &[f("name", Shape::Text), f("values", TEXTS)], inline: &[], check: None };

static ATTACH_METADATA: Struct = Struct {
    fields: &[
        f("cronjob", Shape::Bool).since(3, 11, 0),
        f("deployment", Shape::Bool).since(3, 11, 0),
        f("job", Shape::Bool).since(3, 11, 0),
        f("namespace", Shape::Bool).since(3, 6, 0),
        f("node", Shape::Bool),
    ],
    inline: &[],
    check: None,
};

static NAMESPACES: Struct =
    Struct { fields: &[f("names", TEXTS), f("own_namespace", Shape::Bool)], inline: &[], check: None };

static SELECTOR: Struct = Struct {
    fields: &[f("field", Shape::Text), f("label", Shape::Text), f("role", Shape::Enum(KUBERNETES_ROLES))],
    inline: &[],
    check: None,
};

pub(crate) static DOCKER: Struct = Struct {
    fields: &[
        f("filters", Shape::List(&Shape::Struct(&FILTER))),
        f("host", Shape::Text),
        f("host_networking_host", Shape::Text),
        f("match_first_network", Shape::Bool).since(2, 54, 0),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_docker),
};

pub(crate) static DOCKERSWARM: Struct = Struct {
    fields: &[
        f("filters", Shape::List(&Shape::Struct(&FILTER))),
        f("host", Shape::Text),
        f("port", Shape::Int),
        f("refresh_interval", Shape::Duration),
        f("role", Shape::Text),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_dockerswarm),
};

pub(crate) static KUBERNETES: Struct = Struct {
    fields: &[
        f("api_server", Shape::Url),
        f("attach_metadata", Shape::Struct(&ATTACH_METADATA)),
        f("kubeconfig_file", FILE_CREDENTIALS),
        f("namespaces", Shape::Struct(&NAMESPACES)),
        f("role", Shape::Enum(KUBERNETES_ROLES)),
        f("selectors", Shape::List(&Shape::Struct(&SELECTOR))),
    ],
    inline: &[(&http::CLIENT, http::ALWAYS)],
    check: Some(check_kubernetes),
};

fn check_docker(c: &mut Checker<'_>, record: &Record) {
    if !c.is_filled(record, "host") {
        c.refuse(record, "host", "`host` is missing");
    } else if let Err(error) = go_url::parse(c.text(record, "host")) {
        c.refuse(record, "host", format!("this is no URL: {error}"));
    }
    http::check(c, record);
}

fn check_dockerswarm(c: &mut Checker<'_>, record: &Record) {
    check_docker(c, record);
    if !matches!(c.text(record, "role"), "services" | "nodes" | "tasks") {
        c.refuse(record, "role", "the role is `services`, `nodes` or `tasks`");
    }
}

fn check_kubernetes(c: &mut Checker<'_>, record: &Record) {
    need_role(c, record, KUBERNETES_ROLES);
    http::check(c, record);
    let server = c.is_set(record, "api_server");
    let kubeconfig = c.is_filled(record, "kubeconfig_file");
    let custom = http::is_custom(c, record);
    let namespaces = c.sub(record, "namespaces", &NAMESPACES);
    let own = namespaces.is_some_and(|namespaces| c.is_true(&namespaces, "own_namespace"));
    if server && kubeconfig {
        c.refuse(record, "kubeconfig_file", "`kubeconfig_file` and `api_server` exclude each other");
    }
    if kubeconfig && custom {
        c.refuse(record, "kubeconfig_file", "`kubeconfig_file` excludes settings of the HTTP client");
    }
    if !server && !kubeconfig && custom {
        c.refuse(record, "", "settings of the HTTP client need `api_server`: give it or remove them");
    }
    if (server || kubeconfig) && own {
        c.refuse(
            record,
            "namespaces",
            "`own_namespace` works inside the cluster alone, without `api_server`",
        );
    }
    check_selectors(c, record);
}

fn check_selectors(c: &mut Checker<'_>, record: &Record) {
    let role = c.text(record, "role");
    let mut known = Vec::new();
    for (index, item) in c.items(record, "selectors").to_vec().into_iter().enumerate() {
        let selector = c.quiet_record(item, &SELECTOR);
        let own = c.text(&selector, "role");
        let fits = match role {
            "pod" => own == "pod" || own == "node" && !c.options.before(v(3, 11, 0)),
            "endpointslice" | "endpoints" => own == role || matches!(own, "pod" | "service"),
            _ => own == role,
        };
        let twice = known.contains(&own);
        known.push(own);
        let field = c.text(&selector, "field");
        let terms = field.split(',').filter(|term| !term.is_empty()).all(|term| term.contains('='));
        c.within(Step::Field("selectors"), |c| {
            c.within(Step::Index(index), |c| {
                if twice {
                    c.refuse(&selector, "role", format!("there are two selectors for the role `{own}`"));
                } else if !fits {
                    c.refuse(&selector, "role", format!("the role `{role}` takes no selectors for `{own}`"));
                }
                if !terms && !field.contains('\\') {
                    c.refuse(&selector, "field", "a field selector is made of `name=value`");
                }
                if let Some(id) =
                    selector.value("label").filter(|_| !super::selector::is_plain(c.text(&selector, "label")))
                {
                    c.doubt_at(
                        id,
                        Kind::Value,
                        "this label selector is one that only Kubernetes' library can judge",
                    );
                }
            });
        });
    }
}
