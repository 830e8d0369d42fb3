//! No room left, in the repository and at the target of a restore: it is said, nothing is damaged, and more room helps.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use esker_tests::noise;
use esker_tests::run_cli::Sandbox;

/// A small file system of its own, where this user may mount one.
struct SmallDisk(PathBuf);

fn mount(args: &[&str]) -> bool {
    let ran = Command::new("mount").args(args).output();
    ran.is_ok_and(|output| output.status.success())
}

impl SmallDisk {
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
    fn mount(path: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&path).unwrap();
        let options = format!("size={size}");
        let mounted = mount(&["-t", "tmpfs", "-o", &options, "tmpfs", path.to_str().unwrap()]);
        if !mounted {
            eprintln!("skipped: no file system can be mounted here");
        }
        mounted.then_some(Self(path))
    }

    fn grow(&self, size: &str) {
        let options = format!("remount,size={size}");
        assert!(mount(&["-o", &options, self.0.to_str().unwrap()]));
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).output();
    }
}

#[test]
fn a_full_repository_says_so_and_goes_on_when_there_is_room() {
    let sandbox = Sandbox::empty();
    let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "4m") else {
        return;
    };
    let esker = |args: &[&str]| sandbox.command(args).env("ESKER_REPO", "disk/repo").run();
    esker(&["init"]).ok();
    sandbox.write("src/small", "small");
    esker(&["backup", "./src"]).ok();
    sandbox.write("src/large", noise(1, 9_000_000));
    for _ in 0..2 {
        let full = esker(&["backup", "./src"]).fails();
        assert!(full.err.contains("No space left on device"), "{}", full.report());
        assert!(full.err.contains("df -h"), "{}", full.report());
    }
    // What is there can be read, although nothing more can be written.
    esker(&["snapshots"]).ok();
    esker(&["restore", "latest", "--to", "small"]).ok();
    esker(&["check", "--read-data"]).ok();
    disk.grow("64m");
    esker(&["backup", "./src"]).ok();
    esker(&["check", "--read-data"]).ok();
    esker(&["restore", "latest", "--to", "out"]).ok();
    assert!(fs::read(sandbox.path("out/large")).unwrap() == noise(1, 9_000_000));
}

#[test]
fn no_repository_is_made_where_there_is_no_room() {
    let sandbox = Sandbox::empty();
    let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "64k") else {
        return;
    };
    sandbox.write("disk/filler", [1; 4096]);
    let filler = sandbox.path("disk/filler2");
    let _ = fs::write(&filler, vec![1; 200_000]);
    let esker = |args: &[&str]| sandbox.command(args).env("ESKER_REPO", "disk/repo").run();
    let full = esker(&["init"]).fails();
    assert!(full.err.contains("No space left on device"), "{}", full.report());
    assert!(!sandbox.exists("key"), "a key was left for a repository that is none");
    disk.grow("4m");
    let again = esker(&["init"]);
    assert!(again.code == Some(0) || again.err.contains("hint: "), "{}", again.report());
}

#[test]
fn a_full_target_ends_the_restore_and_says_so() {
    let sandbox = Sandbox::new();
    sandbox.write("src/large", noise(2, 9_000_000));
    sandbox.esker(["backup", "./src"]).ok();
    let Some(disk) = SmallDisk::mount(sandbox.path("disk"), "4m") else {
        return;
    };
    for to in ["disk/out", "disk/out.tar.zst"] {
        let full = sandbox.esker(["restore", "latest", "--to", to]).fails();
        assert!(full.err.contains("No space left on device"), "{}", full.report());
        assert!(full.err.contains("df -h"), "{}", full.report());
    }
    assert!(!sandbox.exists("disk/out.tar.zst"), "half an archive has no name");
    disk.grow("64m");
    sandbox.esker(["restore", "latest", "--to", "disk/out"]).ok();
    assert_eq!(sandbox.files("disk/out"), sandbox.files("src"));
    assert!(fs::read(sandbox.path("disk/out/large")).unwrap() == noise(2, 9_000_000));
}
