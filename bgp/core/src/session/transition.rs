//! The state machine of RFC 4271 §8.2 as one total function, and nothing else.
//!
//! [`transition`] says for every state and every kind of event what the next state is and what has
//! to be done. It holds no data, knows no timer values and no bytes; the session carries its
//! actions out. `docs/fsm.md` is printed from it ([`render_table`]), and a test compares the two.
//!
//! Deviation: after most failures the RFC goes to Idle and leaves the restart to an optional timer.
//! Here a lost connection leads to Active, where the peer's own attempts are welcome while we wait
//! to dial again; only a peer that broke the protocol is kept out for the delay (Idle).

use crate::wire::notification::FsmError;

#[cfg(test)]
mod tests;

/// Where a session, or one of its connections, stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// No connection is wanted: the peer is being kept out, or we are shutting down.
    Idle,
    /// We are dialling.
    Connect,
    /// We wait: for the peer to dial, or for our next attempt.
    Active,
    /// Connected; our OPEN is on its way.
    OpenSent,
    /// OPENs agree; waiting for the peer's KEEPALIVE.
    OpenConfirm,
    /// Routes flow.
    Established,
}

impl State {
    /// Every state, least advanced first.
    pub const ALL: [Self; 6] = [
        Self::Idle,
        Self::Connect,
        Self::Active,
        Self::OpenSent,
        Self::OpenConfirm,
        Self::Established,
    ];

    /// The RFC's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Idle => "Idle",
            Self::Connect => "Connect",
            Self::Active => "Active",
            Self::OpenSent => "OpenSent",
            Self::OpenConfirm => "OpenConfirm",
            Self::Established => "Established",
        }
    }
}

/// What can happen to the machine; the numbers are those of RFC 4271 §8.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    /// Events 1, 3: the session may begin, and we dial.
    Start,
    /// Events 4, 5: the session may begin, and the peer dials.
    StartPassive,
    /// Events 2, 8: the session must end; a Cease says why.
    Stop,
    /// Event 9: time to dial again, or time to give up a dial.
    RetryDue,
    /// Events 16, 17: a TCP connection stands.
    TransportUp,
    /// Event 18: it does not, or not any longer.
    TransportLost,
    /// Event 10: the peer was silent for too long.
    HoldExpired,
    /// Event 11: we have been silent for long enough.
    KeepaliveDue,
    /// RFC 9687: the kernel took no byte for too long.
    SendHoldExpired,
    /// Event 23: another connection to the peer was preferred.
    CollisionLost,
    /// Event 19: an OPEN that we can agree with.
    Open,
    /// Event 26.
    Keepalive,
    /// Event 27: an UPDATE, whatever RFC 7606 made of it.
    Update,
    /// A ROUTE-REFRESH (RFC 2918).
    Refresh,
    /// Events 24, 25.
    Notification,
    /// Events 21, 22, 28: a message that ends the session.
    Malformed,
}

impl EventKind {
    /// Every kind of event.
    pub const ALL: [Self; 16] = [
        Self::Start,
        Self::StartPassive,
        Self::Stop,
        Self::RetryDue,
        Self::TransportUp,
        Self::TransportLost,
        Self::HoldExpired,
        Self::KeepaliveDue,
        Self::SendHoldExpired,
        Self::CollisionLost,
        Self::Open,
        Self::Keepalive,
        Self::Update,
        Self::Refresh,
        Self::Notification,
        Self::Malformed,
    ];
}

/// What the table says: where to go, and what to do on the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The state after the event.
    pub next: State,
    /// What happens at the event.
    pub action: Action,
}

/// What has to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Nothing.
    Ignore,
    /// Ask for a TCP connection.
    Dial,
    /// Send OPEN, allow 30 s for the handshake.
    SendOpen,
    /// Take over what was negotiated, send KEEPALIVE.
    Confirm,
    /// Start the session: hold timer, routes.
    Establish,
    /// Restart the hold timer.
    Rearm,
    /// Send KEEPALIVE.
    SendKeepalive,
    /// Restart the hold timer, give the UPDATE to the Adj-RIB-In.
    Learn,
    /// Send the routes again.
    Resend,
    /// Close without a word.
    Close,
    /// Send the NOTIFICATION that belongs to the event, close.
    Notify,
    /// Send an FSM error (RFC 6608), close.
    Refuse(FsmError),
}

/// The table.
#[must_use]
pub const fn transition(state: State, event: EventKind) -> Step {
    match state {
        State::Idle => idle(event),
        State::Connect => connect(event),
        State::Active => active(event),
        State::OpenSent => open_sent(event),
        State::OpenConfirm => open_confirm(event),
        State::Established => established(event),
    }
}

const fn step(next: State, action: Action) -> Step {
    Step { next, action }
}

const fn idle(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Start => step(State::Connect, Action::Dial),
        E::StartPassive => step(State::Active, Action::Ignore),
        E::TransportUp => step(State::Idle, Action::Close),
        E::Stop
        | E::RetryDue
        | E::TransportLost
        | E::HoldExpired
        | E::KeepaliveDue
        | E::SendHoldExpired
        | E::CollisionLost
        | E::Open
        | E::Keepalive
        | E::Update
        | E::Refresh
        | E::Notification
        | E::Malformed => step(State::Idle, Action::Ignore),
    }
}

const fn connect(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Stop => step(State::Idle, Action::Close),
        E::StartPassive | E::RetryDue | E::CollisionLost => step(State::Active, Action::Close),
        E::TransportUp => step(State::OpenSent, Action::SendOpen),
        E::TransportLost => step(State::Active, Action::Ignore),
        E::Start
        | E::HoldExpired
        | E::KeepaliveDue
        | E::SendHoldExpired
        | E::Open
        | E::Keepalive
        | E::Update
        | E::Refresh
        | E::Notification
        | E::Malformed => step(State::Connect, Action::Ignore),
    }
}

const fn active(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Stop => step(State::Idle, Action::Ignore),
        E::Start | E::RetryDue => step(State::Connect, Action::Dial),
        E::TransportUp => step(State::OpenSent, Action::SendOpen),
        E::StartPassive
        | E::TransportLost
        | E::HoldExpired
        | E::KeepaliveDue
        | E::SendHoldExpired
        | E::CollisionLost
        | E::Open
        | E::Keepalive
        | E::Update
        | E::Refresh
        | E::Notification
        | E::Malformed => step(State::Active, Action::Ignore),
    }
}

const fn open_sent(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Stop => step(State::Idle, Action::Notify),
        E::TransportLost => step(State::Active, Action::Ignore),
        E::HoldExpired | E::SendHoldExpired | E::CollisionLost => {
            step(State::Active, Action::Notify)
        }
        E::Open => step(State::OpenConfirm, Action::Confirm),
        E::Keepalive | E::Update | E::Refresh => {
            step(State::Idle, Action::Refuse(FsmError::InOpenSent))
        }
        E::Notification => step(State::Active, Action::Close),
        E::Malformed => step(State::Idle, Action::Notify),
        E::Start | E::StartPassive | E::RetryDue | E::TransportUp | E::KeepaliveDue => {
            step(State::OpenSent, Action::Ignore)
        }
    }
}

const fn open_confirm(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Stop => step(State::Idle, Action::Notify),
        E::TransportLost => step(State::Active, Action::Ignore),
        E::HoldExpired | E::SendHoldExpired | E::CollisionLost => {
            step(State::Active, Action::Notify)
        }
        E::KeepaliveDue => step(State::OpenConfirm, Action::SendKeepalive),
        E::Keepalive => step(State::Established, Action::Establish),
        E::Open | E::Update | E::Refresh => {
            step(State::Idle, Action::Refuse(FsmError::InOpenConfirm))
        }
        E::Notification => step(State::Active, Action::Close),
        E::Malformed => step(State::Idle, Action::Notify),
        E::Start | E::StartPassive | E::RetryDue | E::TransportUp => {
            step(State::OpenConfirm, Action::Ignore)
        }
    }
}

const fn established(event: EventKind) -> Step {
    use EventKind as E;
    match event {
        E::Stop => step(State::Idle, Action::Notify),
        E::TransportLost => step(State::Active, Action::Ignore),
        E::HoldExpired | E::SendHoldExpired | E::CollisionLost => {
            step(State::Active, Action::Notify)
        }
        E::KeepaliveDue => step(State::Established, Action::SendKeepalive),
        E::Keepalive => step(State::Established, Action::Rearm),
        E::Update => step(State::Established, Action::Learn),
        E::Refresh => step(State::Established, Action::Resend),
        E::Open => step(State::Idle, Action::Refuse(FsmError::InEstablished)),
        E::Notification => step(State::Active, Action::Close),
        E::Malformed => step(State::Idle, Action::Notify),
        E::Start | E::StartPassive | E::RetryDue | E::TransportUp => {
            step(State::Established, Action::Ignore)
        }
    }
}

/// The table as Markdown: one row per event, one column per state; `·` where nothing happens.
#[must_use]
pub fn render_table() -> String {
    let mut page = String::from(
        "# The session state machine\n\n\
         Generated from `bgp/core/src/session/transition.rs` by `cargo xtask fsm-table`; a test \
         compares the two.\nA cell reads *action → next state*; `·` means that nothing happens.\n\n| event |",
    );
    State::ALL
        .iter()
        .for_each(|state| page.push_str(&format!(" {} |", state.name())));
    page.push_str("\n|---|");
    State::ALL.iter().for_each(|_| page.push_str("---|"));
    page.push('\n');
    for event in EventKind::ALL {
        page.push_str(&format!("| {event:?} |"));
        for state in State::ALL {
            page.push_str(&format!(" {} |", cell(state, transition(state, event))));
        }
        page.push('\n');
    }
    page
}

fn cell(state: State, Step { next, action }: Step) -> String {
    let action = match action {
        Action::Ignore if next == state => return "·".to_owned(),
        Action::Ignore => String::new(),
        Action::Refuse(error) => {
            format!(
                "Notify 5/{} ",
                crate::wire::ErrorCode::FiniteStateMachine(error).octets().1
            )
        }
        Action::Dial
        | Action::SendOpen
        | Action::Confirm
        | Action::Establish
        | Action::Rearm
        | Action::SendKeepalive
        | Action::Learn
        | Action::Resend
        | Action::Close
        | Action::Notify => format!("{action:?} "),
    };
    if next == state {
        action.trim_end().to_owned()
    } else {
        format!("{action}→ {}", next.name())
    }
}
