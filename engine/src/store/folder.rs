//! What only a local folder has: leftovers of its staged writes, and a file system below it.

use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A staged write that is this old belongs to nobody any more.
const LEFTOVER_AGE: Duration = /* one day */ Duration::from_secs(86_400);

/// Magic numbers of file systems that others write to at the same time, or that do not keep what they report, by their
/// names (`statfs(2)`).
#[cfg(target_os = "linux")]
const NETWORK_FILE_SYSTEMS: [(u64, &str); 16] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFE53_4D42, "SMB2"),
    (0xFF53_4D42, "CIFS"),
    (0x6573_5546, "FUSE"),
    (0x0102_1997, "9p"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x7375_7245, "Coda"),
    (0x0BD0_0BD0, "Lustre"),
    (0x4750_4653, "GPFS"),
    (0x7461_636F, "OCFS2"),
    (0x0116_1970, "GFS2"),
    (0x1983_0326, "BeeGFS"),
    (0x786F_4256, "vboxsf"),
    (0xBACB_ACBC, "vmhgfs"),
];

/// The name of the file system of a folder, where it is not a disk of this machine.
#[cfg(target_os = "linux")]
pub(super) fn network_file_system(folder: &Path) -> io::Result<Option<String>> {
    let found = rustix::fs::statfs(folder)?.f_type as u64 & 0xFFFF_FFFF;
    let known = NETWORK_FILE_SYSTEMS.iter().find(|(magic, _)| *magic == found);
    Ok(known.map(|(_, name)| (*name).to_owned()))
}

/// Elsewhere nothing is known of it.
#[cfg(not(target_os = "linux"))]
pub(super) fn network_file_system(_: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// Removes what broken writes left below a folder: files `name#<number>`, which no listing shows. Returns how many.
pub(super) fn remove_leftovers(folder: &Path, now: SystemTime) -> io::Result<u64> {
    let mut removed = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            removed += remove_leftovers(&entry.path(), now)?;
        } else if kind.is_file() && is_staged(&entry.file_name().to_string_lossy()) {
            let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
            if age > LEFTOVER_AGE {
                std::fs::remove_file(entry.path())?;
                removed += 1;
            }
        }
    }
    Ok(removed)
}

fn is_staged(name: &str) -> bool {
    let number = name.rsplit_once('#').map(|(_, number)| number);
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_digit()))
}
