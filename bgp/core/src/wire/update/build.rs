//! Building UPDATEs: attributes once, then prefixes until the message is full.
//!
//! ```text
//!  IPv4 with an IPv4 next hop: [header][0][length][attributes     ][prefix prefix …]
//!  otherwise:                  [header][0][length][attributes < 14][MP_REACH [… prefix prefix …]][attributes > 14]
//! ```
//!
//! The fixed bytes are an [`AttributeBlock`], made once per attribute set and shared by every
//! message and peer they fit. An [`UpdateBuilder`] appends the head to the output, then prefixes
//! with no work but copying them, then the tail, and fills the lengths in. A message announces or
//! withdraws, never both, and carries one family (RFC 7606 §5.1).

use bytes::{BufMut, BytesMut};
use thiserror::Error;

use super::super::attr::{FLAG_EXTENDED, FLAG_OPTIONAL, PathAttributes, Side, code, mp};
use super::super::header::{self, HEADER_LEN, MessageLimit, MessageType};
use super::super::writer::{counted_u16, patch_u16};
use super::super::{EncodeCtx, NextHop, nlri};
use crate::types::{Family, Prefix};

/// No message can carry these attributes with these prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Error)]
pub enum BlockRefusal {
    /// The attributes leave no room for a prefix.
    #[error("attributes take {octets} octets and leave no room for a prefix")]
    TooLarge {
        /// Octets of the message without prefixes.
        octets: usize,
    },
    /// IPv6 prefixes cannot have an IPv4 next hop.
    #[error("IPv6 prefixes cannot have an IPv4 next hop")]
    NextHopFamily,
}

/// Everything of an announcing UPDATE but its prefixes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeBlock {
    family: Family,
    limit: MessageLimit,
    /// From behind the header to the first prefix.
    head: Box<[u8]>,
    /// Behind the last prefix.
    tail: Box<[u8]>,
    /// Where in `head` the attribute list's and MP_REACH_NLRI's lengths stand; the classic form
    /// has a fixed attribute length.
    lengths: Option<(usize, usize)>,
}

impl AttributeBlock {
    /// Encodes attributes and next hop for prefixes of `family`.
    ///
    /// IPv4 prefixes with an IPv4 next hop take the classic form, which every peer reads; others
    /// take MP_REACH_NLRI.
    ///
    /// # Errors
    /// [`BlockRefusal`] when no message can hold them.
    pub fn new(
        attributes: &PathAttributes,
        family: Family,
        next_hop: NextHop,
        ctx: &EncodeCtx,
    ) -> Result<Self, BlockRefusal> {
        let mut head = BytesMut::new();
        let mut tail = BytesMut::new();
        head.put_u16(0);
        let lengths = match (family, next_hop) {
            (Family::Ipv6Unicast, NextHop::V4(_)) => return Err(BlockRefusal::NextHopFamily),
            (Family::Ipv4Unicast, NextHop::V4(address)) => {
                let mut list = BytesMut::new();
                attributes.encode(Some(address), Side::BeforeMpReach, ctx, &mut list);
                attributes.encode(Some(address), Side::AfterMpReach, ctx, &mut list);
                head.put_u16(u16::try_from(list.len()).unwrap_or(u16::MAX));
                head.put_slice(&list);
                None
            }
            (_, NextHop::V6(_) | NextHop::V6LinkLocal { .. }) => {
                let list_length_at = head.len();
                head.put_u16(0);
                attributes.encode(None, Side::BeforeMpReach, ctx, &mut head);
                head.put_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_REACH]);
                let reach_length_at = head.len();
                head.put_u16(0);
                mp::encode_reach_start(family, &next_hop, &mut head);
                attributes.encode(None, Side::AfterMpReach, ctx, &mut tail);
                Some((list_length_at, reach_length_at))
            }
        };
        let octets = HEADER_LEN + head.len() + tail.len();
        if octets + nlri::longest(family) > ctx.limit.octets() {
            return Err(BlockRefusal::TooLarge { octets });
        }
        let (head, tail) = (Box::from(&*head), Box::from(&*tail));
        Ok(Self {
            family,
            limit: ctx.limit,
            head,
            tail,
            lengths,
        })
    }

    /// The family of the prefixes it is for.
    #[must_use]
    pub const fn family(&self) -> Family {
        self.family
    }
}

/// What became of a prefix that was pushed.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// It is in the message.
    Added,
    /// The message is full: finish it and push the prefix to the next one.
    Full,
}

/// What a message does with the prefixes it carries.
#[derive(Clone, Copy, Debug)]
pub(super) enum Purpose<'a> {
    Announce(&'a AttributeBlock),
    Withdraw(Family, MessageLimit),
}

/// One UPDATE under construction, at the end of a buffer that may hold others before it.
///
/// Push prefixes until there is no more [`Room`], then [`UpdateBuilder::finish`]; what was pushed
/// without finishing is not a message.
#[derive(Debug)]
pub struct UpdateBuilder<'a> {
    buf: &'a mut BytesMut,
    family: Family,
    start: usize,
    /// Where the prefixes must end at the latest.
    end: usize,
    lengths: Lengths,
    tail: &'a [u8],
    prefixes: usize,
}

/// Length fields that are known when the last prefix is, by their place in the buffer.
#[derive(Clone, Copy, Debug)]
enum Lengths {
    /// The header's alone.
    None,
    /// Of the withdrawn section, which ends with the prefixes.
    Withdrawn(usize),
    /// Of the attribute list, which ends with the message, and of the multiprotocol attribute in
    /// it, which ends with the prefixes.
    Multiprotocol { list: usize, attribute: usize },
}

impl<'a> UpdateBuilder<'a> {
    /// Starts a message that announces prefixes of the block's family.
    pub fn announce(buf: &'a mut BytesMut, block: &'a AttributeBlock) -> Self {
        let start = header::begin(MessageType::Update, buf);
        let base = buf.len();
        buf.put_slice(&block.head);
        let lengths = match block.lengths {
            None => Lengths::None,
            Some((list, attribute)) => Lengths::Multiprotocol {
                list: base + list,
                attribute: base + attribute,
            },
        };
        let end = start + block.limit.octets() - block.tail.len();
        Self {
            buf,
            family: block.family,
            start,
            end,
            lengths,
            tail: &block.tail,
            prefixes: 0,
        }
    }

    /// Starts a message that withdraws prefixes of `family`.
    pub fn withdraw(buf: &'a mut BytesMut, family: Family, limit: MessageLimit) -> Self {
        let start = header::begin(MessageType::Update, buf);
        let (lengths, tail): (_, &[u8]) = match family {
            Family::Ipv4Unicast => {
                let at = buf.len();
                buf.put_u16(0);
                // No attributes.
                (Lengths::Withdrawn(at), &[0, 0])
            }
            Family::Ipv6Unicast => {
                buf.put_u16(0);
                let list = buf.len();
                buf.put_u16(0);
                buf.put_slice(&[FLAG_OPTIONAL | FLAG_EXTENDED, code::MP_UNREACH]);
                let attribute = buf.len();
                buf.put_u16(0);
                mp::encode_family(family, buf);
                (Lengths::Multiprotocol { list, attribute }, &[])
            }
        };
        let end = start + limit.octets() - tail.len();
        Self {
            buf,
            family,
            start,
            end,
            lengths,
            tail,
            prefixes: 0,
        }
    }

    fn for_purpose(buf: &'a mut BytesMut, purpose: Purpose<'a>) -> Self {
        match purpose {
            Purpose::Announce(block) => Self::announce(buf, block),
            Purpose::Withdraw(family, limit) => Self::withdraw(buf, family, limit),
        }
    }

    /// Appends a canonical prefix of the message's family.
    pub fn push(&mut self, prefix: &Prefix) -> Room {
        debug_assert_eq!(Family::of(prefix), self.family, "one family per message");
        debug_assert_eq!(*prefix, prefix.trunc(), "prefixes are canonical");
        if self.buf.len() + nlri::encoded_len(prefix) > self.end {
            return Room::Full;
        }
        nlri::encode(prefix, self.buf);
        self.prefixes += 1;
        Room::Added
    }

    /// Completes the message and says how many prefixes it carries. Without any there is no
    /// message, and the buffer is as it was before.
    pub fn finish(self) -> usize {
        let Self {
            buf,
            start,
            lengths,
            tail,
            prefixes,
            ..
        } = self;
        if prefixes == 0 {
            buf.truncate(start);
            return 0;
        }
        let last = buf.len();
        buf.put_slice(tail);
        match lengths {
            Lengths::None => {}
            Lengths::Withdrawn(at) => patch_length(buf, at, last),
            Lengths::Multiprotocol { list, attribute } => {
                patch_length(buf, attribute, last);
                let whole = buf.len();
                patch_length(buf, list, whole);
            }
        }
        header::finish(start, buf);
        prefixes
    }
}

/// Fills in a length field that counts from behind itself to `end`.
fn patch_length(buf: &mut BytesMut, at: usize, end: usize) {
    let length = u16::try_from(end - at - 2).expect("a message is at most 65,535 octets");
    patch_u16(buf, at, length);
}

/// Appends as many messages as the prefixes need.
pub(super) fn fill<'p>(
    prefixes: impl Iterator<Item = &'p Prefix>,
    purpose: Purpose<'_>,
    buf: &mut BytesMut,
) {
    let mut prefixes = prefixes.peekable();
    while prefixes.peek().is_some() {
        let mut builder = UpdateBuilder::for_purpose(buf, purpose);
        while let Some(prefix) = prefixes.peek() {
            match builder.push(prefix) {
                Room::Added => drop(prefixes.next()),
                Room::Full => break,
            }
        }
        builder.finish();
    }
}

/// Appends the End-of-RIB marker of a family (RFC 4724 §2).
pub fn encode_end_of_rib(family: Family, buf: &mut BytesMut) {
    let start = header::begin(MessageType::Update, buf);
    buf.put_u16(0);
    counted_u16(buf, |buf| {
        if family == Family::Ipv6Unicast {
            // The length fits one octet, and this is the form every peer recognises.
            buf.put_slice(&[FLAG_OPTIONAL, code::MP_UNREACH, 3]);
            mp::encode_family(family, buf);
        }
    });
    header::finish(start, buf);
}
