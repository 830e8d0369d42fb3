//! What this process takes, as Linux counts it.

use std::fs;

/// CPU seconds of this process so far, in steps of a hundredth.
pub fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |place: usize| fields.get(place).and_then(|it| it.parse::<f64>().ok());
    (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
}

/// The most memory that this process had, in MiB.
pub fn peak_mib() -> u64 {
    memory("VmHWM:")
}

/// The memory that this process has, in MiB.
pub fn memory_mib() -> u64 {
    memory("VmRSS:")
}

/// Makes [`peak_mib`] begin again, where the kernel lets it.
pub fn forget_peak() {
    // Without it the peak is that of the whole process, which is no less.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

fn memory(name: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    let value = value.and_then(|it| it.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
    value.unwrap_or(0) / 1024
}
