//! Cases of addresses.
