//! Another tool, on the same content as files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Failure;

/// A repository of restic.
#[derive(Debug)]
pub struct Restic {
    program: PathBuf,
    repository: PathBuf,
    password: PathBuf,
    cache: PathBuf,
}

impl Restic {
    /// Makes a repository `restic` in a folder; its password file and cache lie beside it.
    pub fn create(program: PathBuf, folder: &Path) -> Result<Self, Failure> {
        // It runs in the folder that it backs up. A bare name is looked for among the installed programs.
        let is_bare = program.components().count() == 1;
        let folder = std::path::absolute(folder)?;
        let restic = Self {
            program: if is_bare { program } else { std::path::absolute(program)? },
            repository: folder.join("restic"),
            password: folder.join("restic-password"),
            cache: folder.join("restic-cache"),
        };
        fs::write(&restic.password, "bench")?;
        restic.run(&["init"], &folder)?;
        Ok(restic)
    }

    /// Backs a folder up; returns how long it took and by how much the repository grew.
    pub fn backup(&self, folder: &Path) -> Result<(Duration, u64), Failure> {
        let before = bytes_below(&self.repository)?;
        let start = Instant::now();
        self.run(&["backup", "--host", "bench", "."], folder)?;
        let wall = start.elapsed();
        Ok((wall, bytes_below(&self.repository)?.saturating_sub(before)))
    }

    fn run(&self, arguments: &[&str], place: &Path) -> Result<(), Failure> {
        let output = Command::new(&self.program)
            .arg("--quiet")
            .arg("--repo")
            .arg(&self.repository)
            .arg("--password-file")
            .arg(&self.password)
            .arg("--cache-dir")
            .arg(&self.cache)
            .args(arguments)
            .current_dir(place)
            .output()?;
        if output.status.success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&output.stderr);
        Err(format!("restic {} failed: {}", arguments[0], text.trim()).into())
    }
}

/// The bytes of all files below a folder.
fn bytes_below(folder: &Path) -> Result<u64, Failure> {
    let mut bytes = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_folder = entry.file_type()?.is_dir();
        bytes += if is_folder { bytes_below(&entry.path())? } else { entry.metadata()?.len() };
    }
    Ok(bytes)
}
