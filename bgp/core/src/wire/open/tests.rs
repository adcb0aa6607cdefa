//! Cases of open.
