//! Who is ready: a thread that asks, so that a process which takes its time to answer holds up nobody else.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::http;

/// Between two rounds.
const SOON: Duration = Duration::from_millis(100);
/// Who is ready is asked in one round of so many.
const ROUNDS: u32 = 10;

/// What to ask: name to pid and URL.
type Questions = Arc<Mutex<BTreeMap<String, (u32, String)>>>;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) name: String,
    /// The process that was asked; another one may have its name by now.
    pub(super) pid: u32,
    pub(super) ready: bool,
}

/// The thread, and the way to it.
#[derive(Debug)]
pub(super) struct Prober {
    questions: Questions,
    answers: Receiver<Answer>,
}

impl Prober {
    /// Starts asking; ends when it is dropped.
    pub(super) fn start() -> Prober {
        let questions = Questions::default();
        let (sender, answers) = mpsc::channel();
        let shared = Arc::clone(&questions);
        thread::spawn(move || ask(&shared, &sender));
        Prober { questions, answers }
    }

    /// Asks this process from now on.
    pub(super) fn add(&self, name: &str, pid: u32, url: &str) {
        let mut questions = self.questions.lock().unwrap_or_else(PoisonError::into_inner);
        questions.insert(name.to_string(), (pid, url.to_string()));
    }

    /// Asks it no more.
    pub(super) fn remove(&self, name: &str) {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// Everything that was said since the last call.
    pub(super) fn answers(&self) -> impl Iterator<Item = Answer> {
        self.answers.try_iter()
    }
}

fn ask(questions: &Questions, answers: &Sender<Answer>) {
    let agent = http::agent();
    let mut known: BTreeMap<(String, u32), bool> = BTreeMap::new();
    let mut rounds = 0_u32;
    loop {
        let all = questions.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let whole = rounds.is_multiple_of(ROUNDS);
        known.retain(|(name, pid), _| all.get(name).is_some_and(|(current, _)| current == pid));
        for (name, (pid, url)) in all {
            let key = (name.clone(), pid);
            if !whole && known.get(&key) == Some(&true) {
                continue;
            }
            let ready = http::is_ready(&agent, &url);
            known.insert(key, ready);
            if answers.send(Answer { name, pid, ready }).is_err() {
                return;
            }
        }
        rounds = rounds.wrapping_add(1);
        thread::sleep(SOON);
    }
}
