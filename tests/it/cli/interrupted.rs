//! Signals and broken pipes: whatever ends a command, the repository is whole and the next command goes on.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use esker_tests::noise;
use esker_tests::run_cli::{CliCommand, Ran, Sandbox, esker};
use rustix::process::{Pid, Signal, kill_process};

/// Enough for a backup to be caught in the middle of it.
fn with_many_files() -> Sandbox {
    let sandbox = Sandbox::new();
    for number in 0..2_500 {
        let path = format!("src/{:02}/{number:05}", number % 60);
        sandbox.write(&path, noise(number, 3_000));
    }
    sandbox
}

/// Sends a signal after some time, and waits for the end.
fn end_after(sandbox: &Sandbox, args: &[&str], signal: Signal, wait: Duration) -> Ran {
    let child = sandbox.command(args).spawn();
    let pid = Pid::from_child(&child);
    std::thread::sleep(wait);
    // It may have ended already.
    let _ = kill_process(pid, signal);
    CliCommand::ended(sandbox, child)
}

/// Sends a signal to a backup as soon as its session is open: all the work is before it then.
fn end_in_session(sandbox: &Sandbox, args: &[&str], signal: Signal) -> Ran {
    let sessions = || {
        let room = std::fs::read_dir(sandbox.path("repo/sessions"));
        room.map_or(0, |markers| {
            markers.flatten().filter(|it| !it.file_name().to_string_lossy().contains('#')).count()
        })
    };
    let before = sessions();
    let mut child = sandbox.command(args).spawn();
    let pid = Pid::from_child(&child);
    while sessions() == before && child.try_wait().expect("it can be asked").is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    let _ = kill_process(pid, signal);
    CliCommand::ended(sandbox, child)
}

#[test]
fn ctrl_c_ends_a_backup_with_130_and_the_next_one_goes_on() {
    let sandbox = with_many_files();
    for signal in [Signal::INT, Signal::TERM] {
        let started = Instant::now();
        let ran = end_in_session(&sandbox, &["backup", "./src", "--full"], signal);
        assert_eq!(ran.code, Some(130), "{}", ran.report());
        assert!(started.elapsed() < Duration::from_secs(30), "it took its time");
        assert!(ran.err.contains("error: interrupted"), "{}", ran.report());
        assert!(ran.err.contains("hint: "), "{}", ran.report());
        sandbox.assert_sound();
    }
    sandbox.esker(["backup", "./src"]).ok();
    sandbox.assert_sound();
    sandbox.esker(["restore", "latest", "--to", "out"]).ok();
    assert!(sandbox.files("out") == sandbox.files("src"));
}

#[test]
fn a_killed_backup_is_no_damage() {
    let sandbox = with_many_files();
    let mut killed = 0;
    for milliseconds in [30, 100, 200, 400, 700] {
        let wait = Duration::from_millis(milliseconds);
        let ran = end_after(&sandbox, &["backup", "./src", "--full"], Signal::KILL, wait);
        killed += u32::from(ran.code.is_none());
        assert!(matches!(ran.code, None | Some(0)), "{}", ran.report());
        let checked = sandbox.esker(["check"]).ok().text();
        assert!(checked.ends_with("no damage\n"), "{checked}");
    }
    assert!(killed > 0, "it was never caught at work");
    sandbox.esker(["backup", "./src"]).ok();
    sandbox.assert_sound();
    sandbox.esker(["restore", "latest", "--to", "out"]).ok();
    assert!(sandbox.files("out") == sandbox.files("src"));
}

#[test]
fn an_interrupted_restore_is_continued() {
    let sandbox = with_many_files();
    sandbox.esker(["backup", "./src"]).ok();
    for (signal, code) in [(Signal::INT, Some(130)), (Signal::KILL, None)] {
        let _ = std::fs::remove_dir_all(sandbox.path("out"));
        let args = ["restore", "latest", "--to", "out"];
        for milliseconds in [300, 100] {
            let ran = end_after(&sandbox, &args, signal, Duration::from_millis(milliseconds));
            assert!(ran.code == code || ran.code == Some(0), "{}", ran.report());
        }
        sandbox.esker(args).ok();
        assert!(sandbox.files("out") == sandbox.files("src"), "{signal:?}");
        assert!(std::fs::read(sandbox.path("out/03/00003")).unwrap() == noise(3, 3_000));
    }
}

#[test]
fn whoever_stops_reading_is_not_told() {
    let sandbox = with_many_files();
    sandbox.esker(["backup", "./src"]).ok();
    for args in [&["ls", "latest"][..], &["ls", "latest", "--json"], &["cat", "latest:/00/00000"]] {
        let mut child = sandbox.command(args).spawn();
        let mut first = [0; 1];
        let mut out = child.stdout.take().unwrap();
        out.read_exact(&mut first).unwrap();
        drop(out);
        let ran = CliCommand::ended(&sandbox, child);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{}", ran.report());
    }
}

#[test]
fn an_output_that_is_full_is_an_error() {
    let sandbox = Sandbox::with_snapshot();
    let Ok(full) = std::fs::File::options().write(true).open("/dev/full") else {
        return;
    };
    let ended = Command::new(esker())
        .args(["ls", "latest", "--repo", "repo", "--key-file", "key", "--no-cache"])
        .current_dir(sandbox.path(""))
        .stdin(Stdio::null())
        .stdout(full)
        .output()
        .unwrap();
    let err = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{err}");
    assert!(err.starts_with("error: cannot write to the standard output"), "{err}");
}

#[test]
fn two_backups_at_once_do_not_hinder_each_other() {
    let sandbox = Sandbox::new();
    for number in 0..500 {
        sandbox.write(&format!("other/{number}"), noise(number, 2_000));
    }
    let children: Vec<_> = ["./src", "./other", "./src", "./other"]
        .into_iter()
        .map(|source| sandbox.command(["backup", source]).spawn())
        .collect();
    for child in children {
        CliCommand::ended(&sandbox, child).ok();
    }
    assert_eq!(sandbox.esker(["snapshots", "--json"]).json().as_array().unwrap().len(), 4);
    sandbox.assert_sound();
}
