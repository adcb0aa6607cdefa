//! The system calls of a write as named points, at which a test stops, fails or kills the writer.
//! Outside tests there is no plan and every point is passed.

use std::fmt;
use std::io;

/// What is about to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::directory) enum Point {
    /// Making the folders of kind and namespace.
    MakeFolder,
    /// Opening the lock file.
    OpenLock,
    /// Taking the lock.
    Lock,
    /// Reading what stands there.
    ReadCurrent,
    /// Removing what a killed writer left.
    RemoveLeftover,
    /// Creating the new file beside.
    CreateNew,
    /// Writing the first half of it.
    WriteNew,
    /// Writing the rest of it.
    WriteRest,
    /// Flushing it to disk.
    SyncNew,
    /// Moving it to its place.
    Rename,
    /// Removing the object.
    Unlink,
    /// Opening the folder.
    OpenFolder,
    /// Flushing the folder to disk.
    SyncFolder,
    /// Letting go of the lock.
    Unlock,
}

#[cfg(test)]
impl Point {
    /// The points of a put, in order.
    pub(in crate::directory) const PUT: [Self; 13] = [
        Self::MakeFolder,
        Self::OpenLock,
        Self::Lock,
        Self::ReadCurrent,
        Self::RemoveLeftover,
        Self::CreateNew,
        Self::WriteNew,
        Self::WriteRest,
        Self::SyncNew,
        Self::Rename,
        Self::OpenFolder,
        Self::SyncFolder,
        Self::Unlock,
    ];
    /// The points of a removal, in order.
    pub(in crate::directory) const REMOVE: [Self; 8] = [
        Self::MakeFolder,
        Self::OpenLock,
        Self::Lock,
        Self::ReadCurrent,
        Self::Unlink,
        Self::OpenFolder,
        Self::SyncFolder,
        Self::Unlock,
    ];
}

/// What a test does at a point.
type Act = Box<dyn Fn(Point) -> io::Result<()> + Send + Sync>;

/// What happens at the points; by default nothing.
#[derive(Default)]
pub(in crate::directory) struct FaultPlan(Option<Act>);

impl FaultPlan {
    #[cfg(test)]
    pub(in crate::directory) fn new(
        act: impl Fn(Point) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self(Some(Box::new(act)))
    }

    pub(super) fn reach(&self, point: Point) -> io::Result<()> {
        self.0.as_ref().map_or(Ok(()), |act| act(point))
    }

    /// Where a write is cut in two, so that a kill can leave half a file.
    pub(super) fn cut(&self, length: usize) -> usize {
        if self.0.is_some() { length / 2 } else { length }
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "FaultPlan(armed)"
        } else {
            "FaultPlan(none)"
        })
    }
}
