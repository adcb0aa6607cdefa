//! What a controller does with Services of a real API server, one scenario a rule. The numbers are those of
//! docs/reference/semantics.md.

mod faults;
mod last_view;
mod lifecycle;
mod outages;
mod selection;
mod stage;
mod status;
mod terms;

use super::KubeScenario;

pub(super) use faults::FAULTS;
pub(super) use last_view::LAST_VIEW;
pub(super) use outages::OUTAGES;
pub(super) use terms::TERMS;

macro_rules! scenarios {
    ($($module:ident :: $name:ident),* $(,)?) => {
        &[$(KubeScenario { name: concat!("kubernetes: ", stringify!($name)), run: $module::$name }),*]
    };
}
use scenarios;

pub(super) const SCENARIOS: &[KubeScenario] = scenarios![
    status::rule_48_events_are_those_of_the_changes,
    selection::rule_01_a_foreign_class_is_never_touched,
    selection::rule_01_without_a_class_only_the_default_provider_serves,
    selection::rule_02_a_class_that_changes_is_a_release_and_a_new_request,
    selection::rule_03_a_status_of_somebody_else_is_left_alone,
    selection::rule_04_a_contested_status_is_not_fought_for,
    selection::rule_05_another_provider_is_noticed_and_keeps_its_service,
    selection::a19_a_service_status_lifecycle_under_a_foreign_class,
    lifecycle::rule_10_an_address_survives_every_edit,
    status::rule_12_addresses_are_written_in_canonical_form,
    status::rule_13_ingress_is_an_ip_with_mode_vip,
    status::rule_14_ports_are_absent_for_mixed_protocols,
    lifecycle::rule_15_a_type_change_releases_what_the_server_has_wiped,
    lifecycle::rule_23_the_finalizer_comes_with_the_address,
    lifecycle::rule_24_deletion_withdraws_before_release,
    lifecycle::rule_25_every_other_type_releases,
    lifecycle::rule_26_the_same_name_again_is_another_service,
    selection::rule_27_a_headless_service_is_refused_by_the_server,
    status::rule_33_nothing_is_written_where_nothing_differs,
    status::rule_47_services_in_a_row_get_different_addresses,
    status::rule_49_conditions_are_our_own_and_leave_others_alone,
    lifecycle::a8_the_finalizer_follows_the_type,
    lifecycle::a9_node_ports_are_neither_needed_nor_noticed,
];
