//! Limits: a control group of so much memory, a file system of such a size.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

/// A file system in a file.
pub(crate) struct Disk {
    image: PathBuf,
    folder: PathBuf,
}

impl Disk {
    pub(crate) fn mount(parent: &Path, mib: u64) -> Self {
        let (image, folder) = (parent.join("disk.img"), parent.join("disk"));
        fs::create_dir_all(&folder).expect("a folder");
        fs::File::create(&image).and_then(|file| file.set_len(mib << 20)).expect("an image");
        run("mkfs.ext4", &["-q", "-m", "0", &image.display().to_string()]);
        run("mount", &["-o", "loop", &image.display().to_string(), &folder.display().to_string()]);
        Disk { image, folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn used(&self) -> u64 {
        let output =
            Command::new("df").args(["--output=used", "-B1"]).arg(&self.folder).output().expect("df");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().nth(1).and_then(|line| line.trim().parse().ok()).expect("bytes")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        run("umount", &[&self.folder.display().to_string()]);
        fs::remove_file(&self.image).expect("the image");
        fs::remove_dir(&self.folder).expect("the folder");
    }
}

fn run(program: &str, arguments: &[&str]) {
    let status = Command::new(program).args(arguments).status().expect(program);
    assert!(status.success(), "{program} {arguments:?}: {status}");
}

/// A control group, of the first or the second version.
pub(crate) struct Memory {
    folder: PathBuf,
    is_first: bool,
}

impl Memory {
    pub(crate) fn new(name: &str, bytes: u64) -> Self {
        let first = Path::new("/sys/fs/cgroup/memory");
        let is_first = first.is_dir();
        let folder = if is_first { first.join(name) } else { Path::new("/sys/fs/cgroup").join(name) };
        fs::create_dir_all(&folder).expect("a control group");
        let group = Memory { folder, is_first };
        let limit = if is_first { "memory.limit_in_bytes" } else { "memory.max" };
        fs::write(group.folder.join(limit), bytes.to_string()).expect("a limit");
        group
    }

    /// Runs a program in it and says how much of the disk was used at most.
    pub(crate) fn run(&self, arguments: &[&str], disk: &Disk) -> (ExitStatus, u64) {
        let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", self.folder.display());
        let mut child =
            Command::new("sh").args(["-c", &enter, "sh"]).args(arguments).spawn().expect("a process");
        let mut peak = 0;
        loop {
            peak = peak.max(disk.used());
            if let Some(status) = child.try_wait().expect("a child") {
                return (status, peak);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn peak_bytes(&self) -> u64 {
        let name = if self.is_first { "memory.max_usage_in_bytes" } else { "memory.peak" };
        fs::read_to_string(self.folder.join(name)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
    }

    /// How often the group was at its limit, so that page cache was given back.
    pub(crate) fn limit_hits(&self) -> u64 {
        let (name, line) = if self.is_first { ("memory.failcnt", "") } else { ("memory.events", "max ") };
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let line = text.lines().find_map(|text| text.strip_prefix(line)).unwrap_or("0");
        line.trim().parse().unwrap_or(0)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // It is empty once the last process is gone.
        let _ = fs::remove_dir(&self.folder);
    }
}
