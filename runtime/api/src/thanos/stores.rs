//! `stores`: the endpoints that are known, by component.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::Response;

use super::answer::success;
use super::object::{Object, nanoseconds, push_labels, push_list};
use super::{Asked, Endpoint};
use crate::json::push_text_for_html;

pub(super) async fn stores(State(api): Asked) -> Response {
    let endpoints = api.fleet.endpoints();
    let mut by_component: BTreeMap<&str, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in &endpoints {
        by_component.entry(&endpoint.component).or_default().push(endpoint);
    }
    let mut data = Vec::new();
    let mut object = Object::new(&mut data);
    for (component, endpoints) in by_component {
        push_list(object.field(component), endpoints, push_endpoint);
    }
    object.end();
    success(&data, &[])
}

fn push_endpoint(out: &mut Vec<u8>, endpoint: &Endpoint) {
    let mut object = Object::new(out);
    object.text("name", &endpoint.name);
    object.text("lastCheck", &nanoseconds(endpoint.last_check));
    match &endpoint.last_error {
        None => object.field("lastError").extend_from_slice(b"null"),
        Some(error) => push_text_for_html(object.field("lastError"), error),
    }
    push_list(object.field("labelSets"), &endpoint.label_sets, push_labels);
    object.whole("minTime", endpoint.min_time);
    object.whole("maxTime", endpoint.max_time);
    object.end();
}
