//! Cases of connector.
