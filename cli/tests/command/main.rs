//! The built command as its users meet it: examples of the guide, wrong flags, broken manifests,
//! ports and directories in trouble, and the end on SIGTERM.
//!
//! Needs no privilege and no network but loopback: peers are dialled at high ports, and the layer 2
//! advertisement names an interface that no machine has.

mod bgp;
mod examples;
mod fixture;
mod guide;
mod pages;
mod process;
mod trouble;
mod usage;
