//! Cases of ..
