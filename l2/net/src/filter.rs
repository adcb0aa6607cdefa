//! The kernel filters of the three sockets: classic BPF, attached before the socket is bound.
//!
//! They keep the traffic of the node out of this process; they are no judge of frames. What passes is decoded and
//! judged by the core. Offsets are from the Ethernet header on, as a raw packet socket sees them.

/// Our own Ethertype: IEEE 802 local experimental 1 (RFC 9542 §3).
pub(crate) const ETHERTYPE_RINGBOLT: u16 = 0x88b5;
/// ARP (RFC 826).
pub(crate) const ETHERTYPE_ARP: u16 = 0x0806;
/// IPv6 (RFC 2464 §3).
pub(crate) const ETHERTYPE_IPV6: u16 = 0x86dd;

/// Length of an Ethernet header without tags.
pub(crate) const ETHERNET_HEADER: usize = 14;

// linux/bpf_common.h
const LD_BYTE: u16 = 0x30;
const LD_HALF: u16 = 0x28;
const LD_LENGTH: u16 = 0x80;
const JEQ: u16 = 0x15;
const JGE: u16 = 0x35;
const RET: u16 = 0x06;
/// linux/filter.h, `SKF_AD_OFF + SKF_AD_PKTTYPE`: the packet type instead of a byte of the packet.
const PACKET_TYPE: u32 = (-0x1000_i32 + 4).cast_unsigned();
/// linux/if_packet.h: for somebody else, which is what a VLAN's frames look like on the parent (l2 note 6).
const PACKET_OTHERHOST: u32 = 3;
/// linux/if_packet.h: what we send.
const PACKET_OUTGOING: u32 = 4;

/// One instruction (linux/filter.h, `sock_filter`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    /// Instructions to skip when the comparison holds.
    pub(crate) jump_true: u8,
    /// Instructions to skip when it does not.
    pub(crate) jump_false: u8,
    pub(crate) operand: u32,
}

impl Instruction {
    const fn new(code: u16, jump_true: u8, jump_false: u8, operand: u32) -> Self {
        Self {
            code,
            jump_true,
            jump_false,
            operand,
        }
    }
}

/// One condition of a filter: load something, compare it; the packet passes when all hold.
enum Test {
    /// The packet type is neither OTHERHOST nor OUTGOING.
    ForUs,
    /// At least this many bytes.
    Length(u32),
    /// The byte at this offset has this value.
    Byte(u32, u32),
    /// The 16 bits at this offset have this value.
    Half(u32, u32),
    /// The 16 bits at this offset have one of two values.
    EitherHalf(u32, [u32; 2]),
    /// The byte at this offset has one of two values.
    EitherByte(u32, [u32; 2]),
}

/// ARP requests and replies for IPv4 over Ethernet.
pub(crate) fn arp() -> Vec<Instruction> {
    program(&[
        Test::ForUs,
        Test::Length(42),
        Test::Half(14, 1),
        Test::Half(16, 0x0800),
        Test::Half(18, 0x0604),
        Test::EitherHalf(20, [1, 2]),
    ])
}

/// Neighbor Solicitations and Advertisements that crossed no router (RFC 4861 §7.1). A packet with extension headers
/// before the ICMPv6 header does not pass: RFC 6980 forbids fragments here, and nothing else needs one.
pub(crate) fn ndp() -> Vec<Instruction> {
    program(&[
        Test::ForUs,
        Test::Length(78),
        Test::Byte(20, 58),
        Test::Byte(21, 255),
        Test::EitherByte(54, [135, 136]),
    ])
}

/// Frames of other speakers.
pub(crate) fn sealed() -> Vec<Instruction> {
    program(&[Test::ForUs])
}

/// Chains the tests; whichever fails jumps to the final "drop".
fn program(tests: &[Test]) -> Vec<Instruction> {
    let lengths: Vec<usize> = tests.iter().map(Test::instructions).collect();
    let mut left: usize = lengths.iter().sum();
    let mut filter = Vec::with_capacity(left + 2);
    for (test, length) in tests.iter().zip(lengths) {
        left -= length;
        // Behind the last instruction of this test come `left` more and "accept": then "drop".
        test.push(&mut filter, left);
    }
    filter.push(Instruction::new(RET, 0, 0, u32::MAX));
    filter.push(Instruction::new(RET, 0, 0, 0));
    filter
}

impl Test {
    fn instructions(&self) -> usize {
        match self {
            Self::Length(_) | Self::Byte(..) | Self::Half(..) => 2,
            Self::ForUs | Self::EitherHalf(..) | Self::EitherByte(..) => 3,
        }
    }

    /// `left`: instructions between the end of this test and "accept".
    fn push(&self, filter: &mut Vec<Instruction>, left: usize) {
        let drop = u8::try_from(left + 1).expect("a filter has fewer than 255 instructions");
        match *self {
            Self::ForUs => {
                filter.push(Instruction::new(LD_BYTE, 0, 0, PACKET_TYPE));
                filter.push(Instruction::new(JEQ, drop + 1, 0, PACKET_OTHERHOST));
                filter.push(Instruction::new(JEQ, drop, 0, PACKET_OUTGOING));
            }
            Self::Length(least) => {
                filter.push(Instruction::new(LD_LENGTH, 0, 0, 0));
                filter.push(Instruction::new(JGE, 0, drop, least));
            }
            Self::Byte(offset, value) => push_equal(filter, LD_BYTE, offset, value, drop),
            Self::Half(offset, value) => push_equal(filter, LD_HALF, offset, value, drop),
            Self::EitherHalf(offset, values) => push_either(filter, LD_HALF, offset, values, drop),
            Self::EitherByte(offset, values) => push_either(filter, LD_BYTE, offset, values, drop),
        }
    }
}

fn push_equal(filter: &mut Vec<Instruction>, load: u16, offset: u32, value: u32, drop: u8) {
    filter.push(Instruction::new(load, 0, 0, offset));
    filter.push(Instruction::new(JEQ, 0, drop, value));
}

fn push_either(filter: &mut Vec<Instruction>, load: u16, offset: u32, values: [u32; 2], drop: u8) {
    filter.push(Instruction::new(load, 0, 0, offset));
    filter.push(Instruction::new(JEQ, 1, 0, values[0]));
    filter.push(Instruction::new(JEQ, 0, drop, values[1]));
}

#[cfg(test)]
mod tests;
