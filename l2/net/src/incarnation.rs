//! The counter that orders a node's lives, on disk.
//!
//! It may be lost: members then tell us a higher one (contract 3.3). So no error here stops anything; it is logged once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ringbolt_l2::types::Incarnation;
use tracing::warn;

/// Where the counter is kept, if anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    file: Option<PathBuf>,
}

impl Counter {
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file }
    }

    /// The counter of the life that begins: one above the last stored. It is stored before it is used.
    pub(crate) fn begin(&self) -> Incarnation {
        let last = self.file.as_deref().and_then(read).unwrap_or_default();
        let incarnation = Incarnation(last.saturating_add(1));
        self.store(incarnation);
        incarnation
    }

    pub(crate) fn store(&self, incarnation: Incarnation) {
        let Some(file) = self.file.as_deref() else {
            return;
        };
        if let Err(error) = write(file, incarnation.0) {
            warn!(file = %file.display(), %error, "cannot store the incarnation; members will tell it after a restart");
        }
    }
}

fn read(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

/// Written beside and renamed: a kill leaves the old or the new number.
fn write(file: &Path, number: u64) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        make(folder)?;
    }
    // Appended, not replaced: nodes whose names differ behind a dot have files of their own.
    let mut beside = file.as_os_str().to_owned();
    beside.push(".new");
    let mut writer = fs::File::create(&beside)?;
    writeln!(writer, "{number}")?;
    writer.sync_all()?;
    fs::rename(&beside, file)
}

/// Makes the folder and the one it is in, and no more: where even that one's place does not exist, the path is mistyped
/// or not mounted, and making it would hide that.
fn make(folder: &Path) -> io::Result<()> {
    let exists = |made: io::Result<()>| match made {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            exists(fs::create_dir(folder.parent().ok_or(error)?))?;
            exists(fs::create_dir(folder))
        }
        made => exists(made),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_whose_names_differ_behind_a_dot_share_no_file() {
        let folder =
            std::env::temp_dir().join(format!("ringbolt-incarnation-dots-{}", std::process::id()));
        // What would be between the two if the extension were replaced.
        fs::create_dir_all(folder.join("worker.new")).unwrap();
        let counter = Counter::new(Some(folder.join("worker.a")));
        assert_eq!(counter.begin(), Incarnation(1));
        assert_eq!(counter.begin(), Incarnation(2));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn every_life_counts_higher_and_a_lost_file_starts_at_one() {
        let folder =
            std::env::temp_dir().join(format!("ringbolt-incarnation-{}", std::process::id()));
        let file = folder.join("n1");
        let counter = Counter::new(Some(file.clone()));
        assert_eq!(counter.begin(), Incarnation(1));
        assert_eq!(counter.begin(), Incarnation(2));
        counter.store(Incarnation(900));
        assert_eq!(counter.begin(), Incarnation(901));
        fs::write(&file, "not a number").unwrap();
        assert_eq!(counter.begin(), Incarnation(1));
        let mistyped = Counter::new(Some(folder.join("a/b/c/n1")));
        assert_eq!(mistyped.begin(), Incarnation(1));
        assert!(
            !folder.join("a").exists(),
            "a path that leads nowhere was made"
        );
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(Counter::new(None).begin(), Incarnation(1));
    }
}
