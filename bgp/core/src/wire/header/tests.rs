//! Cases of header.
