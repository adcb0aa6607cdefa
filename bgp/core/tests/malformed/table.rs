//! The malformed-input table of `docs/reference/bgp-malformed.md` as values: bytes and the reaction they
//! must meet. It knows no codec and no session; whoever plays it includes this file by its path.
//!
//! Our side of every session is AS 65000, the peer's 65001 (65000 inside an AS).

use std::fmt;
use std::net::Ipv4Addr;

#[path = "table/bytes.rs"]
pub(crate) mod bytes;
#[path = "table/opening.rs"]
mod opening;
#[path = "table/session.rs"]
mod session;
#[path = "table/update.rs"]
mod update;

/// Some bytes of one row, and what must come of them.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// The row of the table, from 1 to [`ROWS`].
    pub(crate) row: u8,
    /// Which of the row's inputs.
    pub(crate) name: &'static str,
    /// The session it happens on.
    pub(crate) session: Session,
    /// How far the session has come.
    pub(crate) stage: Stage,
    /// How the bytes are written.
    pub(crate) delivery: Delivery,
    /// What the peer writes.
    pub(crate) bytes: Vec<u8>,
    /// What must come of it.
    pub(crate) reaction: Reaction,
    /// Who finds out.
    pub(crate) judge: Judge,
}

/// How many rows the table has.
pub(crate) const ROWS: u8 = 91;

/// What the peer is to us, and what was negotiated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Session {
    /// Another AS; both unicast families, wide AS numbers, enhanced refresh.
    External,
    /// The same inside our AS.
    Internal,
    /// Without capability 70: refresh as in RFC 2918.
    PlainRefresh,
    /// Not more than two prefixes of a family are wanted.
    TwoPrefixes,
    /// A hold time of three seconds.
    ShortHold,
    /// Messages of 65,535 octets, which this speaker reads but does not offer.
    Extended,
}

/// How far the session has come when the bytes arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// They stand where the peer's OPEN should.
    OpenSent,
    /// After the peer's OPEN, before its KEEPALIVE.
    OpenConfirm,
    /// The session is up.
    Established,
}

/// How the bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At once.
    Whole,
    /// In two pieces, cut at each octet of the first header in turn.
    CutInHeader,
    /// Octet by octet, for longer than the hold time.
    Trickle,
    /// At once, and the connection is closed behind them.
    ThenFin,
    /// On every new session again.
    EverySession,
    /// Nothing is written, and nothing read.
    NeverReads,
}

/// What must come of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaction {
    /// The route, or the OPEN, is taken as it is.
    Accept,
    /// Nothing changes.
    Ignore,
    /// The route stands without an attribute.
    Discard,
    /// The route is withdrawn.
    Withdraw,
    /// The session ends with this NOTIFICATION, whatever its data.
    Reset(u8, u8),
    /// The same with exactly these data.
    ResetWith(u8, u8, &'static [u8]),
    /// The session ends without a word of ours.
    Close,
}

/// Who finds out what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Judge {
    /// The decoder, from the bytes and the outcome of the OPEN exchange.
    Codec,
    /// The session, from its state, its configuration or the time; the decoder sees nothing wrong.
    Session,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}, {} ({:?})", self.row, self.name, self.session)
    }
}

impl Case {
    fn on(self, session: Session) -> Self {
        Self { session, ..self }
    }

    fn at(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    fn delivered(self, delivery: Delivery) -> Self {
        Self { delivery, ..self }
    }

    fn judged_by_the_session(self) -> Self {
        let judge = Judge::Session;
        Self { judge, ..self }
    }
}

/// An input to an Established session with another AS, written at once, judged by the decoder.
fn case(row: u8, name: &'static str, bytes: Vec<u8>, reaction: Reaction) -> Case {
    Case {
        row,
        name,
        session: Session::External,
        stage: Stage::Established,
        delivery: Delivery::Whole,
        bytes,
        reaction,
        judge: Judge::Codec,
    }
}

/// Lays out rows: number, words, bytes, reaction.
macro_rules! cases {
    ($($row:literal $name:literal: $bytes:expr => $reaction:expr;)*) => {
        vec![$($crate::table::case($row, $name, $bytes, $reaction)),*]
    };
}
use cases;

/// The whole table, for a session whose own end has this address.
pub(crate) fn all(own: Ipv4Addr) -> Vec<Case> {
    [
        opening::framing(),
        opening::opens(),
        opening::out_of_turn(),
        update::framing(),
        update::mandatory(),
        update::optional(),
        update::multiprotocol(),
        update::internal(),
        session::routes(own),
        session::endings(),
        session::floods(),
    ]
    .concat()
}
