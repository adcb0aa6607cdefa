//! The speaker's own metrics. Labels come from closed sets and from configuration, never from strangers.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use ringbolt_bgp::session::State;

use crate::status::{Phase, Picture, reactions};

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerLabels {
    peer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerFamilyLabels {
    peer: String,
    family: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PeerDirectionLabels {
    peer: String,
    direction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InterfaceLabels {
    interface: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CounterLabels {
    interface: String,
    counter: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReactionLabels {
    peer: String,
    reaction: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;
type Number = Gauge<i64, AtomicI64>;
type Count = Counter<u64, AtomicU64>;

/// All metrics of the speaker; what the Router and the announcer count is shown as it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metrics {
    ready: Number,
    services: Number,
    routes: Number,
    problems: Number,
    session_up: Family<PeerLabels, Number>,
    session_flaps: Family<PeerLabels, Count>,
    prefixes_out: Family<PeerFamilyLabels, Number>,
    prefixes_in: Family<PeerFamilyLabels, Number>,
    messages: Family<PeerDirectionLabels, Count>,
    reactions: Family<ReactionLabels, Count>,
    oldest_unsent: Family<PeerLabels, Seconds>,
    send_stalled: Family<PeerLabels, Seconds>,
    l2_owned: Family<InterfaceLabels, Number>,
    l2_members: Family<InterfaceLabels, Number>,
    l2_counters: Family<CounterLabels, Count>,
}

impl Metrics {
    /// Registers everything once.
    pub(crate) fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let mut add = |name: &str, text: &str, metric: &Number| {
            registry.register(format!("ringbolt_{name}"), text, metric.clone());
        };
        add(
            "speaker_ready",
            "Whether everything was read and is announced",
            &metrics.ready,
        );
        add(
            "speaker_services",
            "Services that are ours",
            &metrics.services,
        );
        add(
            "speaker_problems",
            "Objects and documents that cannot be used",
            &metrics.problems,
        );
        add(
            "bgp_routes_originated",
            "Prefixes wanted by somebody",
            &metrics.routes,
        );
        registry.register(
            "ringbolt_bgp_session_up",
            "Whether the session is Established",
            metrics.session_up.clone(),
        );
        registry.register(
            "ringbolt_bgp_session_flaps",
            "How often the session was lost since the peer was configured",
            metrics.session_flaps.clone(),
        );
        registry.register(
            "ringbolt_bgp_prefixes_announced",
            "Prefixes the peer has been told",
            metrics.prefixes_out.clone(),
        );
        registry.register(
            "ringbolt_bgp_prefixes_received",
            "Prefixes the peer has told us",
            metrics.prefixes_in.clone(),
        );
        registry.register(
            "ringbolt_bgp_messages",
            "Messages since the peer was configured",
            metrics.messages.clone(),
        );
        registry.register(
            "ringbolt_bgp_reactions",
            "What faults of the peer's messages led to since it was configured (RFC 7606)",
            metrics.reactions.clone(),
        );
        registry.register(
            "ringbolt_bgp_oldest_unsent_seconds",
            "For how long something has waited to be told to the peer, 0 if nothing does",
            metrics.oldest_unsent.clone(),
        );
        registry.register(
            "ringbolt_bgp_send_stalled_seconds",
            "For how long the kernel has taken no byte for the peer although there are some",
            metrics.send_stalled.clone(),
        );
        registry.register(
            "ringbolt_l2_addresses_owned",
            "Addresses answered for on the interface",
            metrics.l2_owned.clone(),
        );
        registry.register(
            "ringbolt_l2_members",
            "Other speakers heard on the interface",
            metrics.l2_members.clone(),
        );
        registry.register(
            "ringbolt_l2_events",
            "What happened on the interface since it is known",
            metrics.l2_counters.clone(),
        );
        metrics
    }

    /// Shows how things stand. Peers and interfaces that are gone are not shown.
    pub(crate) fn update(&self, picture: &Picture<'_>) {
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.ready
            .set(i64::from(*picture.phase == Phase::Announcing));
        self.services
            .set(number(picture.planner.index().services().count()));
        self.routes.set(number(picture.planner.routes().len()));
        self.problems.set(number(
            picture.planner.problems().len() + picture.source.len(),
        ));
        self.update_sessions(picture);
        self.update_segments(picture);
    }

    fn update_sessions(&self, picture: &Picture<'_>) {
        self.session_up.clear();
        self.session_flaps.clear();
        self.prefixes_out.clear();
        self.prefixes_in.clear();
        self.messages.clear();
        self.reactions.clear();
        self.oldest_unsent.clear();
        self.send_stalled.clear();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let Some(router) = picture.router else {
            return;
        };
        for (id, peer) in &router.peers {
            let labels = PeerLabels {
                peer: id.to_string(),
            };
            let up = i64::from(peer.state == State::Established);
            self.session_up.get_or_create(&labels).set(up);
            show(&self.session_flaps.get_or_create(&labels), peer.flaps);
            for (gauge, age) in [
                (&self.oldest_unsent, peer.oldest_unsent),
                (&self.send_stalled, peer.send_stalled),
            ] {
                let age = picture.age(router, age).unwrap_or_default();
                gauge.get_or_create(&labels).set(age.as_secs_f64());
            }
            for (family, out, received) in [
                ("ipv4", peer.prefixes_out.ipv4, peer.prefixes_in.ipv4),
                ("ipv6", peer.prefixes_out.ipv6, peer.prefixes_in.ipv6),
            ] {
                let labels = PeerFamilyLabels {
                    peer: id.to_string(),
                    family,
                };
                self.prefixes_out.get_or_create(&labels).set(number(out));
                self.prefixes_in
                    .get_or_create(&labels)
                    .set(number(received));
            }
            for (direction, count) in [
                ("in", peer.counters.messages_in),
                ("out", peer.counters.messages_out),
            ] {
                let labels = PeerDirectionLabels {
                    peer: id.to_string(),
                    direction,
                };
                show(&self.messages.get_or_create(&labels), count);
            }
            for (reaction, count) in reactions(&peer.counters) {
                let labels = ReactionLabels {
                    peer: id.to_string(),
                    reaction,
                };
                show(&self.reactions.get_or_create(&labels), count);
            }
        }
    }

    fn update_segments(&self, picture: &Picture<'_>) {
        self.l2_owned.clear();
        self.l2_members.clear();
        self.l2_counters.clear();
        let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let interfaces = picture
            .layer2
            .into_iter()
            .flat_map(|stats| stats.announcer.interfaces.values());
        for found in interfaces {
            let labels = InterfaceLabels {
                interface: found.name.to_string(),
            };
            self.l2_owned.get_or_create(&labels).set(number(found.held));
            self.l2_members
                .get_or_create(&labels)
                .set(number(found.members.len()));
            for (counter, value) in found.counters.named() {
                let labels = CounterLabels {
                    interface: found.name.to_string(),
                    counter,
                };
                show(&self.l2_counters.get_or_create(&labels), value);
            }
        }
    }
}

/// A total that the Router or the announcer counts.
fn show(counter: &Count, count: u64) {
    counter.inner().store(count, Ordering::Relaxed);
}

#[cfg(test)]
mod tests;
