//! Holds a document against the schema of its kind, as an API server would before it admits one:
//! every fault with its field path. CEL rules are not evaluated here; what they refuse,
//! [`resolve`](mod@crate::resolve) refuses too.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use serde_json::Value;

use super::crds;
use crate::names::{Kind, NameProblem};

/// One fault of a document.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldFault {
    /// Where: `spec.peerPort`, `spec.addresses[2]`; empty for the document as a whole.
    pub path: Box<str>,
    /// What.
    pub reason: FaultReason,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq)]
pub enum FaultReason {
    /// The kind has no such field.
    UnknownField,
    /// The field must be there.
    Missing,
    /// The value is of another type.
    WrongType {
        /// Type by schema.
        expected: Box<str>,
    },
    /// The value is none of those the field may have.
    NotOneOf {
        /// Those.
        allowed: Box<[Box<str>]>,
    },
    /// The number is too small or too large.
    OutOfRange {
        /// Least, if there is a least.
        min: Option<f64>,
        /// Greatest, if there is a greatest.
        max: Option<f64>,
    },
    /// The text, list or map is too short or too long.
    WrongLength {
        /// Least number of characters or entries.
        min: Option<i64>,
        /// Greatest number of characters or entries.
        max: Option<i64>,
    },
    /// The same entry twice in a list that is a set or a map.
    Duplicate,
    /// Not a usable name.
    Name(NameProblem),
    /// Does not parse, for a reason the parser gives.
    Malformed {
        /// In the parser's words.
        message: Box<str>,
    },
}

impl FaultReason {
    /// Reason for conditions, events and metrics.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownField => "UnknownField",
            Self::Missing => "MissingField",
            Self::WrongType { .. } => "WrongType",
            Self::NotOneOf { .. } => "NotOneOf",
            Self::OutOfRange { .. } => "OutOfRange",
            Self::WrongLength { .. } => "WrongLength",
            Self::Duplicate => "Duplicate",
            Self::Name(_) => "InvalidName",
            Self::Malformed { .. } => "Malformed",
        }
    }
}

impl FieldFault {
    fn new(path: &str, reason: FaultReason) -> Self {
        Self {
            path: path.into(),
            reason,
        }
    }

    pub(crate) fn name(path: &str, why: NameProblem) -> Self {
        Self::new(path, FaultReason::Name(why))
    }

    pub(crate) fn malformed(path: &str, error: &dyn fmt::Display) -> Self {
        let path = if path == "." { "" } else { path };
        Self::new(
            path,
            FaultReason::Malformed {
                message: error.to_string().into(),
            },
        )
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.reason)
    }
}

impl fmt::Display for FaultReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownField => f.write_str("unknown field"),
            Self::Missing => f.write_str("is required"),
            Self::WrongType { expected } => write!(f, "must be of type {expected}"),
            Self::NotOneOf { allowed } => write!(f, "must be one of {}", allowed.join(", ")),
            Self::OutOfRange { min, max } => bounds(f, "must be", *min, *max),
            Self::WrongLength { min, max } => bounds(f, "its length must be", *min, *max),
            Self::Duplicate => f.write_str("is listed twice"),
            Self::Name(why) => write!(f, "{why}"),
            Self::Malformed { message } => f.write_str(message),
        }
    }
}

fn bounds<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    what: &str,
    min: Option<T>,
    max: Option<T>,
) -> fmt::Result {
    match (min, max) {
        (Some(min), Some(max)) => write!(f, "{what} between {min} and {max}"),
        (Some(min), None) => write!(f, "{what} at least {min}"),
        (None, Some(max)) => write!(f, "{what} at most {max}"),
        (None, None) => write!(f, "{what} within bounds"),
    }
}

/// What belongs to the API server.
const STANDARD: &[&str] = &["apiVersion", "kind", "metadata"];

/// More faults than anybody reads.
const MAX_FAULTS: usize = 100;

static SCHEMAS: LazyLock<BTreeMap<String, JSONSchemaProps>> = LazyLock::new(|| {
    let schema = |crd: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let version = crd.spec.versions.into_iter().next()?;
        Some((crd.spec.names.kind, version.schema?.open_api_v3_schema?))
    };
    crds().into_iter().filter_map(schema).collect()
});

/// Schema of one of our kinds: `spec` and `status` below the root.
pub fn schema(kind: Kind) -> Option<&'static JSONSchemaProps> {
    SCHEMAS.get(kind.as_str())
}

/// All faults of a document of one of our kinds, or the first hundred of them. What
/// belongs to the API server is not looked at.
pub fn against_schema(kind: Kind, value: &Value) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    let Some(schema) = schema(kind) else {
        return faults;
    };
    walk(schema, value, &mut String::new(), &mut faults);
    faults
}

fn walk(schema: &JSONSchemaProps, value: &Value, path: &mut String, faults: &mut Vec<FieldFault>) {
    if faults.len() >= MAX_FAULTS {
        return;
    }
    if let Some(allowed) = &schema.enum_ {
        if !allowed.iter().any(|one| one.0 == *value) {
            let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
            let allowed = allowed.iter().map(|one| text(&one.0).into()).collect();
            faults.push(FieldFault::new(path, FaultReason::NotOneOf { allowed }));
        }
        return;
    }
    let expected = schema.type_.as_deref().unwrap_or("object");
    match (expected, value) {
        ("object", Value::Object(map)) => object(schema, map, path, faults),
        ("array", Value::Array(items)) => array(schema, items, path, faults),
        ("string", Value::String(text)) => {
            let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
            check_length(length, schema.min_length, schema.max_length, path, faults);
        }
        ("integer" | "number", Value::Number(number)) => {
            if expected == "integer" && !(number.is_i64() || number.is_u64()) {
                wrong_type(expected, path, faults);
                return;
            }
            let number = number.as_f64().unwrap_or(f64::NAN);
            let low = schema.minimum.is_some_and(|min| number < min);
            let high = schema.maximum.is_some_and(|max| number > max);
            if low || high || number.is_nan() {
                let reason = FaultReason::OutOfRange {
                    min: schema.minimum,
                    max: schema.maximum,
                };
                faults.push(FieldFault::new(path, reason));
            }
        }
        ("boolean", Value::Bool(_)) => {}
        _ => wrong_type(expected, path, faults),
    }
}

fn wrong_type(expected: &str, path: &str, faults: &mut Vec<FieldFault>) {
    faults.push(FieldFault::new(
        path,
        FaultReason::WrongType {
            expected: expected.into(),
        },
    ));
}

fn check_length(
    length: i64,
    min: Option<i64>,
    max: Option<i64>,
    path: &str,
    faults: &mut Vec<FieldFault>,
) {
    if min.is_some_and(|min| length < min) || max.is_some_and(|max| length > max) {
        faults.push(FieldFault::new(path, FaultReason::WrongLength { min, max }));
    }
}

/// Runs `inner` with the path of a member.
fn within(path: &mut String, key: &str, inner: impl FnOnce(&mut String)) {
    let length = path.len();
    if !path.is_empty() && !key.starts_with('[') {
        path.push('.');
    }
    path.push_str(key);
    inner(path);
    path.truncate(length);
}

fn object(
    schema: &JSONSchemaProps,
    map: &serde_json::Map<String, Value>,
    path: &mut String,
    faults: &mut Vec<FieldFault>,
) {
    let length = i64::try_from(map.len()).unwrap_or(i64::MAX);
    check_length(
        length,
        schema.min_properties,
        schema.max_properties,
        path,
        faults,
    );
    // A null is as good as nothing, as it is to an API server that prunes it.
    let lacks = |key: &&String| map.get(*key).is_none_or(Value::is_null);
    for key in schema.required.iter().flatten().filter(lacks) {
        within(path, key, |path| {
            faults.push(FieldFault::new(path, FaultReason::Missing));
        });
    }
    let at_root = path.is_empty();
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        if at_root && STANDARD.contains(&key.as_str()) {
            continue;
        }
        within(path, key, |path| {
            match (
                schema.properties.as_ref().and_then(|p| p.get(key)),
                &schema.additional_properties,
            ) {
                (Some(member), _) => walk(member, value, path, faults),
                (None, Some(JSONSchemaPropsOrBool::Schema(member))) => {
                    walk(member, value, path, faults);
                }
                (None, _) => faults.push(FieldFault::new(path, FaultReason::UnknownField)),
            }
        });
    }
}

fn array(
    schema: &JSONSchemaProps,
    items: &[Value],
    path: &mut String,
    faults: &mut Vec<FieldFault>,
) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    check_length(length, schema.min_items, schema.max_items, path, faults);
    let Some(JSONSchemaPropsOrArray::Schema(member)) = &schema.items else {
        return;
    };
    for (index, item) in items.iter().enumerate() {
        within(path, &format!("[{index}]"), |path| {
            let twin = items[..index]
                .iter()
                .any(|earlier| same_entry(schema, earlier, item));
            if twin {
                faults.push(FieldFault::new(path, FaultReason::Duplicate));
            }
            walk(member, item, path, faults);
        });
        if faults.len() >= MAX_FAULTS {
            return;
        }
    }
}

/// Whether two entries are one to the API server: equal in a set, of equal keys in a map.
fn same_entry(schema: &JSONSchemaProps, one: &Value, other: &Value) -> bool {
    match schema.x_kubernetes_list_type.as_deref() {
        Some("set") => one == other,
        Some("map") => {
            let keys = schema
                .x_kubernetes_list_map_keys
                .as_deref()
                .unwrap_or_default();
            !keys.is_empty() && keys.iter().all(|key| one.get(key) == other.get(key))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests;
