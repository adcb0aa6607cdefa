//! Cases of attr.
