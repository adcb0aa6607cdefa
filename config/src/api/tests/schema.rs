//! Properties of the schemas as a whole.

use std::collections::BTreeSet;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use super::*;
use crate::names::{GROUP, Kind, VERSION};

/// A CRD has to stay below this to leave room for annotations of those who install it.
const MAX_CRD_BYTES: usize = 256 * 1024;

#[test]
fn the_committed_crds_are_fresh_and_no_other_is_there() {
    let mut expected = BTreeSet::new();
    for (name, yaml) in crd_yaml() {
        assert!(
            yaml.len() < MAX_CRD_BYTES,
            "{name} has {} bytes",
            yaml.len()
        );
        assert_fresh(&format!("manifests/crds/{name}"), &yaml);
        expected.insert(name);
    }
    let present = std::fs::read_dir(repository("manifests/crds")).unwrap();
    let names = present.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(
        names
            .filter(|name| name.ends_with(".yaml"))
            .collect::<BTreeSet<_>>(),
        expected
    );
}

#[test]
fn the_committed_reference_page_is_fresh() {
    assert_fresh("docs/reference/crds.md", &reference::reference_markdown());
}

#[test]
fn every_kind_of_ours_has_a_crd_under_its_own_names() {
    let ours: BTreeSet<_> = Kind::ALL.iter().filter(|kind| kind.is_ours()).collect();
    assert_eq!(ours.len(), crds().len());
    let mut short_names = BTreeSet::new();
    for crd in crds() {
        let names = &crd.spec.names;
        let kind = *ours
            .iter()
            .find(|kind| kind.as_str() == names.kind)
            .unwrap();
        assert_eq!(
            (crd.spec.group.as_str(), names.plural.as_str()),
            (GROUP, kind.plural())
        );
        assert_eq!(crd.spec.scope, "Cluster");
        assert_eq!(
            names.categories.as_deref(),
            Some(&["ringbolt".to_owned()][..])
        );
        assert!(short_names.insert(names.short_names.clone().unwrap()));
        let [version] = &crd.spec.versions[..] else {
            panic!("one version")
        };
        assert_eq!(version.name, VERSION);
        assert!(
            version.subresources.as_ref().unwrap().status.is_some(),
            "{kind}"
        );
        assert!(
            version.additional_printer_columns.as_ref().unwrap().len() >= 2,
            "{kind}"
        );
    }
}

#[test]
fn every_list_map_and_string_is_bounded() {
    let mut unbounded = Vec::new();
    for_each_schema(|path, schema| {
        let open = match schema.type_.as_deref() {
            Some("array") => schema.max_items.is_none(),
            Some("string") => {
                schema.max_length.is_none()
                    && schema.enum_.is_none()
                    && schema.format.as_deref() != Some("date-time")
            }
            Some("object") => match schema.additional_properties {
                Some(JSONSchemaPropsOrBool::Schema(_)) => schema.max_properties.is_none(),
                _ => schema.properties.is_none() && path.matches('.').count() > 1,
            },
            Some("integer") => schema.minimum.is_none() || schema.maximum.is_none(),
            _ => false,
        };
        if open {
            unbounded.push(path.to_owned());
        }
    });
    // Conditions are Kubernetes' own type, and what we write into a status we bound ourselves.
    unbounded.retain(|path| !path.contains(".status"));
    assert!(unbounded.is_empty(), "{unbounded:#?}");
}

#[test]
fn every_field_is_described() {
    let mut bare = Vec::new();
    for_each_schema(|path, schema| {
        let inner = path.ends_with("[]") || path.ends_with("{}");
        if schema.description.is_none() && !inner && path.contains(".spec.") {
            bare.push(path.to_owned());
        }
    });
    assert!(bare.is_empty(), "{bare:#?}");
}

#[test]
fn conditions_are_a_map_by_type() {
    let mut lists = 0;
    for_each_schema(|path, schema| {
        if path.ends_with(".status.conditions") {
            assert_eq!(
                schema.x_kubernetes_list_type.as_deref(),
                Some("map"),
                "{path}"
            );
            let keys = schema.x_kubernetes_list_map_keys.as_deref().unwrap();
            assert_eq!(keys, ["type"], "{path}");
            lists += 1;
        }
    });
    assert_eq!(lists, crds().len());
}

/// Visits every schema with its path: `.field` for members, `[]` for items, `{}` for values.
pub(super) fn for_each_schema(mut visit: impl FnMut(&str, &JSONSchemaProps)) {
    fn walk(path: &str, schema: &JSONSchemaProps, visit: &mut dyn FnMut(&str, &JSONSchemaProps)) {
        visit(path, schema);
        for (name, member) in schema.properties.iter().flatten() {
            walk(&format!("{path}.{name}"), member, visit);
        }
        if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
            walk(&format!("{path}[]"), item, visit);
        }
        if let Some(JSONSchemaPropsOrBool::Schema(value)) = &schema.additional_properties {
            walk(&format!("{path}{{}}"), value, visit);
        }
    }
    for crd in crds() {
        let schema = crd.spec.versions[0].schema.as_ref().unwrap();
        let schema = schema.open_api_v3_schema.as_ref().unwrap();
        walk(&crd.spec.names.kind, schema, &mut visit);
    }
}
