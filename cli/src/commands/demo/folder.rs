//! The folder of the demonstration: the same on every machine, and what happens to it from day to day.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Documents at the beginning.
const DOCUMENTS: u64 = 360;
/// Projects that they belong to.
const PROJECTS: [&str; 6] = ["apollo", "atlas", "borealis", "cassini", "dawn", "echo"];
/// The project that is lost.
pub(super) const LOST_PROJECT: &str = "projects/atlas";
/// The file that is overwritten.
pub(super) const OVERWRITTEN_FILE: &str = "finance/budget.bin";
/// Large files that hardly compress, such as pictures: name and length.
const LARGE: [(&str, usize); 7] = [
    ("media/film.bin", 8 * MIB),
    ("media/photos-1.bin", 5 * MIB),
    ("media/photos-2.bin", 5 * MIB),
    ("media/photos-3.bin", 3 * MIB),
    ("archive/2019.bin", 4 * MIB),
    ("archive/2020.bin", 3 * MIB),
    (OVERWRITTEN_FILE, MIB),
];
const MIB: usize = 1024 * 1024;
const WORDS: [&str; 24] = [
    "anchor", "budget", "carrier", "delivery", "engine", "forecast", "garden", "harbour",
    "invoice", "journal", "kitchen", "ledger", "meeting", "network", "order", "project", "quarter",
    "review", "schedule", "ticket", "update", "vendor", "window", "yield",
];

/// Bytes that depend on a name alone.
struct Noise(blake3::OutputReader);

impl Noise {
    fn of(name: &str) -> Self {
        Self(blake3::Hasher::new().update(name.as_bytes()).finalize_xof())
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill(&mut bytes);
        bytes
    }

    fn below(&mut self, limit: u64) -> u64 {
        let mut eight = [0; 8];
        self.0.fill(&mut eight);
        u64::from_le_bytes(eight) % limit
    }
}

/// The folder.
pub(super) struct Folder {
    root: PathBuf,
    documents: u64,
}

impl Folder {
    /// Makes it as it is on the first day.
    pub(super) fn make(root: PathBuf) -> io::Result<Self> {
        let mut folder = Self { root, documents: 0 };
        folder.add_documents(DOCUMENTS)?;
        for (name, length) in LARGE {
            folder.write(name, &Noise::of(name).bytes(length))?;
        }
        Ok(folder)
    }

    /// Where it is.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.root.join(name);
        if let Some(above) = path.parent() {
            fs::create_dir_all(above)?;
        }
        fs::write(path, bytes)
    }

    fn document_name(number: u64) -> String {
        let project = PROJECTS[(number % PROJECTS.len() as u64) as usize];
        format!("projects/{project}/{number:04}.json")
    }

    fn write_document(&self, number: u64, revision: &str) -> io::Result<()> {
        let mut noise = Noise::of(&format!("document {number}"));
        let mut words = |count: u64| {
            let words: Vec<_> =
                (0..count).map(|_| WORDS[noise.below(WORDS.len() as u64) as usize]).collect();
            words.join(" ")
        };
        let document = serde_json::json!({
            "number": number,
            "summary": words(6),
            "status": revision,
            "description": words(400),
        });
        self.write(&Self::document_name(number), document.to_string().as_bytes())
    }

    fn add_documents(&mut self, count: u64) -> io::Result<()> {
        for number in self.documents..self.documents + count {
            self.write_document(number, "new")?;
        }
        self.documents += count;
        Ok(())
    }

    /// What people do in a day; says what it was.
    pub(super) fn work(&mut self, day: u64) -> io::Result<String> {
        let mut noise = Noise::of(&format!("day {day}"));
        let (edited, new) = (12 + noise.below(20), 3 + noise.below(5));
        for _ in 0..edited {
            let number = noise.below(DOCUMENTS);
            self.write_document(number, &format!("edited on day {day}"))?;
        }
        self.add_documents(new)?;
        // 64 KiB are put into the middle of the largest file: everything behind them moves.
        let path = self.root.join(LARGE[0].0);
        let mut film = fs::read(&path)?;
        let middle = film.len() / 2;
        film.splice(middle..middle, noise.bytes(64 * 1024));
        fs::write(&path, film)?;
        Ok(format!("{edited} edits, {new} new, 64 KiB put into an 8 MiB file"))
    }

    /// The mishap: a project is deleted and a file overwritten.
    pub(super) fn mishap(&self) -> io::Result<()> {
        fs::remove_dir_all(self.root.join(LOST_PROJECT))?;
        self.write(OVERWRITTEN_FILE, &Noise::of("garbage").bytes(MIB))
    }
}

/// All files below a folder: path relative to it, and content; ascending by path.
pub(super) fn contents(root: &Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                open.push(entry.path());
            } else {
                let path = entry.path();
                let content = fs::read(&path)?;
                files.push((path.strip_prefix(root).map_or(path.clone(), Into::into), content));
            }
        }
    }
    files.sort();
    Ok(files)
}
