//! Fills what a peer leaves open from its template.
//!
//! Fields that only make sense together are taken together: a peer that names its address does not
//! inherit an interface, nor one of two contradicting ways to say the families.

use super::super::faults::Faults;
use super::super::problem::Reason;
use super::template_ref;
use crate::api::PeerFields;
use crate::names::Kind;
use crate::snapshot::Snapshot;

/// The peer's fields with those of its template beneath; nothing if the template is of no use.
pub(super) fn merge(
    own: &PeerFields,
    template: &str,
    snapshot: &Snapshot,
    faults: &mut Faults,
) -> Option<PeerFields> {
    let Some(object) = snapshot.templates.get(template) else {
        let kind = Kind::BGPPeerTemplate;
        faults.add(
            "spec.templateRef",
            Reason::Unknown {
                kind,
                name: template.into(),
            },
        );
        return None;
    };
    let mut of_template = Faults::of_spec(Kind::BGPPeerTemplate, template, &object.spec);
    super::check(&object.spec.fields, &mut of_template);
    if of_template.refused() {
        faults.add(
            "spec.templateRef",
            Reason::Depends {
                object: template_ref(template),
            },
        );
        return None;
    }
    Some(beneath(own.clone(), object.spec.fields.clone()))
}

macro_rules! fill {
    ($own:ident, $base:ident: $($field:ident),* $(,)?) => {
        $( if $own.$field.is_none() { $own.$field = $base.$field; } )*
    };
}

macro_rules! fill_together {
    ($own:ident, $base:ident: $($field:ident),* $(,)?) => {
        if true $( && $own.$field.is_none() )* {
            $( $own.$field = $base.$field; )*
        }
    };
}

fn beneath(mut own: PeerFields, base: PeerFields) -> PeerFields {
    fill_together!(own, base:
        peer_address, interface, peer_prefix, peer_node_selector, peer_gateway);
    fill_together!(own, base: peer_asn, dynamic_asn);
    fill_together!(own, base: password, password_secret);
    fill_together!(own, base: families, disable_mp, dual_stack_address_family);
    fill_together!(own, base: ebgp_multi_hop, ttl_security_hops);
    fill_together!(own, base: hold_time, keepalive_time);
    fill_together!(own, base: enable_graceful_restart, graceful_restart);
    fill!(own, base:
        my_asn, peer_port, source_address, router_id, connect_time, bfd_profile, local_asn,
        passive, node_selectors, vrf, max_prefixes, max_prefixes_out, allow_as_in, replace_as,
        remove_private_as, route_reflector_client, cluster_id, add_paths, role, drain,
        strict_bfd);
    own
}
