//! Cases of attr/community.
