//! The reference page of all kinds, rendered from the schemas, so that it cannot disagree with them.

use std::fmt::{self, Write as _};

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

use super::crds;
use crate::served::{Served, served_fields};

/// `docs/reference/crds.md`.
pub fn reference_markdown() -> String {
    let mut page = String::new();
    render(&mut page).expect("a String takes all that is written to it");
    page
}

fn render(page: &mut String) -> fmt::Result {
    page.push_str(
        "# Resources\n\n\
         All kinds of group `ringbolt.io`, version `v1beta1`, are cluster-scoped; \
         `kubectl get ringbolt` lists them all. This page is rendered from the schemas \
         (`RINGBOLT_BLESS=1 cargo test --locked -p ringbolt-config` writes it).\n\n\
         A field marked *refused* is understood and not served in this version: an object that \
         sets it is reported with reason `NotImplemented` and its last good version stays in \
         force.\n",
    );
    for crd in crds() {
        kind(page, &crd)?;
    }
    Ok(())
}

fn kind(page: &mut String, crd: &CustomResourceDefinition) -> fmt::Result {
    let names = &crd.spec.names;
    let version = crd.spec.versions.first();
    let schema = version
        .and_then(|version| version.schema.as_ref())
        .and_then(|schema| schema.open_api_v3_schema.as_ref());
    let Some(schema) = schema else { return Ok(()) };
    writeln!(page, "\n## {}\n", names.kind)?;
    if let Some(text) = &schema.description {
        writeln!(page, "{text}")?;
    }
    let short = names.short_names.as_deref().unwrap_or_default().join(", ");
    let columns = version.and_then(|version| version.additional_printer_columns.as_ref());
    let columns = columns
        .into_iter()
        .flatten()
        .map(|column| column.name.as_str());
    let columns = columns.collect::<Vec<_>>().join(", ");
    writeln!(page, "\nShort name `{short}`; columns {columns}.")?;
    let members = schema.properties.as_ref();
    for part in ["spec", "status"] {
        let Some(schema) = members.and_then(|members| members.get(part)) else {
            continue;
        };
        if schema
            .properties
            .as_ref()
            .is_none_or(|fields| fields.is_empty())
        {
            continue;
        }
        writeln!(page, "\n| `{part}` field | type | meaning |\n|---|---|---|")?;
        fields(page, &names.kind, part, "", schema)?;
        rules(page, schema)?;
    }
    Ok(())
}

fn fields(
    page: &mut String,
    kind: &str,
    part: &str,
    path: &str,
    schema: &JSONSchemaProps,
) -> fmt::Result {
    let item = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => item,
        _ => schema,
    };
    for (name, member) in item.properties.iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let required = item
            .required
            .iter()
            .flatten()
            .any(|required| required == name);
        let required = if required { " **Required.**" } else { "" };
        let text = member
            .description
            .as_deref()
            .unwrap_or_default()
            .replace('\n', " ");
        let refused = if part == "spec" {
            refusal(kind, &path)
        } else {
            String::new()
        };
        writeln!(
            page,
            "| `{path}` | {} | {text}{required}{refused} |",
            type_of(member)
        )?;
        let conditions = name == "conditions";
        if !is_selector(member) && !conditions {
            let list = if member.items.is_some() { "[]" } else { "" };
            fields(page, kind, part, &format!("{path}{list}"), member)?;
        }
    }
    Ok(())
}

fn rules(page: &mut String, schema: &JSONSchemaProps) -> fmt::Result {
    let rules = schema
        .x_kubernetes_validations
        .as_deref()
        .unwrap_or_default();
    if !rules.is_empty() {
        writeln!(page, "\nRules:\n")?;
    }
    for rule in rules {
        writeln!(page, "- {}", rule.message.as_deref().unwrap_or(&rule.rule))?;
    }
    Ok(())
}

fn refusal(kind: &str, path: &str) -> String {
    let exact = |candidate: &str| candidate.trim_end_matches("[]") == path;
    let fields = served_fields()
        .into_iter()
        .filter(|field| field.kind.as_str() == kind);
    let mut served = fields
        .filter(|field| exact(&field.path))
        .map(|field| field.served);
    match served.next() {
        Some(Served::Refused) => " *Refused.*".to_owned(),
        Some(Served::Only(values)) => format!(" *Refused, except {}.*", values.join(", ")),
        Some(Served::Read) | None => String::new(),
    }
}

fn is_selector(schema: &JSONSchemaProps) -> bool {
    let item = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(item)) => item,
        _ => schema,
    };
    item.properties
        .as_ref()
        .is_some_and(|members| members.contains_key("matchLabels"))
}

/// The type in words, with its bounds.
fn type_of(schema: &JSONSchemaProps) -> String {
    if let Some(values) = &schema.enum_ {
        let text = |value: &serde_json::Value| match value.as_str() {
            Some(text) => format!("`{text}`"),
            None => format!("`{value}`"),
        };
        return values
            .iter()
            .map(|value| text(&value.0))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(JSONSchemaPropsOrArray::Schema(item)) = &schema.items {
        let bound = schema
            .max_items
            .map_or_else(String::new, |max| format!(" (≤ {max})"));
        let item = if is_selector(schema) {
            "label selector".to_owned()
        } else {
            type_of(item)
        };
        return format!("list of {item}{bound}");
    }
    if is_selector(schema) {
        return "label selector".to_owned();
    }
    match (schema.type_.as_deref(), schema.format.as_deref()) {
        (Some("string"), Some("date-time")) => "time".to_owned(),
        (Some("integer"), _) => match (schema.minimum, schema.maximum) {
            (Some(min), Some(max)) => format!("{min} to {max}"),
            _ => "integer".to_owned(),
        },
        (Some("string"), _) => match schema.max_length {
            Some(max) => format!("string (≤ {max})"),
            None => "string".to_owned(),
        },
        (Some(other), _) => other.to_owned(),
        (None, _) => "object".to_owned(),
    }
}
