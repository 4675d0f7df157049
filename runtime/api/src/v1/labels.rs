//! `labels` and `label/NAME/values`.

use axum::extract::{Path, State};
use axum::response::Response;
use prom_model::quote;

use super::{Api, scope, success_texts};
use crate::error::{ApiError, ErrorType};
use crate::form::Form;

pub(super) async fn names(State(api): State<Api>, form: Form) -> Result<Response, ApiError> {
    let limit = form.limit()?;
    let scope = scope(&form, &api.evaluator.options().parse)?;
    let found = blocking(move || api.catalog.label_names(&scope)).await?;
    Ok(success_texts(found, limit))
}

pub(super) async fn values(
    State(api): State<Api>,
    Path(name): Path<String>,
    form: Form,
) -> Result<Response, ApiError> {
    let name = if name.starts_with("U__") { unescape_name(&name) } else { name };
    if name.is_empty() {
        return Err(ApiError::bad_data(format!("invalid label name: {}", quote(&name))));
    }
    let limit = form.limit()?;
    let scope = scope(&form, &api.evaluator.options().parse)?;
    let found = blocking(move || api.catalog.label_values(&name, &scope)).await?;
    Ok(success_texts(found, limit))
}

/// Asks storage on a thread that may wait for disks.
pub(super) async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, promql::SourceError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(found) => found.map_err(|error| ApiError::storage(&error)),
        Err(_) => Err(ApiError::new(ErrorType::Internal, "looking into storage has crashed")),
    }
}

/// Undoes the escaping of names that are not plain: `U__a_2e_b` is `a.b`. What cannot be undone stays as it is.
fn unescape_name(name: &str) -> String {
    let Some(escaped) = name.strip_prefix("U__") else { return name.to_owned() };
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find('_') {
        let (plain, behind) = rest.split_at_checked(at).unwrap_or((rest, ""));
        out.push_str(plain);
        let behind = behind.get(1..).unwrap_or_default();
        if let Some(behind) = behind.strip_prefix('_') {
            out.push('_');
            rest = behind;
            continue;
        }
        let Some((digits, behind)) = behind.split_once('_') else { return name.to_owned() };
        let hexadecimal = (1..=6).contains(&digits.len())
            && digits
                .bytes()
                .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte.to_ascii_lowercase()));
        let code = u32::from_str_radix(digits, 16).ok().filter(|_| hexadecimal).and_then(char::from_u32);
        let Some(code) = code else { return name.to_owned() };
        out.push(code);
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unescaped() {
        for (escaped, name) in [
            ("U__datacenter_2e_name", "datacenter.name"),
            ("U__a__b", "a_b"),
            ("U__m_fc_nchen", "münchen"),
            ("U__broken_", "U__broken_"),
            ("U__broken_zz_", "U__broken_zz_"),
            ("U__", ""),
        ] {
            assert_eq!(unescape_name(escaped), name);
        }
    }
}
