//! Every source through the conformance suite: one fixture each.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use esker_engine::source::Source;
use esker_engine::testing::source_suite::{SourceFixture, conformance};
use esker_sources::filesystem::{FilesOptions, FilesSource};
use tempfile::TempDir;

struct Folder {
    dir: TempDir,
}

impl Folder {
    fn new() -> Self {
        Self { dir: TempDir::new().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("below the folder")).expect("its folder");
        fs::write(path, bytes).expect("the file");
    }
}

impl SourceFixture for Folder {
    fn open(&self) -> Arc<dyn Source> {
        let paths = vec![self.dir.path().to_owned()];
        Arc::new(FilesSource::open(paths, FilesOptions::default()).expect("the folder opens"))
    }

    fn mutate(&self, step: u32) {
        let text = format!("step {step}\n").repeat(100);
        if step == 0 {
            for number in 0..20 {
                self.write(&format!("kept/{number}.txt"), format!("kept {number}").as_bytes());
            }
            self.write("large.bin", &vec![7; 300_000]);
            self.write("untouched.txt", b"nobody changes this one");
            std::os::unix::fs::symlink("large.bin", self.path("link")).expect("a link");
            fs::hard_link(self.path("large.bin"), self.path("also large")).expect("a name");
        } else {
            fs::remove_dir_all(self.path(&format!("of {}", step - 1))).expect("the last step's");
        }
        self.write(&format!("of {step}/new.txt"), text.as_bytes());
        self.write("kept/3.txt", text.as_bytes());
        let mode = fs::Permissions::from_mode(0o600 + step % 8);
        fs::set_permissions(self.path("kept/4.txt"), mode).expect("a mode");
    }

    /// Reading changes the time of access, which no snapshot may hold.
    fn tick(&self) {
        fs::read(self.path("kept/5.txt")).expect("it can be read");
    }

    /// Root reads everything, so this part is for other users.
    fn break_one(&self) -> bool {
        let path = self.path("untouched.txt");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a mode");
        fs::File::open(&path).is_err()
    }

    fn mend(&self) {
        let mode = fs::Permissions::from_mode(0o644);
        fs::set_permissions(self.path("untouched.txt"), mode).expect("a mode");
    }
}

#[test]
fn files() {
    conformance(Folder::new);
}
