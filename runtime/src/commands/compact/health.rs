//! `GET /api/v1/doctor`: what is wrong with which group and block, since when, and what to run.

use std::sync::Arc;

use ::compact::cycle::Compactor;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use server::envelope;

pub(super) fn routes(compactor: Arc<Compactor>) -> Router {
    Router::new().route("/api/v1/doctor", get(doctor)).with_state(compactor)
}

async fn doctor(State(compactor): State<Arc<Compactor>>) -> Response {
    envelope::success(compactor.health())
}
