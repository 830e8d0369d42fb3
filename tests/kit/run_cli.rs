//! Runs the real `esker` and looks at what it prints and ends with.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use esker_engine::context::RunContext;
use esker_engine::ops::backup::{BackupOptions, BackupReport, backup};
use esker_engine::repo::{Client, Repository, Unlock};
use esker_engine::source::Source;
use esker_engine::store::{Store, StoreOptions};
use esker_engine::testing::{runtime, small_options};
use serde_json::Value;
use tempfile::TempDir;

/// The `esker` that belongs to this test binary: cargo builds it, which takes no time where it is up to date. `ESKER_BIN`
/// names another one, such as a released program.
pub fn esker() -> &'static Path {
    static ESKER: OnceLock<PathBuf> = OnceLock::new();
    ESKER.get_or_init(|| match std::env::var_os("ESKER_BIN") {
        Some(path) => path.into(),
        None => build(),
    })
}

fn build() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    // target/<profile>/deps/it-…
    let profile_folder = test.ancestors().nth(2).expect("a test is in a target folder");
    let target = profile_folder.parent().expect("a profile is in a target folder");
    let profile = match profile_folder.file_name().and_then(OsStr::to_str) {
        Some("debug") | None => "dev",
        Some(profile) => profile,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--offline", "--bin", "esker", "--profile", profile])
        // With both packages the features are those of the test, and nothing but the program itself is built anew.
        .args(["--package", "esker-cli", "--package", "esker-tests"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(crate::workspace())
        .env("CARGO_TARGET_DIR", target)
        .output()
        .expect("cargo runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let built = text.lines().find_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    built.unwrap_or_else(|| {
        let error = String::from_utf8_lossy(&output.stderr);
        panic!("the program cannot be built:\n{error}")
    })
}

/// What a command printed and ended with.
#[derive(Debug)]
pub struct Ran {
    command: String,
    /// What it ended with; `None` where a signal ended it.
    pub code: Option<i32>,
    /// The standard output.
    pub out: Vec<u8>,
    /// The standard error.
    pub err: String,
    scrubber: Scrubber,
}

impl Ran {
    /// Asserts what it ended with.
    ///
    /// # Panics
    /// Where it ended with something else.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.report());
        self
    }

    /// Asserts that it ended well.
    #[track_caller]
    pub fn ok(self) -> Self {
        self.exits(0)
    }

    /// Asserts that it failed with a message, a hint, and nothing else.
    #[track_caller]
    pub fn fails(self) -> Self {
        self.refuses(1)
    }

    /// Asserts that it was refused as wrong usage, with a message and a hint.
    #[track_caller]
    pub fn misused(self) -> Self {
        self.refuses(2)
    }

    #[track_caller]
    fn refuses(self, code: i32) -> Self {
        let ran = self.exits(code);
        assert!(ran.err.starts_with("error: "), "no message:\n{}", ran.report());
        assert!(ran.err.contains("\nhint: "), "no hint:\n{}", ran.report());
        assert!(ran.out.is_empty(), "an error is no result:\n{}", ran.report());
        ran
    }

    /// The standard output as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).into_owned()
    }

    /// The standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let read = serde_json::from_slice(&self.out);
        read.unwrap_or_else(|error| panic!("no JSON, {error}:\n{}", self.report()))
    }

    /// The last line of the standard output as JSON.
    #[track_caller]
    pub fn summary(&self) -> Value {
        let text = self.text();
        let line = text.lines().last().unwrap_or_default();
        let read = serde_json::from_str(line);
        read.unwrap_or_else(|error| panic!("no JSON, {error}:\n{}", self.report()))
    }

    /// Output, errors and exit code, with placeholders where two runs differ.
    pub fn screen(&self) -> String {
        let mut screen = self.scrubber.scrub(&self.text());
        if !self.err.is_empty() {
            screen += "--- stderr\n";
            screen += &self.scrubber.scrub(&self.err);
        }
        if !screen.is_empty() && !screen.ends_with('\n') {
            screen.push('\n');
        }
        match self.code {
            Some(code) => screen + &format!("--- exit {code}"),
            None => screen + "--- killed",
        }
    }

    /// Everything, for messages of assertions.
    pub fn report(&self) -> String {
        let code = self.code.map_or("a signal".into(), |code| code.to_string());
        let (out, err) = (self.text(), &self.err);
        format!("`{}` ended with {code}\n{out}--- stderr\n{err}", self.command)
    }
}

/// A folder of its own for a test: a repository `repo` with the key file `key`, a source `src`, room for more.
pub struct Sandbox {
    folder: TempDir,
    root: PathBuf,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::empty()
    }
}

impl Sandbox {
    /// A folder with nothing in it.
    pub fn empty() -> Self {
        let folder = tempfile::Builder::new().prefix("esker-cli-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let root = folder.path().canonicalize().expect("the folder exists");
        Self { folder, root }
    }

    /// A folder with a repository and a small source.
    pub fn new() -> Self {
        let sandbox = Self::empty();
        sandbox.esker(["init"]).ok();
        sandbox.write("src/a.txt", "one");
        sandbox.write("src/folder/b.txt", "two");
        sandbox.write("src/folder/c.log", "three");
        sandbox
    }

    /// A repository and one snapshot of the small source.
    pub fn with_snapshot() -> Self {
        let sandbox = Self::new();
        sandbox.esker(["backup", "./src"]).ok();
        sandbox
    }

    /// A path in the folder.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes a file, and makes the folders above it.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(path);
        let parent = path.parent().expect("a file is in a folder");
        fs::create_dir_all(parent).expect("a folder can be made");
        fs::write(&path, content).expect("a file can be written");
        path
    }

    /// Reads a file.
    #[track_caller]
    pub fn read(&self, path: &str) -> String {
        let read = fs::read_to_string(self.path(path));
        read.unwrap_or_else(|error| panic!("`{path}`: {error}"))
    }

    /// True where something is at the path, and be it a dangling link.
    pub fn exists(&self, path: &str) -> bool {
        fs::symlink_metadata(self.path(path)).is_ok()
    }

    /// The files below a folder, by their paths from it, sorted.
    pub fn files(&self, path: &str) -> Vec<String> {
        let (top, mut found) = (self.path(path), Vec::new());
        let mut waiting = vec![top.clone()];
        while let Some(folder) = waiting.pop() {
            let Ok(entries) = fs::read_dir(&folder) else {
                continue;
            };
            for entry in entries {
                let path = entry.expect("a folder can be listed").path();
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path);
                } else {
                    let path = path.strip_prefix(&top).expect("it is below");
                    found.push(path.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// Packs of the repository.
    pub fn packs(&self) -> Vec<PathBuf> {
        let packs = self.files("repo/packs");
        packs.iter().map(|name| self.path("repo/packs").join(name)).collect()
    }

    /// A command with the repository and the key file of this folder.
    pub fn command<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> CliCommand<'_> {
        self.bare(args).env("ESKER_REPO", "repo").env("ESKER_KEY_FILE", "key")
    }

    /// A command that is told nothing about repository and key.
    pub fn bare<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> CliCommand<'_> {
        let mut command = Command::new(esker());
        let args: Vec<OsString> = args.into_iter().map(|arg| arg.as_ref().into()).collect();
        command.args(&args).current_dir(&self.root).env_clear();
        for name in ["PATH", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command
            .env("HOME", self.root.join("home"))
            .env("TZ", "UTC")
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        CliCommand { sandbox: self, command, input: Vec::new() }
    }

    /// Takes a snapshot of a source that lives in this process, as of a day of March 2026.
    pub fn back_up(&self, source: &dyn Source, day: u64) -> BackupReport {
        let key = Unlock::from_key_file(&self.read("key")).expect("a key file");
        let place = self.path("repo");
        let store = Store::open(
            place.to_str().expect("the path is text"),
            &StoreOptions::default(),
            runtime(),
        );
        let repository = Repository::open(store.expect("a store"), &key, |_| Client::forgetful());
        // Counted from the last day of February.
        let time = Duration::from_secs(1_772_236_800 + day * 86_400);
        let options = BackupOptions { time: Some(time), ..small_options() };
        let repository = Arc::new(repository.expect("the repository opens"));
        let report = backup(&repository, source, &options, &RunContext::default());
        report.expect("the backup works")
    }

    /// Runs a command with the repository and the key file of this folder.
    pub fn esker<I: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = I>) -> Ran {
        self.command(args).run()
    }

    /// Asserts that a full check finds nothing.
    #[track_caller]
    pub fn assert_sound(&self) {
        let checked = self.esker(["check", "--read-data", "--json"]).ok();
        assert_eq!(checked.json()["status"], "ok");
    }

    /// Lets nobody clean up: for looking at what a test left behind.
    pub fn keep(self) -> PathBuf {
        self.folder.keep()
    }
}

/// A command that is about to run.
pub struct CliCommand<'a> {
    sandbox: &'a Sandbox,
    command: Command,
    input: Vec<u8>,
}

impl CliCommand<'_> {
    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Unsets a variable.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// Feeds the standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self.command.stdin(Stdio::piped());
        self
    }

    /// Starts it; its streams are pipes.
    pub fn spawn(mut self) -> Child {
        self.command.spawn().expect("the program starts")
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// Where it panicked.
    #[track_caller]
    pub fn run(mut self) -> Ran {
        let mut child = self.command.spawn().expect("the program starts");
        let stdin = child.stdin.take();
        let input = std::mem::take(&mut self.input);
        let feeder = std::thread::spawn(move || {
            // Whoever does not read its input has its reasons.
            let _ = stdin.map(|mut stdin| stdin.write_all(&input));
        });
        let output = child.wait_with_output().expect("the program ends");
        feeder.join().expect("the feeder ends");
        ran(&self.command, output, self.sandbox)
    }

    /// What a started command printed and ended with.
    #[track_caller]
    pub fn ended(sandbox: &Sandbox, child: Child) -> Ran {
        let output = child.wait_with_output().expect("the program ends");
        ran(&Command::new(esker()), output, sandbox)
    }
}

#[track_caller]
fn ran(command: &Command, output: Output, sandbox: &Sandbox) -> Ran {
    let words = command.get_args().map(|arg| arg.display().to_string());
    let ran = Ran {
        command: words.fold("esker".into(), |all, word| all + " " + &word),
        code: output.status.code(),
        out: output.stdout,
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
        scrubber: Scrubber { root: sandbox.root.display().to_string() },
    };
    let is_panic = |text: &str| text.contains("panicked at");
    assert!(!is_panic(&ran.err) && !is_panic(&ran.text()), "{}", ran.report());
    ran
}

/// Puts placeholders where two runs differ.
#[derive(Debug)]
struct Scrubber {
    root: String,
}

impl Scrubber {
    fn scrub(&self, text: &str) -> String {
        let text = text.replace(&self.root, "DIR");
        let lines = text.split('\n').map(scrub_line);
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Cuts a line into words at everything that is no part of a word, and replaces ids, times, sizes and durations.
fn scrub_line(line: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric() || "-:.+".contains(c);
    let mut words: Vec<String> = Vec::new();
    let mut in_word = false;
    for c in line.chars() {
        if is_part(c) != in_word || words.is_empty() {
            in_word = is_part(c);
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(c);
        }
    }
    for at in 0..words.len() {
        let unit = words.get(at + 2).map(String::as_str);
        let is_spaced = words.get(at + 1).is_some_and(|between| between == " ");
        let word = &words[at];
        let is_number = !word.is_empty() && word.chars().all(|c| c.is_ascii_digit() || c == '.');
        let replaced = match unit {
            Some("KiB" | "MiB" | "GiB") if is_number && is_spaced => {
                words[at + 2] = "SIZE".into();
                "N".into()
            }
            Some("B") if is_number && is_spaced && word.len() > 2 => {
                words[at + 2] = "SIZE".into();
                "N".into()
            }
            Some(":") if is_number && is_spaced => "N".into(),
            Some("s" | "ms") if is_number && is_spaced => {
                words[at + 2] = "s".into();
                "N".into()
            }
            _ => scrub_word(word),
        };
        words[at] = replaced;
    }
    // The widths of columns follow what was replaced.
    for word in words.iter_mut().skip(1) {
        if word.len() > 2 && word.trim().is_empty() {
            *word = "  ".into();
        }
    }
    words.concat()
}

fn scrub_word(word: &str) -> String {
    if let Some(name) = word.strip_suffix(':') {
        return scrub_word(name) + ":";
    }
    if word.starts_with(".tmp") && word.len() == 10 {
        return ".tmpNAME".into();
    }
    let pieces: Vec<_> = word.split('-').collect();
    let is_digits = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if let [year, month, day] = pieces[..]
        && is_digits(year, 4)
        && is_digits(month, 2)
        && is_digits(day.get(..2).unwrap_or_default(), 2)
    {
        return if day.len() == 2 { "DATE" } else { "TIME" }.into();
    }
    if let [hours, minutes, seconds] = word.split(':').collect::<Vec<_>>()[..]
        && [hours, minutes, seconds].iter().all(|it| is_digits(it, 2))
    {
        return "TIME".into();
    }
    let pieces = pieces.into_iter().map(|piece| {
        let (name, end) = piece.split_once('.').map_or((piece, ""), |(name, end)| (name, end));
        let is_hex = name.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        let is_ulid = name.len() == 26 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let dot = if end.is_empty() { "" } else { "." };
        match name.len() {
            8 | 16 | 32 | 64 if is_hex && name != "00000000" => {
                format!("ID{}{dot}{end}", name.len())
            }
            26 if is_ulid => format!("ULID{dot}{end}"),
            _ => piece.to_owned(),
        }
    });
    pieces.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::scrub_line;

    #[test]
    fn what_differs_between_runs_is_replaced() {
        for (line, expected) in [
            ("snapshot c5d5267f of DIR/src: 2 new", "snapshot ID8 of DIR/src: 2 new"),
            ("1.3 KiB added in 3 objects, 0.1 s", "N SIZE added in 3 objects, N s"),
            ("snapshot c5d5267f: held", "snapshot ID8: held"),
            ("(0.08 : 1)", "(N : 1)"),
            ("3 B read", "3 B read"),
            ("made 2026-11-22T21:50:26.600Z.", "made TIME"),
            ("at 2026-11-22 21:50:26", "at DATE TIME"),
            (
                "commits/00000000-f9b30074449c953f-01m82ktcxk9v2e19frwvp4n41f",
                "commits/00000000-ID16-ULID",
            ),
            ("keys/ceb03fa4def359e8.copy", "keys/ID16.copy"),
            ("739 B in 44 ms, 11 B", "N SIZE in N s, 11 B"),
            ("  two    words", "  two  words"),
        ] {
            assert_eq!(scrub_line(line), expected);
        }
    }
}
