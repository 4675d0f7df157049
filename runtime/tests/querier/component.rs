//! A component that runs until the test ends.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// A running component with its addresses.
pub(super) struct Component {
    process: Child,
    pub(super) http: String,
    pub(super) grpc: String,
}

impl Component {
    /// Starts it and waits until it serves both HTTP and gRPC.
    pub(super) fn start(name: &str, arguments: &[String]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pronoiad"))
            .args([name, "--http-address=127.0.0.1:0", "--grpc-address=127.0.0.1:0"])
            .args(arguments)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(process.stderr.take().unwrap());
        let (mut http, mut grpc, mut seen) = (String::new(), String::new(), String::new());
        while http.is_empty() || grpc.is_empty() {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{name} ended: {seen}");
            if let Some((_, rest)) = line.split_once(" address=") {
                let address = rest.split_whitespace().next().unwrap_or_default().to_owned();
                if line.contains("gRPC/server") {
                    grpc = address;
                } else if line.contains("http/server") {
                    http = address;
                }
            }
            seen.push_str(&line);
        }
        // Nobody reads on, and nobody should have to wait for it.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Component { process, http, grpc }
    }

    /// Sends a request; status, head and body of the answer.
    pub(super) fn ask(&self, method: &str, path: &str, body: &str) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(&self.http).unwrap();
        // Of the old version the answer comes in one piece.
        write!(
            stream,
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.http,
            body.len()
        )
        .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap().to_lowercase();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), head, answer[end + 4..].to_vec())
    }
}

impl Drop for Component {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
