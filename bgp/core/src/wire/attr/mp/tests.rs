//! Cases of attr/mp.
