//! Time on a segment: what falls due, and when the next thing does.
use std::time::{Duration, Instant};

use super::answer::LOOP_OVER;
use super::policy::Policy;
use super::segment::{Effects, Phase, Segment};
use crate::announcer::{Condition, Wake, YieldCause};

/// Time between two looks for addresses that should return to us.
const FAILBACK_PERIOD: Duration = Duration::from_secs(1);
/// Between saying that we take part and taking something.
const ARRIVAL: Duration = Duration::from_millis(150);

impl Segment {
    /// Does everything that is due at `now` and follows from what was taken in. Doing it twice changes nothing.
    pub(super) fn advance(&mut self, policy: &Policy, now: Instant, fx: &mut Effects) {
        if self.is_up() {
            self.expire_members(now, fx);
            self.finish_listening(now);
            self.ask_members(now);
            self.forget_key_unknown(now, fx);
            self.count_names(now, fx);
            self.listen(policy, now, fx);
        }
        if self.flap_ends().is_some_and(|ends| ends <= now) {
            self.clear(YieldCause::InterfaceDown, fx);
        }
        self.take_due_plans(now);
        self.settle(policy, now, fx);
        if self.failback_wanted && self.failback_at.is_none() {
            self.failback_at = Some(now + FAILBACK_PERIOD);
        }
        if self.failback_at.is_some_and(|at| at <= now) {
            self.failback_at = Some(now + FAILBACK_PERIOD);
            self.fail_back(policy, now, fx);
        }
        self.count_peers(policy, fx);
        if self.loop_ends().is_some_and(|ends| ends <= now) {
            self.set_condition(Condition::FramesLooped, false.into(), fx);
        }
        self.speak(policy, now, fx);
        self.announce(now, fx);
    }

    /// A silent member is a verdict like any other, found here.
    fn expire_members(&mut self, now: Instant, fx: &mut Effects) {
        while let Some((node, cause)) = self.members.next_expired(now) {
            self.lose_member(&node, cause, fx);
        }
    }

    fn finish_listening(&mut self, now: Instant) {
        if self.listening_ends().is_none_or(|ends| ends > now) {
            return;
        }
        if matches!(self.phase, Phase::Listening { .. }) && !self.members.is_empty() {
            self.phase = Phase::Arriving {
                until: now + ARRIVAL,
            };
            self.outbox.hello_by(now);
            return;
        }
        if self.members.is_empty() {
            self.outbox.hello_by(now);
        }
        self.phase = Phase::Active { since: now };
        self.touch_all();
    }

    fn take_due_plans(&mut self, now: Instant) {
        while let Some((due, address)) = self
            .plan_timers
            .first()
            .copied()
            .filter(|(due, _)| *due <= now)
        {
            self.plan_timers.remove(&(due, address));
            self.dirty.insert(address);
        }
    }

    fn loop_ends(&self) -> Option<Instant> {
        let looped = self.conditions.contains(&Condition::FramesLooped);
        self.loop_window
            .0
            .filter(|_| looped)
            .map(|since| since + LOOP_OVER)
    }

    /// When [`Segment::advance`] has something to do, and why.
    pub(super) fn next_deadline(&self, policy: &Policy, now: Instant) -> Option<(Instant, Wake)> {
        let settle = (!self.dirty.is_empty()).then_some(now);
        let plans = self.plan_timers.first().map(|(due, _)| *due);
        let always = [
            (settle, Wake::Claim),
            (plans, Wake::Claim),
            (self.loop_ends(), Wake::Liveness),
            (self.flap_ends(), Wake::Liveness),
        ];
        let up = [
            (self.speak_deadline(now), Wake::Hello),
            (self.members.next_deadline(), Wake::Liveness),
            (self.listening_ends(), Wake::Liveness),
            (self.listen_deadline(policy, now), Wake::Liveness),
            (self.key_unknown_until, Wake::Liveness),
            (self.namesake_ends(), Wake::Liveness),
            (self.ask_deadline(), Wake::Claim),
            (self.announce_deadline(now), Wake::Announce),
            (self.failback_at, Wake::Failback),
        ];
        let up = up.into_iter().filter(|_| self.is_up());
        always
            .into_iter()
            .chain(up)
            .filter_map(|(at, wake)| Some((at?, wake)))
            .min()
    }
}
