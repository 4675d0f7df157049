//! One module per surface.

mod certificates;
mod grpc_calls;
mod ticker;
