//! Cases of attr/as_path.
