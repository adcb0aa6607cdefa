//! Cases of notification.
