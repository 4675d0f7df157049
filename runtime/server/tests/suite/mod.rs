//! One module per surface.

mod certificates;
mod grpc_calls;
mod hostile;
mod http_server;
mod run_group;
mod ticker;
mod traces;
