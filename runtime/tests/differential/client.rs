//! A client that keeps its connection, for many small requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(super) struct Client {
    address: String,
    stream: Option<BufReader<TcpStream>>,
}

impl Client {
    pub(super) fn new(address: &str) -> Self {
        Client { address: address.to_owned(), stream: None }
    }

    /// Status and body; `None` where there is no answer.
    pub(super) fn get(&mut self, path: &str) -> Option<(u16, Vec<u8>)> {
        // A connection that was closed meanwhile is opened again once.
        for _ in 0..2 {
            if let Some(answer) = self.try_get(path) {
                return Some(answer);
            }
            self.stream = None;
        }
        None
    }

    fn try_get(&mut self, path: &str) -> Option<(u16, Vec<u8>)> {
        if self.stream.is_none() {
            let stream = TcpStream::connect(&self.address).ok()?;
            stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
            stream.set_nodelay(true).ok()?;
            self.stream = Some(BufReader::new(stream));
        }
        let stream = self.stream.as_mut()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let status = line.split_whitespace().nth(1)?.parse().ok()?;
        let (mut length, mut chunked) = (0, false);
        loop {
            line.clear();
            stream.read_line(&mut line).ok()?;
            let header = line.trim().to_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            chunked |= header.starts_with("transfer-encoding:") && header.ends_with("chunked");
        }
        let mut body = Vec::new();
        if !chunked {
            body.resize(length, 0);
            stream.read_exact(&mut body).ok()?;
            return Some((status, body));
        }
        loop {
            line.clear();
            stream.read_line(&mut line).ok()?;
            let size = usize::from_str_radix(line.trim(), 16).ok()?;
            let at = body.len();
            body.resize(at + size, 0);
            stream.read_exact(body.get_mut(at..)?).ok()?;
            line.clear();
            stream.read_line(&mut line).ok()?;
            if size == 0 {
                return Some((status, body));
            }
        }
    }
}
