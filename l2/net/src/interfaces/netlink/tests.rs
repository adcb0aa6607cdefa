//! Notifications as the kernel would send them, without a kernel.

use super::*;

fn link(index: u32, event: Option<LinkEvent>) -> NetlinkPayload<RouteNetlinkMessage> {
    let mut message = LinkMessage::default();
    message.header.index = index;
    message.attributes.extend(event.map(LinkAttribute::Event));
    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(message))
}

#[tokio::test]
async fn a_burst_of_notifications_is_one_change_that_keeps_every_request_to_announce() {
    let burst = (1..=1_000).map(|index| match index {
        7 => link(index, Some(LinkEvent::NotifyPeers)),
        900 => link(index, Some(LinkEvent::BondingFailover)),
        _ => link(index, None),
    });
    let mut messages: Messages = Box::pin(futures_util::stream::iter(burst));
    let asking = next_batch(&mut messages).await;
    assert_eq!(asking, Some([IfIndex(7), IfIndex(900)].into()));
    assert_eq!(
        next_batch(&mut messages).await,
        None,
        "the stream has ended"
    );
}
