//! A stand-in for Prometheus: an HTTP server that answers what the test says, piece by piece.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A request, as far as tests look at it.
#[derive(Debug, Clone, Default)]
pub(in crate::suite) struct Asked {
    /// Without the query.
    pub(in crate::suite) path: String,
    /// Decoded, in the order in which they came.
    pub(in crate::suite) query: Vec<(String, String)>,
    pub(in crate::suite) headers: Vec<(String, String)>,
    pub(in crate::suite) body: Vec<u8>,
}

impl Asked {
    pub(in crate::suite) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(in crate::suite) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Clone)]
pub(in crate::suite) struct Answer {
    pub(in crate::suite) status: u16,
    pub(in crate::suite) content_type: String,
    /// Each is sent as an HTTP chunk of its own.
    pub(in crate::suite) pieces: Vec<Vec<u8>>,
    /// Whether the connection breaks behind the last piece.
    pub(in crate::suite) breaks: bool,
}

impl Answer {
    pub(in crate::suite) fn json(status: u16, body: impl Into<String>) -> Self {
        let pieces = vec![body.into().into_bytes()];
        Answer { status, content_type: "application/json".to_owned(), pieces, breaks: false }
    }

    /// `{"status":"success","data":…}`
    pub(in crate::suite) fn data(data: impl std::fmt::Display) -> Self {
        Answer::json(200, format!("{{\"status\":\"success\",\"data\":{data}}}"))
    }

    pub(in crate::suite) fn streamed(pieces: Vec<Vec<u8>>) -> Self {
        let content_type = "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse".to_owned();
        Answer { status: 200, content_type, pieces, breaks: false }
    }
}

pub(in crate::suite) type Handler = Arc<dyn Fn(&Asked) -> Answer + Send + Sync>;

/// The server; it ends with the runtime of the test.
pub(in crate::suite) struct Fake {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Fake {
    pub(in crate::suite) async fn start(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it listens");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (handler, log) = (Arc::clone(&handler), Arc::clone(&log));
                tokio::spawn(async move { serve(stream, handler, log).await });
            }
        });
        Fake { address, asked }
    }

    pub(in crate::suite) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub(in crate::suite) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no test panics with it").clone()
    }
}

async fn serve(mut stream: TcpStream, handler: Handler, log: Arc<Mutex<Vec<Asked>>>) -> Option<()> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next()?.split(' ');
    first.next()?;
    let mut asked = Asked::default();
    let target = first.next()?;
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    asked.path = decode(path);
    asked.query = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decode(&name.replace('+', " ")), decode(&value.replace('+', " "))))
        .collect();
    asked.headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = asked.header("content-length").map_or(0, |length| length.parse().expect("a length"));
    while bytes.len() < head + length {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    asked.body = bytes[head..].to_vec();
    let answer = handler(&asked);
    log.lock().expect("no test panics with it").push(asked);
    let head = format!(
        "HTTP/1.1 {} Status\r\nContent-Type: {}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
        answer.status, answer.content_type
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    for piece in answer.pieces.iter().filter(|piece| !piece.is_empty()) {
        stream.write_all(format!("{:x}\r\n", piece.len()).as_bytes()).await.ok()?;
        stream.write_all(piece).await.ok()?;
        stream.write_all(b"\r\n").await.ok()?;
        stream.flush().await.ok()?;
    }
    if !answer.breaks {
        stream.write_all(b"0\r\n\r\n").await.ok()?;
    }
    stream.shutdown().await.ok()
}

fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte == b'%'
            && let Some((hex, after)) = rest.split_at_checked(2)
        {
            let hex = std::str::from_utf8(hex).expect("ASCII");
            bytes.push(u8::from_str_radix(hex, 16).expect("two digits"));
            rest = after;
        } else {
            bytes.push(*byte);
        }
    }
    String::from_utf8(bytes).expect("UTF-8")
}
