//! Every state against every received state.

use super::{Step, step};
use crate::wire::State::{self, AdminDown, Down, Init, Up};

#[test]
fn every_state_has_a_step_for_every_received_state() {
    let table: [(State, [Step; 4]); 4] = [
        //           AdminDown     Down              Init            Up
        (AdminDown, [Step::Discard; 4]),
        (
            Down,
            [Step::Stay, Step::Rise(Init), Step::Rise(Up), Step::Stay],
        ),
        (
            Init,
            [Step::Fall, Step::Stay, Step::Rise(Up), Step::Rise(Up)],
        ),
        (Up, [Step::Fall, Step::Fall, Step::Stay, Step::Stay]),
    ];
    for (local, row) in table {
        for (remote, expected) in State::ALL.into_iter().zip(row) {
            assert_eq!(step(local, remote), expected, "{local:?} hears {remote:?}");
        }
    }
}

#[test]
fn up_is_reached_only_when_the_other_end_hears_us() {
    for local in State::ALL {
        for remote in [AdminDown, Down] {
            assert_ne!(step(local, remote), Step::Rise(Up));
        }
    }
}
