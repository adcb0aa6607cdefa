//! BGP communities and the names they have.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// A community an announcement may carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Community {
    /// RFC 1997.
    Standard(u32),
    /// RFC 8092: global administrator and two local parts.
    Large(u32, u32, u32),
}

/// Why a text is not a community.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommunityProblem {
    /// Neither `a:b` of 16 bits each, nor `large:a:b:c` of 32 bits each, nor a known name.
    #[error("is neither a:b, nor large:a:b:c, nor a known alias")]
    Unknown,
    /// Extended communities are not served in this version.
    #[error("extended communities are not implemented")]
    Extended,
}

impl FromStr for Community {
    type Err = CommunityProblem;

    fn from_str(text: &str) -> Result<Self, CommunityProblem> {
        if text.starts_with("ext:") {
            return Err(CommunityProblem::Extended);
        }
        let fields = |text: &str| -> Option<Vec<u32>> {
            let digits = |f: &&str| !f.is_empty() && f.bytes().all(|b| b.is_ascii_digit());
            text.split(':')
                .map(|f| Some(f).filter(digits)?.parse().ok())
                .collect()
        };
        if let Some(rest) = text.strip_prefix("large:") {
            return match fields(rest).as_deref() {
                Some([a, b, c]) => Ok(Self::Large(*a, *b, *c)),
                _ => Err(CommunityProblem::Unknown),
            };
        }
        match fields(text).as_deref() {
            Some([a @ 0..=0xffff, b @ 0..=0xffff]) => Ok(Self::Standard(a << 16 | b)),
            _ => Err(CommunityProblem::Unknown),
        }
    }
}

impl fmt::Display for Community {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standard(value) => write!(f, "{}:{}", value >> 16, value & 0xffff),
            Self::Large(a, b, c) => write!(f, "large:{a}:{b}:{c}"),
        }
    }
}

/// Names that RFCs and routers agree on; MetalLB's users expect them without a Community object.
const WELL_KNOWN: &[(&str, u32)] = &[
    ("graceful-shutdown", 0xffff_0000),
    ("blackhole", 0xffff_029a),
    ("no-export", 0xffff_ff01),
    ("no-advertise", 0xffff_ff02),
    ("local-as", 0xffff_ff03),
    ("no-peer", 0xffff_ff04),
];

/// Names for communities: those of Community objects, then the well-known ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommunityTable {
    aliases: BTreeMap<Box<str>, Community>,
}

impl CommunityTable {
    /// A table of aliases.
    pub fn new(aliases: BTreeMap<Box<str>, Community>) -> Self {
        Self { aliases }
    }

    /// The community that a text stands for: an alias, a well-known name, or numbers.
    pub fn resolve(&self, text: &str) -> Result<Community, CommunityProblem> {
        if let Some(community) = self.aliases.get(text) {
            return Ok(*community);
        }
        if let Some((_, value)) = WELL_KNOWN.iter().find(|(name, _)| *name == text) {
            return Ok(Community::Standard(*value));
        }
        text.parse()
    }
}

#[cfg(test)]
mod tests;
