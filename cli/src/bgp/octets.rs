//! Fields off the front of bytes, in either order of octets. Reading past the end is `None`; what
//! the fields mean is their readers' knowledge.

/// Which octet of a number comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Bytes that have not been read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Octets<'a> {
    rest: &'a [u8],
    order: Order,
}

impl<'a> Octets<'a> {
    /// In network order.
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self::ordered(bytes, Order::Big)
    }

    pub(super) const fn ordered(bytes: &'a [u8], order: Order) -> Self {
        Self { rest: bytes, order }
    }

    pub(super) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[octet]| octet)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        let octets = self.array()?;
        Some(match self.order {
            Order::Big => u16::from_be_bytes(octets),
            Order::Little => u16::from_le_bytes(octets),
        })
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        let octets = self.array()?;
        Some(match self.order {
            Order::Big => u32::from_be_bytes(octets),
            Order::Little => u32::from_le_bytes(octets),
        })
    }
}
