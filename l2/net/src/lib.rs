//! Sockets, keys and link events around the pure announcer of `ringbolt-l2`.
//!
//! One task (`driver`) owns the [`Announcer`](ringbolt_l2::announcer::Announcer); nothing else touches it. What it
//! takes in:
//!
//! - frames, from three packet sockets per announcing interface (ARP, Neighbor Discovery, our own Ethertype), each
//!   filtered in the kernel before it is bound (`filter`, `socket`);
//! - sealed frames of other speakers, opened and checked for replay (`seal`);
//! - interfaces, their addresses and routes, from netlink (`interfaces`);
//! - what the speaker wants, through the [`L2`] handle.
//!
//! What it does: writes frames, seals frames, holds group memberships (`joins`), and logs each event once.
//!
//! This crate decides nothing about who owns an address, and knows nothing of Kubernetes. It needs `CAP_NET_RAW` and no
//! other capability; without it every interface carries [`PortError`] in the stats, and opening is tried again.

mod driver;
mod filter;
mod handle;
mod incarnation;
mod interfaces;
mod joins;
mod ports;
mod seal;
mod socket;

pub use handle::{Drained, L2, Settings, Stats};
pub use ports::PortError;
pub use seal::{Key, KeyRing};
