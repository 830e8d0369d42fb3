//! What all actors share: the repository, what it must hold, and the commands that run upon it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::folder::Content;
use crate::random::Random;

/// What is known of a snapshot's visibility.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It must restore.
    Kept,
    /// It was forgotten, and nothing brought it back.
    Forgotten,
    /// Somebody is forgetting it or bringing it back, or was killed at that.
    Doubtful,
    /// Bringing it back did not end well: it may be listed and go nevertheless.
    Unpromised,
}

/// A snapshot that was committed.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// What it may hold: one content, or several where it is not known which of several killed backups made it.
    pub contents: Vec<Arc<Content>>,
    /// Whether it must restore.
    pub state: State,
    /// How often the state was changed.
    pub changes: u64,
}

/// What the repository must hold.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    /// The snapshots by their ids.
    pub snapshots: BTreeMap<String, Known>,
    /// A policy is at work, which may forget what is not known yet.
    pub is_policy_at_work: bool,
}

impl Truth {
    /// Takes note of a commit.
    pub(crate) fn committed(&mut self, id: &str, contents: Vec<Arc<Content>>) {
        let state = if self.is_policy_at_work { State::Doubtful } else { State::Kept };
        let known = Known { contents, state, changes: 0 };
        self.snapshots.entry(id.to_owned()).or_insert(known);
    }

    /// Changes what is known of a snapshot.
    pub(crate) fn set(&mut self, id: &str, state: State) {
        if let Some(known) = self.snapshots.get_mut(id) {
            known.changes += u64::from(known.state != state);
            known.state = state;
        }
    }

    /// Those in a state.
    pub(crate) fn all(&self, state: State) -> Vec<String> {
        let found = self.snapshots.iter().filter(|(_, known)| known.state == state);
        found.map(|(id, _)| id.clone()).collect()
    }
}

/// What happened so far.
#[derive(Default)]
pub(crate) struct Counts(Mutex<BTreeMap<String, u64>>);

impl Counts {
    /// Adds to a number.
    pub(crate) fn add(&self, what: &str, count: u64) {
        *self.0.lock().expect("no actor panics here").entry(what.to_owned()).or_default() += count;
    }

    /// All of it on one line.
    pub(crate) fn line(&self) -> String {
        let counts = self.0.lock().expect("no actor panics here");
        counts.iter().map(|(what, count)| format!("{what} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// Who ran what, and when.
    pub what: String,
    /// Its exit code; `None` where we killed it.
    pub code: Option<i32>,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
}

impl Ended {
    /// True where it did all it should.
    pub(crate) fn is_done(&self) -> bool {
        self.code == Some(0)
    }

    /// True where it was killed, or failed with one of the messages.
    pub(crate) fn is_legal_failure(&self, messages: &[&str]) -> bool {
        self.code.is_none()
            || (self.code == Some(1) && messages.iter().any(|message| self.err.contains(message)))
    }

    /// The last line of the output as JSON.
    pub(crate) fn json(&self) -> Value {
        let line = self.out.trim().lines().last().unwrap_or_default();
        serde_json::from_str(line).unwrap_or(Value::Null)
    }
}

/// What all actors share.
pub(crate) struct World {
    /// The folder with everything; kept where the test fails.
    pub folder: PathBuf,
    /// The repository.
    pub place: String,
    /// What its store is asked with.
    pub variables: Vec<(&'static str, String)>,
    /// What made the choices.
    pub seed: u64,
    /// When it began.
    pub begin: Instant,
    /// When the actors end.
    pub end: Instant,
    /// A session that is open for so many seconds is ended by `prune`.
    pub patience: u64,
    /// What the repository must hold.
    pub truth: Mutex<Truth>,
    /// What happened.
    pub counts: Counts,
    /// What went wrong first.
    pub failure: Mutex<Option<String>>,
    /// Something went wrong.
    pub has_failed: AtomicBool,
    /// Numbers the commands.
    pub number: AtomicU64,
}

impl World {
    /// What the repository must hold.
    pub(crate) fn truth(&self) -> MutexGuard<'_, Truth> {
        self.truth.lock().expect("no actor panics here")
    }

    /// True until the actors end.
    pub(crate) fn goes_on(&self) -> bool {
        Instant::now() < self.end && !self.has_failed.load(Ordering::Relaxed)
    }

    /// Takes note of what must not happen.
    pub(crate) fn fail(&self, what: &str) {
        let mut failure = self.failure.lock().expect("no actor panics here");
        let second = self.begin.elapsed().as_secs();
        failure.get_or_insert_with(|| format!("seed {}, second {second}: {what}", self.seed));
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// Fails because of how a command ended.
    pub(crate) fn fail_by(&self, ended: &Ended) {
        self.fail(&format!(
            "{} ended with {:?}\n{}{}",
            ended.what, ended.code, ended.out, ended.err
        ));
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, actor: &str, repo: &str, args: &[&str]) -> Ended {
        let mut trouble = Trouble::None;
        self.start(actor, repo, args, &mut trouble)
    }

    /// Runs a command; at random it is killed, or sleeps for a while.
    pub(crate) fn risk(&self, actor: &str, args: &[&str], random: &mut Random) -> Ended {
        let mut trouble = Trouble::choose(self.patience, random);
        self.start(actor, &self.place, args, &mut trouble)
    }

    fn start(&self, actor: &str, repo: &str, args: &[&str], trouble: &mut Trouble) -> Ended {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let log = |end: &str| self.folder.join(format!("logs/{number:06}-{actor}.{end}"));
        let file = |end: &str| File::create(log(end)).expect("a file can be made");
        let mut command = Command::new(esker_tests::run_cli::esker());
        command.args(args).env_clear().envs(self.variables.iter().map(|(name, it)| (name, it)));
        command
            .env("HOME", self.folder.join("homes").join(actor))
            .env("ESKER_REPO", repo)
            .env("ESKER_KEY_FILE", self.folder.join("key"))
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .stdout(file("out"))
            .stderr(file("err"));
        let begun = self.begin.elapsed().as_secs_f64();
        let mut child = command.spawn().expect("the program starts");
        let status = self.wait(&mut child, trouble);
        let read = |end: &str| {
            String::from_utf8_lossy(&fs::read(log(end)).unwrap_or_default()).into_owned()
        };
        let what =
            format!("{actor}, command {number} at {begun:.2} s, `{}`, {trouble:?}", args.join(" "));
        let ended = Ended { what, code: status.code(), out: read("out"), err: read("err") };
        self.counts.add(args[0], 1);
        let is_ours = matches!(trouble, Trouble::Kill(_)) && status.signal() == Some(9);
        if (status.code().is_none() && !is_ours) || ended.err.contains("panicked at") {
            self.fail_by(&ended);
        }
        self.counts.add("killed", u64::from(is_ours));
        ended
    }

    fn wait(&self, child: &mut Child, trouble: &Trouble) -> ExitStatus {
        let pid = Pid::from_child(child);
        let begin = Instant::now();
        let (at, sleep) = match trouble {
            Trouble::None => return child.wait().expect("a child can be waited for"),
            Trouble::Kill(at) => (*at, None),
            Trouble::Stop(at, sleep) => (*at, Some(*sleep)),
        };
        while begin.elapsed() < at {
            if let Some(status) = child.try_wait().expect("a child can be waited for") {
                return status;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // It was not waited for, so that its number is not another one's.
        if let Some(sleep) = sleep {
            kill_process(pid, Signal::STOP).expect("it is our child");
            self.counts.add("stopped", 1);
            std::thread::sleep(sleep);
            kill_process(pid, Signal::CONT).expect("it is our child");
        } else {
            kill_process(pid, Signal::KILL).expect("it is our child");
        }
        let status = child.wait().expect("a child can be waited for");
        if sleep.is_none() {
            // What it had sent may still arrive.
            std::thread::sleep(Duration::from_millis(300));
        }
        status
    }

    /// All snapshots that are listed, and whether they are forgotten; of a source where one is named.
    pub(crate) fn listed(
        &self,
        actor: &str,
        source: Option<&str>,
    ) -> Option<BTreeMap<String, bool>> {
        let mut args = vec!["snapshots", "--all", "--json"];
        args.extend(source.iter().flat_map(|source| ["--source", source]));
        let ended = self.run(actor, &self.place, &args);
        if !ended.is_done() {
            self.fail_by(&ended);
            return None;
        }
        let listed = ended.json();
        let Some(listed) = listed.as_array() else {
            self.fail_by(&ended);
            return None;
        };
        let id = |it: &Value| it["id"].as_str().unwrap_or_default().to_owned();
        Some(listed.iter().map(|it| (id(it), it["forgotten"] == true)).collect())
    }
}

/// What happens to a command.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Nothing.
    None,
    /// It is killed after a time.
    Kill(Duration),
    /// It is stopped after a time, for a time.
    Stop(Duration, Duration),
}

impl Trouble {
    fn choose(patience: u64, random: &mut Random) -> Self {
        // Short times are as likely as long ones.
        let scale = 1 << random.below(6);
        let at = Duration::from_millis(scale * (20 + random.below(60)));
        match random.below(10) {
            0..=2 => Self::Kill(at),
            3 => Self::Stop(at, Duration::from_millis(random.below(patience * 1500))),
            _ => Self::None,
        }
    }
}
