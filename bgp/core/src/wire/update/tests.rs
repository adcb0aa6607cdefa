//! Cases of update.
