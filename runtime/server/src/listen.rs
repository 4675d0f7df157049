//! A TCP listener from a flag: `HOST:PORT`, `:PORT` for every address, port 0 for a free one.

use std::io::ErrorKind;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;

/// A predecessor that was killed may keep its port for a moment, through a child that it was just starting.
const TAKEN_TRIES: u32 = 10;
const TAKEN_PAUSE: Duration = Duration::from_millis(100);

/// Why nothing listens.
#[derive(Debug, Error)]
pub enum ListenError {
    /// The flag's value is no address.
    #[error("--{flag}={address}: {reason}; write HOST:PORT, as in {example}")]
    Address {
        /// The flag, without its dashes.
        flag: &'static str,
        /// As it was given.
        address: String,
        /// What is wrong with it.
        reason: String,
        /// One that would do.
        example: &'static str,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {cause}")]
    Listen {
        /// As it was given.
        address: String,
        /// Why not.
        cause: std::io::Error,
    },
}

/// A flag that takes an address, and one of its values.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AddressFlag {
    pub(crate) name: &'static str,
    pub(crate) example: &'static str,
}

pub(crate) const HTTP: AddressFlag = AddressFlag { name: "http-address", example: "0.0.0.0:10902" };
pub(crate) const GRPC: AddressFlag = AddressFlag { name: "grpc-address", example: "0.0.0.0:10901" };

/// Listens on what the flag says.
pub(crate) async fn bind(address: &str, flag: AddressFlag) -> Result<TcpListener, ListenError> {
    let full = match address.strip_prefix(':') {
        Some(port) => format!("0.0.0.0:{port}"),
        None => address.to_owned(),
    };
    if full.rsplit_once(':').is_none_or(|(_, port)| port.parse::<u16>().is_err()) {
        return Err(ListenError::Address {
            flag: flag.name,
            address: address.to_owned(),
            reason: "it has no port between 0 and 65535".to_owned(),
            example: flag.example,
        });
    }
    let mut listener = TcpListener::bind(&full).await;
    for _ in 0..TAKEN_TRIES {
        if !matches!(&listener, Err(error) if error.kind() == ErrorKind::AddrInUse) {
            break;
        }
        tokio::time::sleep(TAKEN_PAUSE).await;
        listener = TcpListener::bind(&full).await;
    }
    listener.map_err(|cause| ListenError::Listen { address: address.to_owned(), cause })
}
