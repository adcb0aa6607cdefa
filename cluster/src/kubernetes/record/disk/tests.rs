//! A disk with as much room as a test says. What it is for stands in the tests of `record`.

use std::cell::Cell;
use std::rc::Rc;

use super::*;

/// The disk of this machine, of which so many octets may be used yet.
#[derive(Clone, Debug)]
pub(in super::super) struct Narrow {
    room: Rc<Cell<usize>>,
}

impl Narrow {
    pub(in super::super) fn with_room(octets: usize) -> Self {
        Self {
            room: Rc::new(Cell::new(octets)),
        }
    }

    pub(in super::super) fn wide() -> Self {
        Self::with_room(usize::MAX)
    }

    fn around(&self, file: io::Result<Box<dyn Sink>>) -> io::Result<Box<dyn Sink>> {
        let room = Rc::clone(&self.room);
        Ok(Box::new(Limited { file: file?, room }))
    }
}

impl Disk for Narrow {
    fn create(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        self.around(Machine.create(path))
    }

    fn extend(&self, path: &Path) -> io::Result<Box<dyn Sink>> {
        self.around(Machine.extend(path))
    }
}

struct Limited {
    file: Box<dyn Sink>,
    room: Rc<Cell<usize>>,
}

impl Write for Limited {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let room = self.room.get();
        if room == 0 && !octets.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // As a kernel does: what fits is taken first.
        let taken = self.file.write(&octets[..octets.len().min(room)])?;
        self.room.set(room - taken);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for Limited {
    fn length(&self) -> io::Result<u64> {
        self.file.length()
    }

    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.file.cut(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file.sync()
    }
}

#[test]
fn a_full_device_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("view-services.jsonl");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let job = Job {
        path,
        text: "{}\n".to_owned(),
        step: Step::Append(0),
    };
    let error = job.carry_out().unwrap_err();
    assert_eq!(error.cause.kind(), io::ErrorKind::StorageFull);
}
