//! The state machine of RFC 5880 §6.8.6, as a total function of both ends' states.

use crate::wire::State;

#[cfg(test)]
mod tests;

/// What a received state does to ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The packet changes nothing.
    Stay,
    /// To Init or Up.
    Rise(State),
    /// To Down, because the other end says so.
    Fall,
    /// We are held down: the packet is not even a sign of life.
    Discard,
}

/// The table.
pub(super) const fn step(local: State, remote: State) -> Step {
    match (local, remote) {
        (State::AdminDown, _) => Step::Discard,
        (State::Down, State::Down) => Step::Rise(State::Init),
        (State::Down, State::Init) | (State::Init, State::Init | State::Up) => {
            Step::Rise(State::Up)
        }
        (State::Init | State::Up, State::AdminDown) | (State::Up, State::Down) => Step::Fall,
        (State::Down, State::AdminDown | State::Up)
        | (State::Init, State::Down)
        | (State::Up, State::Init | State::Up) => Step::Stay,
    }
}
