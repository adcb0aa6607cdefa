//! Cases of fault.
