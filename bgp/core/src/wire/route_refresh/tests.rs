//! Cases of route_refresh.
