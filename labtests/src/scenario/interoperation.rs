//! BGP with the daemons of others: a scenario for each daemon, in which every cell of its row is looked at.

use super::Scenario;
use crate::interop::{self, Kind};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "bird_interoperates_in_every_cell",
        run: |r| interop::run(Kind::Bird, r),
    },
    Scenario {
        name: "frr_interoperates_in_every_cell",
        run: |r| interop::run(Kind::Frr, r),
    },
    Scenario {
        name: "gobgp_interoperates_in_every_cell",
        run: |r| interop::run(Kind::GoBgp, r),
    },
    Scenario {
        name: "openbgpd_interoperates_in_every_cell",
        run: |r| interop::run(Kind::OpenBgpd, r),
    },
    Scenario {
        name: "exabgp_interoperates_in_every_cell",
        run: |r| interop::run(Kind::ExaBgp, r),
    },
];
