//! Which Services are ours, by type and class.

use super::*;
use crate::names::ServiceKey;
use k8s_openapi::api::core::v1::{Service, ServiceSpec};

#[test]
fn a_service_is_ours_by_its_class_or_for_want_of_one() {
    let others = Classes {
        provider: Provider::ClassedOnly,
        named: BTreeSet::from(["example.com/edge".to_owned()]),
    };
    let ours = Classes::default();
    for (service_type, class, by_default, by_others) in [
        ("LoadBalancer", None, true, false),
        ("LoadBalancer", Some(DEFAULT_CLASS), true, false),
        ("LoadBalancer", Some("example.com/edge"), false, true),
        ("ClusterIP", None, false, false),
        ("NodePort", Some("example.com/edge"), false, false),
    ] {
        let view = view(service_type, class);
        assert_eq!(ours.include(&view), by_default, "{service_type} {class:?}");
        assert_eq!(others.include(&view), by_others, "{service_type} {class:?}");
    }
}

fn view(service_type: &str, class: Option<&str>) -> ServiceView {
    let spec = ServiceSpec {
        type_: Some(service_type.to_owned()),
        load_balancer_class: class.map(str::to_owned),
        ..ServiceSpec::default()
    };
    let object = Service {
        spec: Some(spec),
        ..Service::default()
    };
    ServiceView::new(ServiceKey::new("default", "web").unwrap(), object)
}
