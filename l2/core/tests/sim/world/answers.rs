//! Who answers for what, and the digest of all that was done.
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;

use ringbolt_l2::announcer::{Link as Carrier, Output};

use super::{ETH, Life, Mutant, World};

impl World {
    pub(super) fn note_answering(&mut self, node: usize) {
        let up = self.nodes[node].carrier == Carrier::Up;
        let owned = self.nodes[node].announcer.owned(ETH);
        let mut answering: BTreeSet<IpAddr> = match (&self.nodes[node].life, up) {
            (Life::Running, true) => owned.into_iter().collect(),
            _ => BTreeSet::new(),
        };
        self.nodes[node].ever_owned.extend(&answering);
        if self.setup.mutant == Mutant::AnswersForEver {
            answering.extend(&self.nodes[node].ever_owned);
        }
        self.change_answering(node, answering);
    }

    pub(super) fn stop_answering(&mut self, node: usize) {
        self.change_answering(node, BTreeSet::new());
    }

    fn change_answering(&mut self, node: usize, answering: BTreeSet<IpAddr>) {
        let before = std::mem::replace(&mut self.nodes[node].answering, answering.clone());
        for address in before.symmetric_difference(&answering) {
            let count = self.answerers(*address).len();
            self.watch.note(*address, count, self.now);
        }
    }

    /// Nodes that answer for an address.
    pub(crate) fn answerers(&self, address: IpAddr) -> Vec<usize> {
        let nodes = self.nodes.iter().enumerate();
        nodes
            .filter(|(_, node)| node.answering.contains(&address))
            .map(|(index, _)| index)
            .collect()
    }

    pub(crate) fn violation(&mut self, what: String) {
        let at = self.now - self.start;
        self.violations.push(format!("{at:?}: {what}"));
    }

    pub(super) fn record(&mut self, node: usize, output: &Output) {
        let mut hasher = DefaultHasher::new();
        (self.trace, node, (self.now - self.start).as_nanos()).hash(&mut hasher);
        match output {
            Output::Send { frame, .. } => frame.hash(&mut hasher),
            Output::SendSealed { plaintext, .. } => plaintext.hash(&mut hasher),
            other => format!("{other:?}").hash(&mut hasher),
        }
        self.trace = hasher.finish();
    }
}
