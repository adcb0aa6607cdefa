//! Cases of nlri.
