//! Faults that the simulator can build into a Router, to prove that it would notice them.
//!
//! A test that never fails proves nothing. Each variant breaks one rule the simulator checks. A
//! Router carries none unless `Router::sabotaged` made it, and without debug assertions (release
//! builds) the question is answered with a constant no: the branches do not exist there.

/// One rule to break.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// A new session starts reading the log where it ends.
    KeepCursorOnReconnect,
    /// ROUTE-REFRESH is answered with the brackets alone.
    KeepCursorOnRefresh,
    /// A change of what a peer may be told reaches only routes that change afterwards.
    KeepCursorOnParting,
    /// End-of-RIB does not wait for the routes.
    EndOfRibTooEarly,
    /// End-of-RIB comes each time a peer is up to date.
    EndOfRibTwice,
    /// Withdrawals go to those who were never told, and only to them.
    InvertSentBits,
    /// What waits for company in a message is forgotten.
    ForgetKept,
    /// A withdrawn prefix is forgotten although somebody must hear of it.
    ForgetWithdrawn,
    /// Routes that changed inside the batching window are not sent after it.
    ForgetBatch,
    /// A view is called whole while some of it waits in a batch.
    EndInsideBatch,
    /// The keepalive timer is not armed again.
    ForgetKeepalive,
    /// A NOTIFICATION is followed by a KEEPALIVE.
    SpeakAfterNotification,
    /// A path that leads back to us leaves the earlier one where it is.
    KeepPathBesideLoop,
    /// Half a message is taken for a sign of life.
    RearmHoldByPart,
}

/// The fault of one Router, if it has one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Saboteur(Option<Sabotage>);

impl Saboteur {
    pub(crate) const fn new(sabotage: Sabotage) -> Self {
        Self(Some(sabotage))
    }

    /// Whether this rule is to be broken here.
    pub(crate) fn breaks(self, rule: Sabotage) -> bool {
        cfg!(debug_assertions) && self.0 == Some(rule)
    }
}
