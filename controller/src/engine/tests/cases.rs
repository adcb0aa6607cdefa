//! The case table of docs/reference/semantics.md, with our differences: what users of MetalLB
//! know, row by row.

mod changes;
mod pools;
mod requests;
mod sharing;

use super::*;

/// What happens to the world.
enum Step {
    Pool(&'static str, Value),
    NoPool(&'static str),
    Namespace(&'static str, Value),
    Service(&'static str, Value),
    ServiceIn(&'static str, &'static str, Value),
    Edit(&'static str, Value),
    Delete(&'static str),
    Restart,
}

/// What a Service of namespace `default` then has.
enum Has {
    Addresses(&'static [&'static str]),
    Refused(&'static str),
    /// Another address than it asks for, and the reason.
    Keeps(&'static str, &'static str),
}

struct Row {
    input: &'static str,
    steps: Vec<Step>,
    expected: Vec<(&'static str, Has)>,
}

use Has::{Addresses, Keeps, Refused};
use Step::{Delete, Edit, Namespace, NoPool, Pool, Restart, Service, ServiceIn};

fn run(row: Row) {
    let mut world = World::with_pools(&[]);
    for step in row.steps {
        match step {
            Pool(name, spec) => world.pool(name, spec),
            NoPool(name) => world.remove_pool(name),
            Namespace(name, labels) => world.namespace(name, labels),
            Service(name, change) => world.service(name, change),
            ServiceIn(namespace, name, change) => world.service_in(namespace, name, change),
            Edit(name, change) => world.edit(name, change),
            Delete(name) => world.delete(name),
            Restart => world.restart(0),
        }
        world.settle();
    }
    for (name, has) in row.expected {
        let context = format!("{}: Service {name}", row.input);
        match has {
            Addresses(list) => assert_eq!(world.addresses(name), list, "{context}"),
            Refused(reason) => {
                assert!(world.addresses(name).is_empty(), "{context}");
                assert_eq!(world.reason(name), reason, "{context}");
            }
            Keeps(address, reason) => {
                assert_eq!(world.addresses(name), [address], "{context}");
                assert_eq!(world.reason(name), reason, "{context}");
            }
        }
    }
}

fn keyed(key: &str, port: u16) -> Value {
    let mut value = annotated(json!({ "ringbolt.io/allow-shared-ip": key }));
    value["spec"]["ports"] = json!([{ "port": port, "protocol": "TCP" }]);
    value
}

fn keyed_at(key: &str, port: u16, address: &str) -> Value {
    let mut value = keyed(key, port);
    value["metadata"]["annotations"]["ringbolt.io/loadBalancerIPs"] = json!(address);
    value
}

fn local(mut value: Value, app: &str) -> Value {
    value["spec"]["externalTrafficPolicy"] = json!("Local");
    value["spec"]["selector"] = json!({ "app": app });
    value
}

fn for_namespaces(list: &[&str], names: &[&str]) -> Value {
    json!({ "addresses": list, "serviceAllocation": { "namespaces": names } })
}

fn from_pool(pool: &str) -> Value {
    annotated(json!({ "ringbolt.io/address-pool": pool }))
}
