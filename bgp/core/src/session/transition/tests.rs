//! The table is total, its reactions are the RFC's, and its page is fresh.

use std::collections::BTreeSet;

use super::*;

fn all() -> impl Iterator<Item = (State, EventKind, Step)> {
    let pairs = State::ALL
        .into_iter()
        .flat_map(|state| EventKind::ALL.map(|event| (state, event)));
    pairs.map(|(state, event)| (state, event, transition(state, event)))
}

#[test]
fn every_event_has_a_step_in_every_state() {
    assert_eq!(all().count(), 6 * 16);
    let states: BTreeSet<State> = State::ALL.into();
    let events: BTreeSet<EventKind> = EventKind::ALL.into();
    assert_eq!((states.len(), events.len()), (6, 16));
}

#[test]
fn a_session_is_reached_step_by_step_only() {
    for (state, event, Step { next, action }) in all() {
        match next {
            State::Established if state != next => {
                assert_eq!((state, event), (State::OpenConfirm, EventKind::Keepalive));
                assert_eq!(action, Action::Establish);
            }
            State::OpenConfirm if state != next => {
                assert_eq!((state, event), (State::OpenSent, EventKind::Open));
                assert_eq!(action, Action::Confirm);
            }
            State::OpenSent if state != next => {
                assert_eq!((event, action), (EventKind::TransportUp, Action::SendOpen));
            }
            _ => {}
        }
    }
}

#[test]
fn stop_leads_to_idle_from_everywhere() {
    for state in State::ALL {
        assert_eq!(transition(state, EventKind::Stop).next, State::Idle);
    }
}

#[test]
fn a_connection_that_ends_says_why_unless_the_peer_did_or_is_gone() {
    let connected = [State::OpenSent, State::OpenConfirm, State::Established];
    for (state, event, step) in all().filter(|(state, ..)| connected.contains(state)) {
        if connected.contains(&step.next) {
            continue;
        }
        let silent = matches!(event, EventKind::TransportLost | EventKind::Notification);
        let speaks = matches!(step.action, Action::Notify | Action::Refuse(_));
        assert_eq!(silent, !speaks, "{event:?} in {state:?}: {step:?}");
    }
}

#[test]
fn a_message_out_of_turn_names_the_state_it_met() {
    for (state, _, step) in all() {
        if let Action::Refuse(error) = step.action {
            let expected = match state {
                State::OpenSent => FsmError::InOpenSent,
                State::OpenConfirm => FsmError::InOpenConfirm,
                State::Established => FsmError::InEstablished,
                other => panic!("nothing is refused in {other:?}"),
            };
            assert_eq!(error, expected);
        }
    }
}

#[test]
fn without_a_connection_no_message_means_anything() {
    use EventKind as E;
    let messages = [
        E::Open,
        E::Keepalive,
        E::Update,
        E::Refresh,
        E::Notification,
        E::Malformed,
    ];
    for state in [State::Idle, State::Connect, State::Active] {
        for event in messages {
            assert_eq!(
                transition(state, event),
                Step {
                    next: state,
                    action: Action::Ignore
                }
            );
        }
    }
}

#[test]
fn the_page_in_docs_is_fresh() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fsm.md");
    let written = std::fs::read_to_string(page).unwrap();
    assert!(
        written == render_table(),
        "docs/fsm.md is stale: cargo xtask fsm-table"
    );
}
