//! What is told although nobody has to wait for it: wishes of a Service that nothing follows, and
//! objects whose configuration is refused. Each is told when it is new, once for each term.

use std::collections::BTreeSet;

use ringbolt_cluster::{Event, EventType};
use ringbolt_config::resolve::Effect;
use ringbolt_config::service::Remark;
use ringbolt_config::{ObjectRef, ServiceView};

use super::{Engine, Output};

impl Engine {
    /// Tells of wishes in vain that were not there when the Service was last looked at.
    pub(super) fn remark(&mut self, view: &ServiceView) {
        let remarks = view.remarks();
        let Some(case) = self.cases.get_mut(&view.key) else {
            return;
        };
        if case.remarks == remarks {
            return;
        }
        let fresh: Vec<&Remark> = remarks
            .iter()
            .filter(|remark| !case.remarks.contains(remark))
            .collect();
        let reasons: BTreeSet<&'static str> = fresh.iter().map(|remark| remark.reason).collect();
        for reason in reasons {
            let told = fresh.iter().filter(|remark| remark.reason == reason);
            let told = told.map(|remark| format!("{}: {}", remark.field, remark.message));
            let event = Event {
                regarding: (&view.key).into(),
                event_type: EventType::Warning,
                reason,
                note: told.collect::<Vec<_>>().join("; "),
            };
            self.outputs.push_back(Output::Event(event));
        }
        case.remarks = remarks;
    }

    /// Tells which of these objects are refused for another reason than before, or not any more.
    pub(super) fn tell_refused(&mut self, objects: &BTreeSet<ObjectRef>) {
        for object in objects {
            let refused = |p: &&ringbolt_config::Problem| {
                p.object == *object && p.reason.effect() == Effect::Refused
            };
            let Some(problem) = self.index.problems.iter().find(refused) else {
                if self.refused.remove(object).is_some() && self.statuses.knows(object) {
                    self.outputs.push_back(Output::InForce(object.clone()));
                }
                continue;
            };
            let reason = problem.reason.reason();
            if self.refused.insert(object.clone(), reason) != Some(reason) {
                self.outputs.push_back(Output::Refused {
                    object: object.clone(),
                    reason,
                    message: format!("{}: {}", problem.field, problem.reason),
                });
            }
        }
    }
}
