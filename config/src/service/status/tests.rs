//! Status: entries that are ours to compare, entries that are not, and who wrote them.

use serde_json::{Value, json};

use super::*;

#[test]
fn entries_are_told_apart_by_how_we_would_write_them() {
    let entries = read(json!([
        {"ip": "192.0.2.1", "ipMode": "VIP"},
        {"ip": "192.0.2.1"},
        {"ip": "192.0.2.1", "ipMode": "Proxy"},
        {"ip": "192.000.2.1", "ipMode": "VIP"},
        {"ip": "192.0.2.1", "ipMode": "VIP", "ports": [{"port": 1, "protocol": "TCP"}]},
        {"ip": "192.0.2.1", "ipMode": "VIP", "hostname": "a"},
        {"hostname": "lb.example"},
        {"ip": "nonsense"},
    ]));
    let written: Vec<_> = entries
        .iter()
        .map(|e| {
            matches!(
                e,
                Ingress::Address {
                    as_we_write: true,
                    ..
                }
            )
        })
        .collect();
    assert_eq!(
        written,
        [true, false, false, false, false, false, false, false]
    );
    assert_eq!(entries.iter().filter_map(Ingress::address).count(), 6);
    assert_eq!(
        entries[6],
        Ingress::Foreign {
            text: "lb.example".into()
        }
    );
    assert_eq!(
        entries[7],
        Ingress::Foreign {
            text: "nonsense".into()
        }
    );
}

#[test]
fn rule_3_another_field_manager_makes_a_status_foreign() {
    let of = |manager: &str, fields: Value| json!({"manager": manager, "fieldsV1": fields});
    let balancer = json!({"f:status": {"f:loadBalancer": {"f:ingress": {}}}});
    let spec = json!({"f:spec": {"f:type": {}}});
    let seen = |entries: Value| -> StatusWriter {
        let entries: Vec<ManagedFieldsEntry> = serde_json::from_value(entries).unwrap();
        writer(&entries)
    };
    assert_eq!(
        seen(json!([of("kubectl", spec.clone())])),
        StatusWriter::Nobody
    );
    assert_eq!(
        seen(json!([
            of("kubectl", spec),
            of(FIELD_MANAGER, balancer.clone())
        ])),
        StatusWriter::Ours
    );
    assert_eq!(
        seen(json!([
            of(FIELD_MANAGER, balancer.clone()),
            of("cloud", balancer)
        ])),
        StatusWriter::Foreign {
            manager: "cloud".into()
        }
    );
}

fn read(entries: Value) -> Vec<Ingress> {
    ingress(serde_json::from_value(json!({"ingress": entries})).unwrap())
}
