//! Stories of one Router and a scripted peer.

mod departures;
mod exports;
mod handshake;
mod hostile;
mod learning;
mod operations;
mod rig;
mod timers;
