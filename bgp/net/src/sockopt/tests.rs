//! Cases of sockopt.
