//! One value for each address family, addressed by family instead of by field.

use crate::types::Family;

/// One value for each family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerFamily<T> {
    /// For [`Family::Ipv4Unicast`].
    pub ipv4: T,
    /// For [`Family::Ipv6Unicast`].
    pub ipv6: T,
}

impl<T> PerFamily<T> {
    /// A value made for each family.
    pub fn from_fn(mut make: impl FnMut(Family) -> T) -> Self {
        Self {
            ipv4: make(Family::Ipv4Unicast),
            ipv6: make(Family::Ipv6Unicast),
        }
    }

    /// The value of one family.
    pub const fn get(&self, family: Family) -> &T {
        match family {
            Family::Ipv4Unicast => &self.ipv4,
            Family::Ipv6Unicast => &self.ipv6,
        }
    }

    /// The value of one family, to change it.
    pub const fn get_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4Unicast => &mut self.ipv4,
            Family::Ipv6Unicast => &mut self.ipv6,
        }
    }
}
