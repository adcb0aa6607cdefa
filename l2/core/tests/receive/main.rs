//! The receive path, row by row: what each frame from the segment makes us do. The numbers are those of the table in
//! docs/reference/l2-frames.md; rows that a socket decides (packet type, capture, joins on many sockets) are tested with
//! the driver.
#![expect(
    clippy::unwrap_used,
    reason = "fixtures of tests stop at the first surprise"
)]

mod arp_rows;
mod departures;
mod fixture;
mod ndp_rows;
mod state_rows;
