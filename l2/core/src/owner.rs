//! Who should own an address: rendezvous hashing over the nodes that may.
//!
//! Pure arithmetic, the same on every node and every machine: no floating point, no hash with a per-process seed. Every
//! node that knows the same candidates finds the same order without a word, and a node that goes moves only what it
//! had. Liveness and claims are decided elsewhere; this only ranks.
use std::cmp::Ordering;
use std::net::IpAddr;

use crate::types::{NodeName, Standing};

/// A node's place in the order for one address. Greater goes first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank<'a> {
    preference: u32,
    weight: u16,
    hash: u64,
    node: &'a NodeName,
}

impl<'a> Rank<'a> {
    /// The place of `node` with `standing` for `address`. `seed` is [`node_seed`] of the node, which callers keep.
    #[must_use]
    pub fn new(node: &'a NodeName, seed: u64, standing: Standing, address: IpAddr) -> Self {
        Self {
            preference: standing.preference,
            weight: standing.weight.max(1),
            hash: mix(seed ^ address_seed(address)),
            node,
        }
    }
}

impl Ord for Rank<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        // Preference first, as an operator who states one means it. Among equal weights the weighted score grows with
        // the hash, so it is worked out only where weights differ; rounding ties fall back to the hash, which keeps the
        // order total.
        let by_score = match self.weight == other.weight {
            true => Ordering::Equal,
            false => weighted(self.hash, self.weight).cmp(&weighted(other.hash, other.weight)),
        };
        (self.preference.cmp(&other.preference))
            .then(by_score)
            .then_with(|| self.hash.cmp(&other.hash))
            .then_with(|| self.node.cmp(other.node))
    }
}

impl PartialOrd for Rank<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The part of the hash that belongs to the node.
#[must_use]
pub fn node_seed(node: &NodeName) -> u64 {
    text_seed(node.as_str())
}

/// 64 bits of a text; the same on every machine.
#[must_use]
pub fn text_seed(text: &str) -> u64 {
    let mut state = mix(u64::try_from(text.len()).unwrap_or(u64::MAX));
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        state = mix(state ^ u64::from_le_bytes(word));
    }
    state
}

/// 64 bits of an address. The IPv4-mapped form of an address counts as another address.
#[must_use]
pub fn address_seed(address: IpAddr) -> u64 {
    match address {
        IpAddr::V4(address) => mix(0x0400_0000_0000 | u64::from(u32::from(address))),
        IpAddr::V6(address) => {
            let bits = u128::from(address);
            let high = u64::try_from(bits >> 64).expect("64 bits remain");
            let low = u64::try_from(bits & u128::from(u64::MAX)).expect("64 bits remain");
            mix(mix(high ^ 0x0600_0000_0000) ^ low)
        }
    }
}

/// A bijective 64-bit mixer (the finalizer of SplitMix64): every input bit reaches every output bit.
#[must_use]
pub fn mix(input: u64) -> u64 {
    let mut word = input.wrapping_add(0x9e37_79b9_7f4a_7c15);
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

/// The weighted form of rendezvous hashing, −w / ln(u) with u = hash / 2⁶⁴, in fixed point: −w / log₂(u) orders the
/// same way, and integers order it the same way everywhere.
fn weighted(hash: u64, weight: u16) -> u64 {
    let minus_log2 = minus_log2(hash).max(1);
    let scaled = (u128::from(weight) << 80) / u128::from(minus_log2);
    u64::try_from(scaled >> 32).unwrap_or(u64::MAX)
}

/// −log₂(hash / 2⁶⁴) with 40 fractional bits. Zero counts as the smallest fraction.
fn minus_log2(hash: u64) -> u64 {
    const FRACTION_BITS: u32 = 40;
    let hash = hash.max(1);
    let whole = u64::from(hash.leading_zeros());
    // Mantissa in [1, 2) with 63 fractional bits; squaring it yields log₂ bit by bit.
    let mut mantissa = u128::from(hash) << hash.leading_zeros();
    let mut fraction = 0_u64;
    for _ in 0..FRACTION_BITS {
        mantissa = (mantissa * mantissa) >> 63;
        fraction <<= 1;
        if mantissa >> 64 != 0 {
            mantissa >>= 1;
            fraction |= 1;
        }
    }
    ((whole + 1) << FRACTION_BITS) - fraction
}

#[cfg(test)]
mod tests;
