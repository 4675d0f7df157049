//! Requests that Thanos refuses are refused with the same code and the same text.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "reads the recordings and says what it compared"
)]

use std::path::Path;

use axum::body::Body;
use axum::http::{Request, header};
use serde_json::Value;
use tower::ServiceExt;

use super::memory::Memory;

/// Refusals that only the components behind a querier can give.
const OF_OTHERS: [&str; 2] = ["rules-match-bad", "query-exec-error"];

#[tokio::test]
async fn what_thanos_refuses_is_refused_in_its_words() {
    let Some(shared) = std::env::var_os("PRONOIA_SHARED") else {
        eprintln!("PRONOIA_SHARED is not set: recordings of Thanos are not compared");
        return;
    };
    let routes = api::thanos::routes(Memory::new().api(), &Default::default());
    let folder = Path::new(&shared).join("fixtures/wire/http/query");
    let mut compared = 0;
    for file in std::fs::read_dir(folder).expect("the recordings") {
        let path = file.expect("a recording").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let recorded: Value =
            serde_json::from_slice(&std::fs::read(&path).expect("a recording")).expect("JSON");
        let status = recorded["response"]["status"].as_u64().unwrap_or_default();
        if status < 400 || OF_OTHERS.contains(&name.as_str()) || name.starts_with("debug") {
            continue;
        }
        let target = recorded["request"]["path"].as_str().expect("a path").replace(' ', "%20");
        let request = Request::get(target.replace('{', "%7B").replace('}', "%7D")).body(Body::empty());
        let response = routes.clone().oneshot(request.expect(&target)).await.expect("an answer");
        assert_eq!(u64::from(response.status().as_u16()), status, "{name}");
        let stored = response.headers().get(header::CACHE_CONTROL).cloned();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("a body");
        let body = String::from_utf8_lossy(&body);
        assert_eq!(body, recorded["response"]["body_text"].as_str().unwrap_or_default(), "{name}");
        assert_eq!(stored.is_some_and(|value| value == "no-store"), status != 404, "{name}");
        compared += 1;
    }
    eprintln!("{compared} refusals compared");
    assert!(compared > 25);
}
