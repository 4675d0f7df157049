//! `pronoia up` as a handle: started on ports of its own, watched, told to stop, and gone when the test is.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program;

/// Nothing here takes longer on a machine that is not stuck.
const PATIENCE: Duration = Duration::from_secs(40);

/// A folder with a topology, and ports that no other test has.
#[derive(Debug)]
pub struct Place {
    folder: tempfile::TempDir,
    /// Added to every port.
    pub offset: u16,
}

/// A running `pronoia up`.
#[derive(Debug)]
pub struct Up {
    child: Child,
    said: Arc<Mutex<String>>,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Place {
    /// Ten ports from each start of the plan belong to each `number` below ten.
    pub fn new(number: u16, topology: &str) -> Place {
        let place =
            Place { folder: tempfile::tempdir().expect("a temporary folder"), offset: 10_000 + 10 * number };
        place.edit(topology);
        place
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the topology, as an editor does: another file takes its place.
    pub fn edit(&self, topology: &str) {
        fs::write(self.path("topology.kdl.new"), topology).expect("a topology");
        fs::rename(self.path("topology.kdl.new"), self.path("topology.kdl")).expect("a topology");
    }

    /// `pronoia` with arguments, in the folder.
    pub fn pronoia(&self, args: &[&str]) -> Command {
        let mut command = Command::new(program::pronoia());
        command.args(args).current_dir(self.folder.path()).env("PRONOIAD", program::pronoiad());
        command.stdin(Stdio::null());
        command
    }

    /// `pronoia up` that is expected to end by itself: exit code, and all that it said.
    pub fn refused(&self, args: &[&str]) -> (Option<i32>, String) {
        let offset = format!("--port-offset={}", self.offset);
        let args = [&["up", offset.as_str()], args].concat();
        let output = self.pronoia(&args).output().expect("pronoia starts");
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8_lossy(&said).into_owned())
    }

    /// Starts `pronoia up`.
    pub fn up(&self, args: &[&str]) -> Up {
        let offset = format!("--port-offset={}", self.offset);
        let mut command = self.pronoia(&[&["up", offset.as_str()], args].concat());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("pronoia starts");
        let said = Arc::new(Mutex::new(String::new()));
        let out = child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let err = child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>);
        let readers = [out, err].into_iter().flatten().map(|pipe| listen(pipe, Arc::clone(&said)));
        Up { child, readers: readers.collect(), said }
    }

    /// What `pronoia ps --json` says.
    pub fn ps(&self) -> Value {
        let said = program::succeed(&mut self.pronoia(&["ps", "--json"]));
        serde_json::from_str(&said).expect("ps writes JSON")
    }

    /// One process of `ps`.
    pub fn process(&self, name: &str) -> Option<Value> {
        self.ps()["processes"].as_array()?.iter().find(|process| process["name"] == name).cloned()
    }

    /// Pids of everything that runs, by name.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let ps = self.ps();
        let pid = |process: &Value| {
            let pid = u32::try_from(process["pid"].as_u64()?).ok()?;
            Some((process["name"].as_str()?.to_string(), pid))
        };
        ps["processes"].as_array().into_iter().flatten().filter_map(pid).collect()
    }

    /// The JSON at a path of a server.
    pub fn json(&self, port: u16, path: &str) -> Option<Value> {
        let url = format!("http://127.0.0.1:{}/{path}", port + self.offset);
        let text = ureq::get(&url).call().ok()?.into_body().read_to_string().ok()?;
        serde_json::from_str(&text).ok()
    }

    /// The `data` of an answer of Prometheus' API.
    pub fn api(&self, port: u16, path: &str) -> Option<Value> {
        Some(self.json(port, &format!("api/v1/{path}"))?["data"].clone())
    }
}

fn listen(pipe: Box<dyn Read + Send>, said: Arc<Mutex<String>>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
            said.push_str(&line);
            said.push('\n');
        }
    })
}

impl Up {
    /// Everything that it said until now.
    pub fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it says this.
    pub fn says(&mut self, text: &str) {
        let begun = Instant::now();
        while !self.said().contains(text) {
            let ended = self.child.try_wait().expect("a child");
            assert!(ended.is_none(), "it ended ({ended:?}) before it said `{text}`:\n{}", self.said());
            assert!(begun.elapsed() < PATIENCE, "it does not say `{text}`:\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Its pid.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        send(self.pid(), signal);
    }

    /// Waits for its end.
    pub fn end(mut self) -> (ExitStatus, String) {
        let begun = Instant::now();
        let status = loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => break status,
                None => assert!(begun.elapsed() < PATIENCE, "it does not end:\n{}", self.said()),
            }
            thread::sleep(Duration::from_millis(20));
        };
        self.readers.drain(..).for_each(|reader| reader.join().expect("the reader ends"));
        (status, self.said())
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // What it started ends with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal to a process.
pub fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the process is there");
}

/// Whether a process runs; one that waits to be asked for its exit code does not.
pub fn runs(pid: u32) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("stat"));
    stat.is_ok_and(|stat| stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.starts_with(" Z")))
}

/// Waits until something is so, and fails with what is known then.
pub fn within(limit: Duration, what: &str, mut so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !so() {
        assert!(begun.elapsed() < limit, "not within {limit:?}: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
