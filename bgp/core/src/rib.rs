//! What is known: routes we originate, what each peer has been told of them, what peers told us.
//!
//! Knows no session and no socket. The way out: [`loc`] holds the originated routes in numbered
//! slots, [`log`] the order in which slots changed, [`export`] one cursor per peer over that log,
//! [`pack`] turns what a cursor passes into UPDATEs. The way in: [`adj_in`].

pub(crate) mod adj_in;
pub(crate) mod attrs;
pub(crate) mod bits;
pub(crate) mod export;
pub(crate) mod loc;
pub(crate) mod log;
pub(crate) mod pack;
