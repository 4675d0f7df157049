//! Whose request it is, and that it sees nothing of others.

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use prom_model::{MatchOp, Matcher};
use promql_syntax::{Expr, ParseOptions, Span};

use super::ThanosApi;
use super::answer::Refusal;
use super::parameters::selector;
use crate::form::Form;

/// The header that is looked at beside the configured one.
const INTERNAL_HEADER: &str = "THANOS-TENANT";

/// How tenants are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenancy {
    /// `--query.tenant-header`
    pub header: String,
    /// `--query.default-tenant-id`
    pub default: String,
    /// `--query.tenant-label-name`
    pub label: String,
    /// `--query.enforce-tenancy`: what a request sees is limited to series with the tenant's label.
    pub enforced: bool,
}

impl Tenancy {
    /// The tenant of a request with these headers.
    fn tenant(&self, headers: &HeaderMap) -> Result<String, Refusal> {
        let value = |name: &str| {
            headers.get(name).and_then(|value| value.to_str().ok()).filter(|value| !value.is_empty())
        };
        let tenant = value(&self.header).or_else(|| value(INTERNAL_HEADER)).unwrap_or(&self.default);
        if !is_base_name(tenant) {
            return Err(Refusal::bad_data("tenant name not valid"));
        }
        Ok(tenant.to_owned())
    }

    /// The query as the tenant may ask it.
    pub(super) fn query(&self, query: &str, tenant: &str, options: &ParseOptions) -> Result<String, Refusal> {
        if !self.enforced {
            return Ok(query.to_owned());
        }
        let refuse = |error: String| {
            Refusal::bad_data(format!("error parsing query string, when enforcing tenenacy: {error}"))
        };
        let (expr, errors) = promql_syntax::parse_with(query, options);
        let expr = match expr {
            Some(expr) if errors.is_empty() => expr,
            _ => {
                return Err(refuse(promql_syntax::prometheus_error_text(&errors, query).unwrap_or_default()));
            }
        };
        let mut text = query.to_owned();
        // From the end, so that places before it stay.
        let mut selectors = promql_syntax::selectors(&expr);
        selectors.sort_by_key(|one| std::cmp::Reverse(one.selector.span.start));
        for one in selectors {
            let Span { start, end, .. } = one.selector.span;
            let (Some(before), Some(own), Some(behind)) =
                (text.get(..start), text.get(start..end), text.get(end..))
            else {
                continue;
            };
            let limited = self.limit_selector(own, tenant, options).ok_or_else(|| refuse(own.to_owned()))?;
            text = format!("{before}{limited}{behind}");
        }
        Ok(text)
    }

    /// A selector with its modifiers, limited to the tenant.
    fn limit_selector(&self, text: &str, tenant: &str, options: &ParseOptions) -> Option<String> {
        let (Some(Expr::Vector(mut selector)), errors) = promql_syntax::parse_with(text, options) else {
            return None;
        };
        if !errors.is_empty() {
            return None;
        }
        selector.matchers = self.limit(selector.matchers, tenant)?;
        Some(Expr::Vector(selector).to_string())
    }

    /// Conditions, limited to the tenant.
    fn limit(&self, matchers: Vec<Matcher>, tenant: &str) -> Option<Vec<Matcher>> {
        let mut kept: Vec<Matcher> =
            matchers.into_iter().filter(|matcher| matcher.name() != self.label).collect();
        kept.push(Matcher::new(MatchOp::Equal, self.label.as_str(), tenant).ok()?);
        Some(kept)
    }

    /// The selectors of `match[]` as the tenant may ask them.
    pub(super) fn matchers(&self, form: &Form, tenant: &str) -> Result<Vec<Vec<Matcher>>, Refusal> {
        let mut sets: Vec<Vec<Matcher>> = form.all("match[]").map(selector).collect::<Result<_, _>>()?;
        if self.enforced {
            if sets.is_empty() {
                sets.push(Vec::new());
            }
            sets = sets
                .into_iter()
                .map(|set| self.limit(set, tenant).ok_or_else(|| Refusal::bad_data("tenant name not valid")))
                .collect::<Result<_, _>>()?;
        }
        Ok(sets)
    }
}

/// A request as handlers take it: its parameters, and whose it is.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) form: Form,
    tenant: Result<String, Refusal>,
}

impl Call {
    /// Whose request it is.
    pub(super) fn tenant(&self) -> Result<&str, Refusal> {
        self.tenant.as_deref().map_err(Clone::clone)
    }
}

impl FromRequest<ThanosApi> for Call {
    type Rejection = Refusal;

    async fn from_request(request: Request, api: &ThanosApi) -> Result<Self, Refusal> {
        let tenant = api.settings.tenancy.tenant(request.headers());
        let form = Form::from_request(request, api).await.map_err(Refusal)?;
        Ok(Call { form, tenant })
    }
}

/// Whether a tenant could be the name of a file: what Go's `path.Base` leaves as it is.
fn is_base_name(tenant: &str) -> bool {
    !tenant.is_empty() && (tenant == "/" || !tenant.contains('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enforced() -> Tenancy {
        Tenancy {
            header: "THANOS-TENANT".to_owned(),
            default: "default-tenant".to_owned(),
            label: "tenant_id".to_owned(),
            enforced: true,
        }
    }

    #[test]
    fn every_selector_of_a_query_is_limited_to_the_tenant() {
        let tenancy = enforced();
        for (query, limited) in [
            ("up", "up{tenant_id=\"a\"}"),
            (
                "sum(rate(x{b=\"c\"}[5m] offset 1m)) / on () y{tenant_id=~\".*\"}",
                "sum(rate(x{b=\"c\",tenant_id=\"a\"}[5m] offset 1m)) / on () y{tenant_id=\"a\"}",
            ),
            ("max_over_time(up[1h:5m])", "max_over_time(up{tenant_id=\"a\"}[1h:5m])"),
            ("1 + 1", "1 + 1"),
        ] {
            assert_eq!(tenancy.query(query, "a", &ParseOptions::ALL).unwrap(), limited);
        }
    }

    #[test]
    fn a_request_without_selectors_sees_the_tenant_only() {
        let sets = enforced().matchers(&Form::default(), "a").unwrap();
        assert_eq!(sets.len(), 1);
        assert_eq!((sets[0][0].name(), sets[0][0].value()), ("tenant_id", "a"));
    }

    #[test]
    fn headers_name_the_tenant_and_paths_are_none() {
        let mut tenancy = enforced();
        tenancy.header = "X-Org".to_owned();
        let tenant = |name: &'static str, value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name, value.parse().unwrap());
            tenancy.tenant(&headers)
        };
        assert_eq!(tenant("x-org", "one").unwrap(), "one");
        assert_eq!(tenant("thanos-tenant", "two").unwrap(), "two");
        assert_eq!(tenant("other", "two").unwrap(), "default-tenant");
        assert_eq!(tenant("x-org", "a/b"), Err(Refusal::bad_data("tenant name not valid")));
    }
}
