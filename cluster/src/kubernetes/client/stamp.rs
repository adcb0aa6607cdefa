//! What files held at some time, to see whether they hold the same. Keeps no content.

use std::path::PathBuf;

use ring::digest::{SHA256, digest};

/// Files and digests of what they held; none for one that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp(Vec<(PathBuf, Option<[u8; 32]>)>);

impl Stamp {
    pub(super) async fn of(paths: impl IntoIterator<Item = PathBuf>) -> Self {
        let mut stamp = Self(Vec::new());
        stamp.add(paths).await;
        stamp
    }

    /// Further files, as they are.
    pub(super) async fn add(&mut self, paths: impl IntoIterator<Item = PathBuf>) {
        let paths: Vec<_> = paths.into_iter().collect();
        let read = tokio::task::spawn_blocking(|| {
            let read = |path: PathBuf| {
                let content = std::fs::read(&path).ok();
                let sum =
                    content.and_then(|content| digest(&SHA256, &content).as_ref().try_into().ok());
                (path, sum)
            };
            paths.into_iter().map(read).collect::<Vec<_>>()
        });
        self.0.extend(read.await.unwrap_or_default());
    }

    /// Whether all of the files hold what they held.
    pub(crate) async fn is_current(&self) -> bool {
        let paths = self.0.iter().map(|(path, _)| path.clone());
        Self::of(paths).await == *self
    }
}
