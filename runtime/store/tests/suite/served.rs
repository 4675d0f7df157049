//! Stores as servers on the loopback address.

use std::net::SocketAddr;
use std::sync::Arc;

use budget::Budget;
use store::{Channel, RemoteStore, Store, StoreService};
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Endpoint, Server};

/// A server that ends when this is dropped.
pub(crate) struct Served {
    pub(crate) address: SocketAddr,
    _ends: DropGuard,
}

/// Serves a store.
pub(crate) fn serve(store: Arc<dyn Store>) -> Served {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().expect("valid")).expect("a free port");
    let address = incoming.local_addr().expect("bound");
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let service = StoreService::new(store, Budget::unlimited()).into_server();
    let server = Server::builder().add_service(service);
    tokio::spawn(server.serve_with_incoming_shutdown(incoming, stopped.cancelled_owned()));
    Served { address, _ends: stop.drop_guard() }
}

/// A channel to an address.
pub(crate) fn channel_to(address: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{address}")).expect("valid");
    Channel::new(endpoint.connect_lazy())
}

/// The store behind a server.
pub(crate) fn remote(served: &Served, store: &dyn Store) -> RemoteStore {
    RemoteStore::new(channel_to(served.address), store.about())
}
