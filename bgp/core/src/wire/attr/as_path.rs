//! AS_PATH: the ASes a route came through (RFC 4271 §4.3, RFC 5065, RFC 6793).
//!
//! ```text
//!  (+------+-------+--------------------+)*
//!   | type | count | count AS numbers   |
//!  (+------+-------+--------------------+)
//! ```
//!
//! A path is kept in the wire's own four-octet form, checked once: one allocation per path,
//! comparison and hashing by bytes, and encoding is a copy.

use bytes::{BufMut, BytesMut};

use super::super::AsnWidth;
use super::super::fault::FaultCause;
use super::super::reader::Reader;
use crate::types::Asn;

#[cfg(test)]
mod tests;

/// Most AS numbers one segment holds.
const SEGMENT_MAX: usize = 255;

/// What the AS numbers of a segment are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SegmentKind {
    /// Unordered, from aggregation; accepted, never sent by us (RFC 9774).
    Set,
    /// In order, the nearest first.
    Sequence,
    /// In order, inside a confederation (RFC 5065).
    ConfedSequence,
    /// Unordered, inside a confederation (RFC 5065).
    ConfedSet,
}

impl SegmentKind {
    const fn code(self) -> u8 {
        match self {
            Self::Set => 1,
            Self::Sequence => 2,
            Self::ConfedSequence => 3,
            Self::ConfedSet => 4,
        }
    }

    const fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Set),
            2 => Some(Self::Sequence),
            3 => Some(Self::ConfedSequence),
            4 => Some(Self::ConfedSet),
            _ => None,
        }
    }

    const fn is_confederation(self) -> bool {
        matches!(self, Self::ConfedSequence | Self::ConfedSet)
    }
}

/// One segment of a path, borrowed from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// What its numbers are.
    pub kind: SegmentKind,
    numbers: &'a [[u8; 4]],
}

impl<'a> Segment<'a> {
    /// Its AS numbers, at least one.
    pub fn asns(&self) -> impl ExactSizeIterator<Item = Asn> + use<'a> {
        self.numbers
            .iter()
            .map(|octets| Asn(u32::from_be_bytes(*octets)))
    }

    /// What the segment adds to the length that route selection compares.
    fn length(&self) -> usize {
        match self.kind {
            SegmentKind::Sequence => self.numbers.len(),
            SegmentKind::Set => 1,
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        }
    }
}

/// An AS path.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AsPath(Box<[u8]>);

impl AsPath {
    /// The path of a route from our own AS.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// The path through these ASes, nearest first.
    #[must_use]
    pub fn sequence(asns: &[Asn]) -> Self {
        let mut bytes = BytesMut::with_capacity(asns.len() * 4 + 2);
        put_segment(&mut bytes, SegmentKind::Sequence, asns.iter().copied());
        Self(Box::from(&*bytes))
    }

    /// A path of arbitrary segments; those without numbers are left out.
    #[must_use]
    pub fn from_segments(segments: &[(SegmentKind, Vec<Asn>)]) -> Self {
        let mut bytes = BytesMut::new();
        for (kind, asns) in segments {
            put_segment(&mut bytes, *kind, asns.iter().copied());
        }
        Self(Box::from(&*bytes))
    }

    /// This path with `asn` in front, `times` times: on leaving an AS, or to make a path longer.
    #[must_use]
    pub fn prepend(&self, asn: Asn, times: usize) -> Self {
        let mut segments = self.segments();
        let first = segments
            .next()
            .filter(|first| first.kind == SegmentKind::Sequence);
        let (joined, rest) = match first {
            Some(first) => (first.numbers, segments.reader.rest()),
            None => ([].as_slice(), &*self.0),
        };
        let mut bytes = BytesMut::with_capacity(self.0.len() + times * 4 + 4);
        let own = std::iter::repeat_n(asn, times);
        let joined = joined.iter().map(|octets| Asn(u32::from_be_bytes(*octets)));
        put_segment(&mut bytes, SegmentKind::Sequence, own.chain(joined));
        bytes.put_slice(rest);
        Self(Box::from(&*bytes))
    }

    /// The segments in order.
    #[must_use]
    pub fn segments(&self) -> Segments<'_> {
        Segments {
            reader: Reader::new(&self.0),
        }
    }

    /// Every AS number in order of the message, whatever its segment.
    pub fn asns(&self) -> impl Iterator<Item = Asn> + '_ {
        self.segments().flat_map(|segment| segment.asns())
    }

    /// Whether the path went through `asn`.
    #[must_use]
    pub fn contains(&self, asn: Asn) -> bool {
        self.asns().any(|hop| hop == asn)
    }

    /// The AS the route was received from: first number of a leading sequence.
    #[must_use]
    pub fn first(&self) -> Option<Asn> {
        let first = self.segments().next()?;
        (first.kind == SegmentKind::Sequence).then(|| first.asns().next())?
    }

    /// The length that route selection compares: a set counts once (RFC 4271 §9.1.2.2),
    /// confederation segments do not count (RFC 5065 §5.3).
    #[must_use]
    pub fn length(&self) -> usize {
        self.segments().map(|segment| segment.length()).sum()
    }

    /// Whether the route comes from our own AS.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn has_confederation(&self) -> bool {
        self.segments()
            .any(|segment| segment.kind.is_confederation())
    }

    /// Whether a two-octet speaker would lose numbers of this path.
    pub(super) fn needs_four_octets(&self) -> bool {
        self.asns().any(|asn| !asn.fits_two_octets())
    }

    /// Reads the value of AS_PATH or AS4_PATH.
    pub(super) fn decode(value: &[u8], width: AsnWidth) -> Result<Self, FaultCause> {
        let mut reader = Reader::new(value);
        let mut bytes = BytesMut::with_capacity(match width {
            AsnWidth::FourOctets => value.len(),
            AsnWidth::TwoOctets => value.len() * 2,
        });
        while !reader.is_empty() {
            let (kind, count) = reader.u8().zip(reader.u8()).ok_or(FaultCause::AsPath)?;
            if SegmentKind::from_code(kind).is_none() || count == 0 {
                return Err(FaultCause::AsPath);
            }
            bytes.put_u8(kind);
            bytes.put_u8(count);
            for _ in 0..count {
                let number = match width {
                    AsnWidth::FourOctets => reader.u32(),
                    AsnWidth::TwoOctets => reader.u16().map(u32::from),
                };
                match number.ok_or(FaultCause::AsPath)? {
                    0 => return Err(FaultCause::AsZero),
                    number => bytes.put_u32(number),
                }
            }
        }
        Ok(Self(Box::from(&*bytes)))
    }

    /// Appends the value of AS_PATH.
    pub(super) fn encode(&self, width: AsnWidth, buf: &mut BytesMut) {
        match width {
            AsnWidth::FourOctets => buf.put_slice(&self.0),
            AsnWidth::TwoOctets => {
                for segment in self.segments() {
                    buf.put_u8(segment.kind.code());
                    buf.put_u8(u8::try_from(segment.numbers.len()).expect("counts are one octet"));
                    segment
                        .asns()
                        .for_each(|asn| buf.put_u16(asn.in_two_octets()));
                }
            }
        }
    }

    /// Appends the value of AS4_PATH, which leaves confederation segments out (RFC 6793 §3).
    pub(super) fn encode_as4(&self, buf: &mut BytesMut) {
        for segment in self
            .segments()
            .filter(|segment| !segment.kind.is_confederation())
        {
            put_segment(buf, segment.kind, segment.asns());
        }
    }

    /// Puts the true numbers of `as4` in place of those that became AS_TRANS (RFC 6793 §4.2.3):
    /// what this path has in front of `as4` stays, the rest comes from there.
    pub(super) fn merge_as4(&self, as4: &Self) -> Self {
        let Some(mut lead) = self.length().checked_sub(as4.length()) else {
            return self.clone();
        };
        let mut segments: Vec<(SegmentKind, Vec<Asn>)> = Vec::new();
        for segment in self.segments() {
            let taken: Vec<Asn> = match segment.kind {
                SegmentKind::Sequence => segment.asns().take(lead).collect(),
                SegmentKind::Set if lead == 0 => Vec::new(),
                SegmentKind::Set | SegmentKind::ConfedSequence | SegmentKind::ConfedSet => {
                    segment.asns().collect()
                }
            };
            lead -= segment.length().min(lead);
            segments.push((segment.kind, taken));
            if lead == 0 {
                break;
            }
        }
        let behind = as4
            .segments()
            .filter(|segment| !segment.kind.is_confederation());
        for segment in behind {
            match segments.last_mut() {
                Some((SegmentKind::Sequence, asns)) if segment.kind == SegmentKind::Sequence => {
                    asns.extend(segment.asns());
                }
                _ => segments.push((segment.kind, segment.asns().collect())),
            }
        }
        Self::from_segments(&segments)
    }
}

/// Appends a segment, or several of one kind when there are more numbers than one can count.
fn put_segment(buf: &mut BytesMut, kind: SegmentKind, asns: impl Iterator<Item = Asn>) {
    let mut asns = asns.peekable();
    while asns.peek().is_some() {
        buf.put_u8(kind.code());
        super::super::writer::counted_u8_elements(buf, SEGMENT_MAX, |buf| {
            asns.next().map(|asn| buf.put_u32(asn.0)).is_some()
        });
    }
}

/// Iterates over the segments of a path.
#[derive(Clone, Debug)]
pub struct Segments<'a> {
    reader: Reader<'a>,
}

impl<'a> Iterator for Segments<'a> {
    type Item = Segment<'a>;

    fn next(&mut self) -> Option<Segment<'a>> {
        let kind = SegmentKind::from_code(self.reader.u8()?)?;
        let count = self.reader.u8()?;
        let (numbers, _) = self.reader.bytes(usize::from(count) * 4)?.as_chunks::<4>();
        Some(Segment { kind, numbers })
    }
}
