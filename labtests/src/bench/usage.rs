//! What a process has used: processor time of all its threads to the nanosecond, and its peak memory.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// Processor time of every living thread, from /proc/PID/task/*/schedstat (first field, nanoseconds).
pub(super) fn cpu(pids: &[u32]) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let text = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let spent = text
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok());
            total += Duration::from_nanos(spent.unwrap_or(0));
        }
    }
    Ok(total)
}

/// Peak resident memory in KiB (VmHWM).
pub(super) fn peak_kib(pids: &[u32]) -> Result<u64> {
    let mut total = 0;
    for pid in pids {
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .context("no VmHWM")?;
        total += line
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .unwrap_or(0);
    }
    Ok(total)
}

/// A process and everything it has started.
pub(super) fn family(pid: u32) -> Vec<u32> {
    let mut pids = vec![pid];
    let mut at = 0;
    while let Some(parent) = pids.get(at).copied() {
        let tasks = fs::read_dir(format!("/proc/{parent}/task"))
            .into_iter()
            .flatten()
            .flatten();
        for task in tasks {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            pids.extend(
                children
                    .split_whitespace()
                    .filter_map(|word| word.parse::<u32>().ok()),
            );
        }
        at += 1;
    }
    pids
}
