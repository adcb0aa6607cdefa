//! What birdc prints, read.

use super::{read_routes, sessions};
use crate::router::Routes;

const ROUTES: &str = "BIRD 2.0.12 ready.
Table master4:
192.0.2.1/32         unicast [n0 06:10:00.123] * (100) [AS64512i]
\tvia 10.7.0.11 on rack0
                     unicast [n1 06:10:00.223] (100) [AS64512i]
\tvia 10.7.0.12 on rack0
10.7.0.0/24          unicast [direct1 06:09:59.000] * (240)
\tdev rack0
10.9.0.0/16          unicast [static1 06:09:59.000] * (200)
\tvia 10.7.0.99 on rack0
192.0.2.9/32         unicast [n2 06:10:00.123] * (100) [i]
\tvia 10.7.0.13 on rack0
";

#[test]
fn every_path_of_a_prefix_is_a_next_hop_and_only_what_bgp_brought_counts() {
    let mut routes = Routes::new();
    read_routes(ROUTES, &mut routes);
    let text: Vec<String> = routes
        .iter()
        .map(|(prefix, hops)| format!("{prefix} {}", crate::router::listed(hops)))
        .collect();
    assert_eq!(
        text,
        ["192.0.2.1/32 10.7.0.11 10.7.0.12", "192.0.2.9/32 10.7.0.13"]
    );
}

#[test]
fn a_session_is_known_by_its_neighbour() {
    let text = "n0         BGP        ---        up     06:10:00.1    Established\n  \
                BGP state:          Established\n    Neighbor address: 10.7.0.11\n\
                n1  BGP\n  BGP state:          Active\n    Neighbor address: 10.7.0.12\n";
    let states: Vec<String> = sessions(text)
        .iter()
        .map(|(address, state)| format!("{address} {state}"))
        .collect();
    assert_eq!(states, ["10.7.0.11 Established", "10.7.0.12 Active"]);
}
