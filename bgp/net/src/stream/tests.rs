//! Cases of stream.
