//! Ports: all of them must be free before anything starts, and whoever holds one is named.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::path::Path;

use super::plan::Spec;

/// A port that a process wants and somebody else has.
#[derive(Debug)]
pub(super) struct Conflict {
    port: u16,
    kind: String,
    process: String,
    why: String,
    holder: Option<Holder>,
}

/// Who has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Holder {
    pid: u32,
    command: String,
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "port {} ({} of {}) {}", self.port, self.kind, self.process, self.why)?;
        match &self.holder {
            Some(holder) => write!(f, " by pid {} ({})", holder.pid, holder.command),
            None => Ok(()),
        }
    }
}

/// Every port of these processes that cannot be had.
pub(super) fn conflicts<'a>(specs: impl Iterator<Item = &'a Spec>) -> Vec<Conflict> {
    let mut found = Vec::new();
    for spec in specs {
        for (kind, port) in &spec.ports {
            let tcp = TcpListener::bind(("127.0.0.1", *port)).map(drop);
            // Alertmanagers gossip over both.
            let both = tcp.and_then(|()| match kind.as_str() {
                "peers" => UdpSocket::bind(("127.0.0.1", *port)).map(drop),
                _ => Ok(()),
            });
            let Err(error) = both else { continue };
            let taken = error.kind() == ErrorKind::AddrInUse;
            found.push(Conflict {
                port: *port,
                kind: kind.clone(),
                process: spec.name.clone(),
                why: if taken { "is taken".to_string() } else { format!("cannot be used: {error}") },
                holder: if taken { holder(*port) } else { None },
            });
        }
    }
    found
}

/// Who listens on a port, as far as this user may see it.
fn holder(port: u16) -> Option<Holder> {
    let tables = ["tcp", "tcp6", "udp"].map(|name| format!("/proc/net/{name}"));
    let inodes: Vec<u64> = tables
        .iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .flat_map(|table| inodes(&table, port))
        .collect();
    let links: Vec<String> = inodes.iter().map(|inode| format!("socket:[{inode}]")).collect();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(open) = fs::read_dir(entry.path().join("fd")) else { continue };
        let mut targets = open.flatten().filter_map(|fd| fs::read_link(fd.path()).ok());
        if targets.any(|target| target.to_str().is_some_and(|target| links.iter().any(|link| link == target)))
        {
            return Some(Holder { pid, command: command(&entry.path()) });
        }
    }
    None
}

/// The name of a process' program; its arguments may be secrets.
fn command(folder: &Path) -> String {
    let line = fs::read(folder.join("cmdline")).unwrap_or_default();
    let first = line.split(|byte| *byte == 0).next().unwrap_or_default();
    let name =
        String::from_utf8_lossy(first.rsplit(|byte| *byte == b'/').next().unwrap_or(first)).into_owned();
    match name.is_empty() {
        true => fs::read_to_string(folder.join("comm")).unwrap_or_default().trim().to_string(),
        false => name.chars().filter(|c| !c.is_control()).collect(),
    }
}

/// Inodes of the sockets that listen on a port, or are bound to it without a peer.
fn inodes(table: &str, port: u16) -> Vec<u64> {
    /// `TCP_LISTEN`; unconnected UDP sockets are in state 7.
    const BOUND: [&str; 2] = ["0A", "07"];
    let inode = |line: &str| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let (_, own) = columns.get(1)?.rsplit_once(':')?;
        let ours = u16::from_str_radix(own, 16).ok()? == port && BOUND.contains(columns.get(3)?);
        ours.then(|| columns.get(9)?.parse().ok()).flatten()
    };
    table.lines().skip(1).filter_map(inode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2382 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:2382 0100007F:9C40 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0000 100 0 0 10 0
   3: broken
";

    #[test]
    fn the_listener_is_found_among_the_sockets() {
        assert_eq!(inodes(TABLE, 9090), [4711]);
        assert_eq!(inodes(TABLE, 8080), [4713]);
        assert_eq!(inodes(TABLE, 1), Vec::<u64>::new());
    }

    #[test]
    fn the_holder_of_a_port_is_named() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let found = holder(port).expect("this process may look at itself");
        assert_eq!(found.pid, std::process::id());
        assert!(!found.command.is_empty());
    }
}
