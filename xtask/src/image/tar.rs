//! Archives in the form of POSIX.1-1988 (ustar): files and folders of root, of the same time each, so that the
//! same content makes the same bytes. Knows nothing of images.

const BLOCK: usize = 512;

/// An archive that grows.
#[derive(Debug, Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
}

/// What an entry of an archive is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    File,
    Folder,
}

/// Why an entry cannot be in an archive of this form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NoRoom(pub(super) String);

impl Archive {
    /// Adds a file with permissions such as `0o755`.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) -> Result<(), NoRoom> {
        self.header(path, mode, content.len(), Entry::File)?;
        self.bytes.extend_from_slice(content);
        let rest = content.len() % BLOCK;
        if rest != 0 {
            self.bytes.resize(self.bytes.len() + BLOCK - rest, 0);
        }
        Ok(())
    }

    /// Adds a folder.
    pub(super) fn folder(&mut self, path: &str) -> Result<(), NoRoom> {
        self.header(&format!("{path}/"), 0o755, 0, Entry::Folder)
    }

    /// The archive, ended by two empty blocks.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn header(&mut self, path: &str, mode: u32, size: usize, entry: Entry) -> Result<(), NoRoom> {
        let mut block = [0_u8; BLOCK];
        let mut put = |at: usize, room: usize, text: &str| {
            let field = block.get_mut(at..at + room);
            match field.and_then(|field| field.get_mut(..text.len())) {
                Some(field) => {
                    field.copy_from_slice(text.as_bytes());
                    Ok(())
                }
                None => Err(NoRoom(format!("`{text}` is longer than {room} bytes"))),
            }
        };
        put(0, 100, path)?;
        put(100, 7, &format!("{mode:07o}"))?;
        put(108, 7, "0000000")?;
        put(116, 7, "0000000")?;
        put(124, 11, &format!("{size:011o}"))?;
        put(136, 11, "00000000000")?;
        // The sum counts its own field as blanks.
        put(148, 8, "        ")?;
        let kind = match entry {
            Entry::File => "0",
            Entry::Folder => "5",
        };
        put(156, 1, kind)?;
        put(257, 8, "ustar\x0000")?;
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        let sum = format!("{sum:06o}\0 ");
        block[148..156].copy_from_slice(sum.as_bytes());
        self.bytes.extend_from_slice(&block);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
