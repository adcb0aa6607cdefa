//! Bounded reading: as many octets as a length field claims, and never more memory than the input
//! has octets, whatever the field claims. Owns the offset in the input, by which faults are named.

use std::io::{self, BufRead, Read};

use thiserror::Error;

/// Why a piece of the input cannot be had.
#[derive(Debug, Error)]
pub(super) enum ReadProblem {
    #[error("ends {missing} octets too early")]
    CutOff { missing: u64 },
    #[error("a length of {claimed} octets is not believed; {max} is the most")]
    TooLong { claimed: u64, max: u64 },
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An input and how far it has been read.
#[derive(Debug)]
pub(super) struct Source<R> {
    from: R,
    offset: u64,
}

impl<R: BufRead> Source<R> {
    pub(super) const fn new(from: R) -> Self {
        Self { from, offset: 0 }
    }

    /// Octets read so far.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether nothing is left.
    pub(super) fn at_end(&mut self) -> io::Result<bool> {
        Ok(self.from.fill_buf()?.is_empty())
    }

    /// The next `count` octets, of which `max` are believed.
    pub(super) fn octets(&mut self, count: u64, max: u64) -> Result<Vec<u8>, ReadProblem> {
        if count > max {
            return Err(ReadProblem::TooLong {
                claimed: count,
                max,
            });
        }
        let mut octets = Vec::new();
        let read = self.from.by_ref().take(count).read_to_end(&mut octets)?;
        self.passed(count, u64::try_from(read).unwrap_or(u64::MAX))?;
        Ok(octets)
    }

    /// The next `N` octets.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], ReadProblem> {
        let count = u64::try_from(N).unwrap_or(u64::MAX);
        let octets = self.octets(count, count)?;
        octets
            .try_into()
            .map_err(|octets: Vec<u8>| ReadProblem::CutOff {
                missing: count.saturating_sub(u64::try_from(octets.len()).unwrap_or(u64::MAX)),
            })
    }

    /// Goes past `count` octets.
    pub(super) fn skip(&mut self, count: u64) -> Result<(), ReadProblem> {
        let read = io::copy(&mut self.from.by_ref().take(count), &mut io::sink())?;
        self.passed(count, read)
    }

    fn passed(&mut self, wanted: u64, read: u64) -> Result<(), ReadProblem> {
        self.offset = self.offset.saturating_add(read);
        match wanted - read {
            0 => Ok(()),
            missing => Err(ReadProblem::CutOff { missing }),
        }
    }
}
