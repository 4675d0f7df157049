//! The parameters of a request: those of a form first, then those of the address, decoded as Go decodes them.

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};

use crate::error::ApiError;
use crate::time::Time;

/// The longest form that is read.
const FORM_BYTES_MAX: usize = 10 << 20;

/// Decoded parameters, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Adds the parameters of a text like `a=1&b=2`. Pairs that cannot be decoded are left out.
    fn add(&mut self, text: &str) {
        let pairs = text.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            if let (Some(name), Some(value)) = (unescape(name), unescape(value)) {
                self.0.push((name, value));
            }
        }
    }

    /// The first value of a parameter; empty if there is none.
    pub(crate) fn value(&self, name: &str) -> &str {
        self.all(name).next().unwrap_or_default()
    }

    /// All values of a parameter.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A time that must be there.
    pub(crate) fn time(&self, name: &str) -> Result<Time, ApiError> {
        Time::parse(self.value(name)).map_err(|error| ApiError::parameter(name, error))
    }

    /// A time that need not be there.
    pub(crate) fn time_or(&self, name: &str, otherwise: Time) -> Result<Time, ApiError> {
        match self.value(name) {
            "" => Ok(otherwise),
            text => Time::parse(text).map_err(|error| {
                ApiError::parameter(name, format!("invalid time value for '{name}': {error}"))
            }),
        }
    }

    /// `limit`: 0 where there is none.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        let text = self.value("limit");
        if text.is_empty() {
            return Ok(0);
        }
        let refuse = |error: String| Err(ApiError::parameter("limit", error));
        let atoi = |reason: &str| format!("strconv.Atoi: parsing {}: {reason}", prom_model::quote(text));
        match text.parse::<i64>() {
            Ok(limit) => match usize::try_from(limit) {
                Ok(limit) => Ok(limit),
                Err(_) => refuse("limit must be non-negative".to_owned()),
            },
            Err(error) => match error.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    refuse(atoi("value out of range"))
                }
                _ => refuse(atoi("invalid syntax")),
            },
        }
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, _: &S) -> Result<Self, ApiError> {
        let (parts, body) = request.into_parts();
        let mut form = Form::default();
        let kind =
            parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if matches!(parts.method, Method::POST | Method::PUT | Method::PATCH)
            && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        {
            let bytes = axum::body::to_bytes(body, FORM_BYTES_MAX)
                .await
                .map_err(|_| ApiError::bad_data("error parsing form values: http: POST too large"))?;
            form.add(&String::from_utf8_lossy(&bytes));
        }
        form.add(parts.uri.query().unwrap_or_default());
        Ok(form)
    }
}

/// Undoes the encoding of a name or value; `None` where it is none.
pub(crate) fn unescape(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                (digit(rest.next())? << 4 | digit(rest.next())?) as u8
            }
            byte => byte,
        });
    }
    Some(
        String::from_utf8(bytes)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_decoded_and_broken_ones_left_out() {
        let mut form = Form::default();
        form.add("query=up%7Bjob%3D%22a%22%7D+%2B+1&&x=1;y=2&bad=%zz&match[]=a&match[]=b&flag");
        assert_eq!(form.value("query"), "up{job=\"a\"} + 1");
        assert_eq!(form.all("match[]").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!((form.value("x"), form.value("bad"), form.value("flag")), ("", "", ""));
    }

    #[test]
    fn limits_are_whole_numbers() {
        let limit = |text: &str| Form(vec![("limit".to_owned(), text.to_owned())]).limit();
        assert_eq!(limit("7"), Ok(7));
        assert_eq!(limit(""), Ok(0));
        let error = |text: &str| Err(ApiError::bad_data(format!("invalid parameter \"limit\": {text}")));
        assert_eq!(limit("x"), error("strconv.Atoi: parsing \"x\": invalid syntax"));
        assert_eq!(limit("-1"), error("limit must be non-negative"));
        let big = "99999999999999999999";
        assert_eq!(limit(big), error(&format!("strconv.Atoi: parsing \"{big}\": value out of range")));
    }
}
