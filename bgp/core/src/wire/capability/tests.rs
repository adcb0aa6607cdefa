//! Cases of capability.
