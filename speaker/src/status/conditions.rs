//! What is well and what is not, as conditions with reasons from a closed set.

use jiff::Timestamp;
use ringbolt_cluster::PresenceState;
use ringbolt_config::api::condition::{Condition, ConditionStatus, set_condition};
use ringbolt_config::names::Kind;
use ringbolt_config::resolve::Effect;

use super::{Phase, Picture};

/// Types of a Speaker's conditions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// It has read everything and announces.
    Ready,
    /// Everything in the source can be used.
    SourceUsable,
    /// Every object of the configuration is in force as it stands.
    ConfigurationInForce,
    /// Advertisements of one prefix agree on its attributes.
    AttributesAgree,
    /// This node has a Node object.
    NodeKnown,
    /// No other speaker runs under this node's name.
    NameUnique,
    /// This node attracts Service traffic.
    Serving,
    /// The BGP port is open where it should be.
    BgpListening,
    /// Keys for layer 2 are there.
    KeysPresent,
    /// Packet sockets are open, and the segments are as they should be.
    SegmentsHealthy,
}

impl Subject {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::SourceUsable => "SourceUsable",
            Self::ConfigurationInForce => "ConfigurationInForce",
            Self::AttributesAgree => "AttributesAgree",
            Self::NodeKnown => "NodeKnown",
            Self::NameUnique => "NameUnique",
            Self::Serving => "Serving",
            Self::BgpListening => "BGPListening",
            Self::KeysPresent => "KeysPresent",
            Self::SegmentsHealthy => "SegmentsHealthy",
        }
    }
}

/// A finding about one subject.
struct Finding {
    subject: Subject,
    status: ConditionStatus,
    reason: &'static str,
    message: String,
}

impl Finding {
    fn good(subject: Subject, reason: &'static str) -> Self {
        Self {
            subject,
            status: ConditionStatus::True,
            reason,
            message: String::new(),
        }
    }

    fn bad(subject: Subject, reason: &'static str, message: String) -> Self {
        Self {
            subject,
            status: ConditionStatus::False,
            reason,
            message,
        }
    }
}

/// Brings conditions up to date; a transition time moves only when its status does.
pub(crate) fn update(conditions: &mut Vec<Condition>, picture: &Picture<'_>, now: Timestamp) {
    for Finding {
        subject,
        status,
        reason,
        message,
    } in findings(picture)
    {
        set_condition(
            conditions,
            subject.as_str(),
            status,
            reason,
            &message,
            None,
            now,
        );
    }
}

fn findings(picture: &Picture<'_>) -> Vec<Finding> {
    if matches!(picture.phase, Phase::Reading(_)) {
        // What is missing may be what was not read yet.
        return vec![ready(picture), source(picture)];
    }
    vec![
        ready(picture),
        source(picture),
        configuration(picture),
        attributes(picture),
        node(picture),
        name(picture),
        serving(picture),
        listening(picture),
        keys(picture),
        segments(picture),
    ]
}

fn ready(picture: &Picture<'_>) -> Finding {
    match picture.phase {
        Phase::Announcing => Finding::good(Subject::Ready, "Announcing"),
        Phase::Leaving => Finding::bad(
            Subject::Ready,
            "Leaving",
            "the speaker is told to end".to_owned(),
        ),
        Phase::Reading(kinds) => Finding::bad(Subject::Ready, "Reading", unread(kinds)),
        Phase::Restored(kinds) => Finding::bad(Subject::Ready, "Restored", unread(kinds)),
    }
}

fn unread(kinds: &[Kind]) -> String {
    let kinds: Vec<_> = kinds.iter().map(ToString::to_string).collect();
    format!("not yet read: {}", kinds.join(", "))
}

fn source(picture: &Picture<'_>) -> Finding {
    match picture.source {
        [] => Finding::good(Subject::SourceUsable, "Usable"),
        [first, others @ ..] => Finding::bad(
            Subject::SourceUsable,
            first.reason(),
            and_more(first, others.len()),
        ),
    }
}

fn configuration(picture: &Picture<'_>) -> Finding {
    let problems = picture.planner.problems();
    let refused = || {
        problems
            .iter()
            .filter(|found| found.reason.effect() == Effect::Refused)
    };
    if let Some(first) = refused().next() {
        let message = and_more(first, refused().count() - 1);
        return Finding::bad(
            Subject::ConfigurationInForce,
            first.reason.reason(),
            message,
        );
    }
    match picture.planner.peer_problems() {
        [] => Finding::good(Subject::ConfigurationInForce, "InForce"),
        [(peer, problem), ..] => {
            let message = format!("BGPPeer {peer}: {problem}");
            Finding::bad(Subject::ConfigurationInForce, "PeerNotUsable", message)
        }
    }
}

fn attributes(picture: &Picture<'_>) -> Finding {
    let found = picture.planner.routes().disagreements();
    match found.iter().next() {
        None => Finding::good(Subject::AttributesAgree, "Agree"),
        Some((prefix, disagreement)) => {
            let names: Vec<_> = disagreement
                .advertisements
                .iter()
                .map(|name| name.as_str())
                .collect();
            let fields: Vec<_> = disagreement
                .fields
                .iter()
                .map(ToString::to_string)
                .collect();
            let first = format!(
                "{prefix}: {} differ in {}; the first is obeyed",
                names.join(" and "),
                fields.join(", ")
            );
            let message = and_more(&first, found.len() - 1);
            Finding::bad(Subject::AttributesAgree, "AdvertisementsDisagree", message)
        }
    }
}

fn node(picture: &Picture<'_>) -> Finding {
    let index = picture.planner.index();
    let Some(node) = index.node() else {
        let message = format!(
            "there is no Node {}: nothing that needs its labels, addresses or pod networks is announced",
            index.node_name()
        );
        return Finding::bad(Subject::NodeKnown, "NodeUnknown", message);
    };
    if index.has_left() {
        let message = format!("the Node {} is deleted: this node has left", node.name);
        return Finding::bad(Subject::NodeKnown, "NodeDeleted", message);
    }
    match node.problems.first() {
        None => Finding::good(Subject::NodeKnown, "Known"),
        Some(problem) => Finding::bad(Subject::NodeKnown, problem.reason(), problem.to_string()),
    }
}

fn serving(picture: &Picture<'_>) -> Finding {
    match picture.planner.local().node_withheld() {
        None => Finding::good(Subject::Serving, "Serving"),
        Some(withheld) => Finding::bad(Subject::Serving, withheld.reason(), withheld.to_string()),
    }
}

fn name(picture: &Picture<'_>) -> Finding {
    match picture.presence {
        PresenceState::Pending | PresenceState::Announced => {
            Finding::good(Subject::NameUnique, "Unique")
        }
        PresenceState::Duplicate => {
            let node = picture.planner.index().node_name();
            let message = format!("another speaker runs with --node-name {node}");
            Finding::bad(Subject::NameUnique, "DuplicateNodeName", message)
        }
    }
}

fn listening(picture: &Picture<'_>) -> Finding {
    match &picture.listener {
        None => Finding::good(Subject::BgpListening, "AsConfigured"),
        Some((reason, why)) => Finding::bad(Subject::BgpListening, reason, why.clone()),
    }
}

fn keys(picture: &Picture<'_>) -> Finding {
    let missing = picture.layer2.is_some_and(|stats| {
        stats.announcer.withheld == Some(ringbolt_l2::announcer::Withheld::NoKey)
    });
    match picture.keys {
        Some(problem) => Finding::bad(Subject::KeysPresent, problem.reason(), problem.to_string()),
        None if missing => {
            let message = "no speaker key: layer 2 is withheld, BGP is not".to_owned();
            Finding::bad(Subject::KeysPresent, "NoKey", message)
        }
        None => Finding::good(Subject::KeysPresent, "Present"),
    }
}

fn segments(picture: &Picture<'_>) -> Finding {
    let Some(stats) = picture.layer2 else {
        let message = "the node's name is longer than layer 2 frames carry".to_owned();
        return Finding::bad(Subject::SegmentsHealthy, "NameTooLong", message);
    };
    if let Some((index, error)) = stats.failures.iter().next() {
        let name = stats.interfaces.iter().find(|found| found.index == *index);
        let name = name.map_or_else(|| index.to_string(), |found| found.name.to_string());
        let message = and_more(&format!("{name}: {error}"), stats.failures.len() - 1);
        return Finding::bad(Subject::SegmentsHealthy, error.reason(), message);
    }
    let mut troubled = stats.announcer.interfaces.values().flat_map(|interface| {
        interface
            .conditions
            .iter()
            .map(|condition| (&interface.name, condition))
    });
    match troubled.next() {
        None => Finding::good(Subject::SegmentsHealthy, "Healthy"),
        Some((name, condition)) => {
            let first = format!("{name}: {}", condition.reason());
            let message = and_more(&first, troubled.count());
            Finding::bad(Subject::SegmentsHealthy, condition.reason(), message)
        }
    }
}

fn and_more(first: &dyn std::fmt::Display, others: usize) -> String {
    match others {
        0 => first.to_string(),
        others => format!("{first} (and {others} more)"),
    }
}
