//! What the other end last said of itself.

use std::num::{NonZeroU8, NonZeroU32};

use crate::wire::{Packet, State};

/// The Remote variables of RFC 5880 §6.8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    pub(super) discriminator: Option<NonZeroU32>,
    pub(super) state: State,
    pub(super) desired_min_tx_us: u32,
    pub(super) required_min_rx_us: u32,
    pub(super) detect_mult: NonZeroU8,
    pub(super) demand: bool,
    pub(super) control_plane_independent: bool,
}

impl Remote {
    /// Before the first packet, with the initial values of the RFC.
    pub(super) const UNKNOWN: Self = Self {
        discriminator: None,
        state: State::Down,
        desired_min_tx_us: 0,
        required_min_rx_us: 1,
        detect_mult: NonZeroU8::MIN,
        demand: false,
        control_plane_independent: false,
    };

    pub(super) const fn of(packet: &Packet) -> Self {
        Self {
            discriminator: Some(packet.my_discriminator),
            state: packet.state,
            desired_min_tx_us: packet.desired_min_tx_us,
            required_min_rx_us: packet.required_min_rx_us,
            detect_mult: packet.detect_mult,
            demand: packet.demand,
            control_plane_independent: packet.control_plane_independent,
        }
    }
}
