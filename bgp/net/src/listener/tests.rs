//! Cases of listener.
