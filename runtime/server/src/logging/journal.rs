//! Lines for systemd's journal: one datagram each, in its native protocol.
//!
//! Fields are named as Thanos names them: `MESSAGE`, `PRIORITY`, and `THANOS_<KEY>` for the rest.
//! Protocol: <https://systemd.io/JOURNAL_NATIVE_PROTOCOL/>.

use std::io;
use std::os::unix::net::UnixDatagram;

use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::format::Pairs;

const SOCKET: &str = "/run/systemd/journal/socket";

/// Sends each event to the journal.
#[derive(Debug)]
pub(super) struct Journal {
    socket: UnixDatagram,
}

impl Journal {
    /// Opens the journal of this machine.
    pub(super) fn open() -> io::Result<Self> {
        Self::open_at(SOCKET)
    }

    fn open_at(path: &str) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        socket.connect(path)?;
        Ok(Self { socket })
    }
}

impl<S: Subscriber> Layer<S> for Journal {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let mut pairs = Pairs::default();
        event.record(&mut pairs);
        // There is nobody to tell when the journal does not take it.
        let _ = self.socket.send(&datagram(*event.metadata().level(), pairs));
    }
}

fn datagram(level: Level, mut pairs: Pairs) -> Vec<u8> {
    let priority = match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        _ => "7",
    };
    let message = pairs.take("msg").map(|(_, message)| message).filter(|message| !message.is_empty());
    let error = pairs.0.iter().find(|(key, _)| key == "err").map(|(_, error)| error.clone());
    let message = message.or(error).unwrap_or_else(|| "(no message)".to_owned());
    let mut bytes = Vec::new();
    field(&mut bytes, "MESSAGE", &message);
    field(&mut bytes, "PRIORITY", priority);
    for (key, value) in &pairs.0 {
        let name = key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
        field(&mut bytes, &format!("THANOS_{}", name.collect::<String>()), value);
    }
    bytes
}

/// A value with a line break states its length.
fn field(bytes: &mut Vec<u8>, name: &str, value: &str) {
    bytes.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        bytes.push(b'\n');
        bytes.extend_from_slice(&u64::try_from(value.len()).unwrap_or(0).to_le_bytes());
    } else {
        bytes.push(b'=');
    }
    bytes.extend_from_slice(value.as_bytes());
    bytes.push(b'\n');
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

    #[test]
    fn an_event_becomes_a_datagram() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let journal = UnixDatagram::bind(&path).unwrap();
        let layer = Journal::open_at(path.to_str().unwrap()).unwrap();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
            tracing::warn!(msg = "it changed", file.name = "a\nb");
            tracing::error!(err = "broken");
        });
        let mut buffer = [0; 1000];
        let mut next = || {
            let length = journal.recv(&mut buffer).unwrap();
            buffer[..length].to_vec()
        };
        assert_eq!(next(), b"MESSAGE=it changed\nPRIORITY=4\nTHANOS_FILE_NAME\n\x03\0\0\0\0\0\0\0a\nb\n",);
        assert_eq!(next(), b"MESSAGE=broken\nPRIORITY=3\nTHANOS_ERR=broken\n");
    }
}
