//! The files of views: a new one is made beside the old one and takes its place when it is whole; changes go
//! to the end. Whatever fails, the good view that was there stays. Knows no objects.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use thiserror::Error;

#[cfg(test)]
pub(super) mod tests;

/// Which part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    First,
    /// Behind this many octets.
    Further(u64),
}

/// Text to be put into a file.
#[derive(Debug)]
pub(in super::super) struct Job {
    pub(super) path: PathBuf,
    pub(super) text: String,
    pub(super) step: Step,
}

/// What is done with the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// It goes beside the file, which stays as it is.
    Stage(Part),
    /// Likewise; then that takes the file's place.
    Finish(Part),
    /// It goes to the end of the file, which has this many octets.
    Append(u64),
}

/// Why text is not in its file.
#[derive(Debug, Error)]
#[error("{cause}")]
pub(in super::super) struct NotStored {
    pub(in super::super) cause: io::Error,
    pub(super) left: Left,
}

impl NotStored {
    /// Whoever was writing has vanished.
    pub(in super::super) fn unfinished() -> Self {
        Self {
            cause: io::Error::other("the writing was not finished"),
            left: Left::Unknown,
        }
    }
}

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Left {
    /// It is as it was before.
    AsItWas,
    /// It is not what this process has made of it.
    Unknown,
}

/// What is written to.
pub(super) trait Sink: Write {
    /// Octets in it.
    fn length(&self) -> io::Result<u64>;
    /// Makes it this long again.
    fn cut(&mut self, length: u64) -> io::Result<()>;
    /// Waits until it is on disk.
    fn sync(&mut self) -> io::Result<()>;
}

impl Sink for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// Where files are made and opened.
pub(super) trait Disk: Debug {
    /// A new one, readable by its owner alone.
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>>;
    /// The end of one that is there.
    fn extend(&self, path: &Path) -> io::Result<Box<dyn Sink>>;
}

/// The disk of this machine.
#[derive(Debug)]
struct Machine;

impl Disk for Machine {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        Ok(Box::new(file))
    }

    fn extend(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }
}

impl Job {
    /// Writes; may wait for the disk.
    pub(in super::super) fn carry_out(self) -> Result<(), NotStored> {
        self.carry_out_on(&Machine)
    }

    pub(super) fn carry_out_on(self, disk: &dyn Disk) -> Result<(), NotStored> {
        let Self { path, text, step } = self;
        let beside = path.with_extension("new");
        let staged = |done: io::Result<()>| {
            done.map_err(|cause| {
                // Half a list is of no use, and the room it takes may be what is wanting.
                let _gone = fs::remove_file(&beside);
                NotStored {
                    cause,
                    left: Left::Unknown,
                }
            })
        };
        match step {
            Step::Stage(part) => staged(stage(disk, &beside, part, &text).map(drop)),
            Step::Finish(part) => staged(replace(disk, &path, &beside, part, &text)),
            Step::Append(length) => append(disk, &path, length, &text),
        }
    }
}

/// Writes beside the file.
fn stage(disk: &dyn Disk, beside: &Path, part: Part, text: &str) -> io::Result<Box<dyn Sink>> {
    let mut file = match part {
        Part::First => {
            fs::create_dir_all(folder(beside))?;
            // What lies there may be readable by others.
            match fs::remove_file(beside) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            disk.create(beside)?
        }
        Part::Further(length) => {
            let file = disk.extend(beside)?;
            ours(&*file, length)?;
            file
        }
    };
    file.write_all(text.as_bytes())?;
    Ok(file)
}

fn replace(disk: &dyn Disk, path: &Path, beside: &Path, part: Part, text: &str) -> io::Result<()> {
    stage(disk, beside, part, text)?.sync()?;
    fs::rename(beside, path)?;
    File::open(folder(path))?.sync_all()
}

/// Only to the file that is known: behind anything else, changes mean nothing.
fn append(disk: &dyn Disk, path: &Path, length: u64, text: &str) -> Result<(), NotStored> {
    let failed = |left| move |cause| NotStored { cause, left };
    let mut file = disk.extend(path).map_err(failed(Left::Unknown))?;
    ours(&*file, length).map_err(failed(Left::Unknown))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync());
    written.map_err(|cause| {
        let back = file.cut(length).and_then(|()| file.sync());
        let left = match back {
            Ok(()) => Left::AsItWas,
            Err(_) => Left::Unknown,
        };
        NotStored { cause, left }
    })
}

/// Whether a file is as long as this process has made it.
fn ours(file: &dyn Sink, length: u64) -> io::Result<()> {
    if file.length()? == length {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::ResourceBusy,
        "somebody else has written to it",
    ))
}

fn folder(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}
