//! The table of steps.

use anyhow::Result;

use super::{announced, change, cluster, segment};
use crate::story::Story;

/// One step of the story.
pub(crate) struct Step {
    pub(crate) title: &'static str,
    /// What a replaced step is called in the last line.
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Story) -> Result<Verdict>,
}

/// What a step has shown.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// What it says, seen from the other side.
    Verified(Vec<String>),
    /// The router cannot forward, so less than that.
    Replaced {
        by: &'static str,
        evidence: Vec<String>,
    },
}

impl Verdict {
    pub(crate) fn evidence(&self) -> &[String] {
        match self {
            Self::Verified(evidence) | Self::Replaced { evidence, .. } => evidence,
        }
    }
}

/// The steps of a story, in their order.
pub(crate) fn steps_of(story: &Story) -> Vec<&'static Step> {
    let place = story.rack.place.kubernetes();
    let (broken, more) = match place {
        None => (&BROKEN_MANIFEST, &[][..]),
        Some(_) => (&BROKEN_OBJECT, CLUSTER),
    };
    let steps = STEPS.iter().chain([broken, &RESTART]).chain(more);
    steps.collect()
}

const STEPS: &[Step] = &[
    Step {
        title: "the router has a session with every node, Established",
        name: "sessions",
        run: announced::sessions,
    },
    Step {
        title: "a Service holds an IPv4 and an IPv6 address",
        name: "addresses",
        run: announced::addresses,
    },
    Step {
        title: "the router has the IPv4 address, with one next hop per node",
        name: "IPv4 route",
        run: announced::route_v4,
    },
    Step {
        title: "the router has the IPv6 address, with one next hop per node",
        name: "IPv6 route",
        run: announced::route_v6,
    },
    Step {
        title: "a client reaches it by TCP and UDP in both families, answered from several nodes",
        name: "reached through the router",
        run: announced::reached,
    },
    Step {
        title: "a Local Service is announced by its endpoint's node alone, and its pod sees the client",
        name: "Local Service",
        run: announced::local_service,
    },
    Step {
        title: "the pod networks of all nodes, both families, are in the router's table",
        name: "pod networks",
        run: announced::pod_networks,
    },
    Step {
        title: "a pod reaches a pod of another node through the router, without NAT",
        name: "pod to pod",
        run: announced::pod_to_pod,
    },
    Step {
        title: "a layer-2 Service answers ARP from exactly one node, and is reached",
        name: "ARP",
        run: segment::answers_arp,
    },
    Step {
        title: "it answers NDP from exactly one node, and is reached",
        name: "NDP",
        run: segment::answers_ndp,
    },
    Step {
        title: "that node dies (kill -9, cables pulled): another answers within 8 s",
        name: "node death",
        run: segment::node_death,
    },
    Step {
        title: "its owner's speaker ends (SIGTERM) under 500 datagrams/s per family: every one is answered",
        name: "hand-over",
        run: segment::hand_over,
    },
    Step {
        title: "an endpoint moves to another node, and the announcement follows",
        name: "endpoint moves",
        run: change::endpoint_moves,
    },
    Step {
        title: "a deleted Service is off the network before its address is free, then the address is used again",
        name: "address used again",
        run: change::address_used_again,
    },
];

const BROKEN_MANIFEST: Step = Step {
    title: "a broken manifest is named with file, line and field, and nothing else changes",
    name: "broken manifest",
    run: change::broken_manifest,
};

const BROKEN_OBJECT: Step = Step {
    title: "a broken object is refused by the API server or named in its status, and nothing else changes",
    name: "broken object",
    run: cluster::broken_object,
};

const RESTART: Step = Step {
    title: "controller and speakers are restarted: no address moves",
    name: "restart",
    run: change::restart,
};

/// What only a cluster has.
const CLUSTER: &[Step] = &[
    Step {
        title: "the controller that leads is killed (kill -9): the other one serves the next Service",
        name: "leader killed",
        run: cluster::leader_killed,
    },
    Step {
        title: "the API server is stopped: announcements, sessions and failover go on; it returns: nothing moves",
        name: "API server stopped",
        run: cluster::server_stopped,
    },
    Step {
        title: "`kubectl get ringbolt` and `kubectl describe` tell what is going on",
        name: "kubectl",
        run: cluster::told,
    },
];

/// Verified, where the router forwards; else replaced by what could be seen.
pub(crate) fn verdict(story: &Story, by: &'static str, evidence: Vec<String>) -> Verdict {
    if story.forwards() {
        Verdict::Verified(evidence)
    } else {
        Verdict::Replaced { by, evidence }
    }
}
