//! `Object`, and the one conversion from JSON to it that every source of objects uses.
//!
//! Our own kinds are held against their schema as an API server would: unknown fields, wrong types
//! and values out of bounds are errors that name the field. Kubernetes' kinds are read leniently,
//! because newer servers send fields nobody here has heard of; who reads what people wrote asks for
//! the names of such fields ([`decode_noting`]), because most of them are misspelt.

use std::fmt;
use std::sync::Arc;

use k8s_openapi::api::core::v1::{Namespace, Node, Secret, Service};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use serde::de::DeserializeOwned;
use serde_ignored::Path;
use serde_json::Value;
use serde_path_to_error::Track;

use crate::api::validate::{self, FieldFault};
use crate::api::{self};
use crate::endpoints::EndpointSliceView;
use crate::names::{Kind, NameProblem, ObjectRef, ServiceKey, Uid};
use crate::namespace::NamespaceView;
use crate::node::NodeView;
use crate::secret::SecretView;
use crate::service::ServiceView;

/// Any object Ringbolt reads, shared.
#[derive(Debug, Clone, PartialEq)]
pub enum Object {
    /// Node
    Node(Arc<NodeView>),
    /// Namespace
    Namespace(Arc<NamespaceView>),
    /// Secret
    Secret(Arc<SecretView>),
    /// Service
    Service(Arc<ServiceView>),
    /// EndpointSlice
    EndpointSlice(Arc<EndpointSliceView>),
    /// IPAddressPool
    IPAddressPool(Arc<api::IPAddressPool>),
    /// IPAllocation
    IPAllocation(Arc<api::IPAllocation>),
    /// L2Advertisement
    L2Advertisement(Arc<api::L2Advertisement>),
    /// BGPAdvertisement
    BGPAdvertisement(Arc<api::BGPAdvertisement>),
    /// BGPPeer
    BGPPeer(Arc<api::BGPPeer>),
    /// BGPPeerTemplate
    BGPPeerTemplate(Arc<api::BGPPeerTemplate>),
    /// BFDProfile
    BFDProfile(Arc<api::BFDProfile>),
    /// Community
    Community(Arc<api::Community>),
    /// RouteImport
    RouteImport(Arc<api::RouteImport>),
    /// Speaker
    Speaker(Arc<api::Speaker>),
}

macro_rules! for_ours {
    ($self:expr, $object:ident => $body:expr, $($rest:tt)*) => {
        match $self {
            Object::IPAddressPool($object) => $body,
            Object::IPAllocation($object) => $body,
            Object::L2Advertisement($object) => $body,
            Object::BGPAdvertisement($object) => $body,
            Object::BGPPeer($object) => $body,
            Object::BGPPeerTemplate($object) => $body,
            Object::BFDProfile($object) => $body,
            Object::Community($object) => $body,
            Object::RouteImport($object) => $body,
            Object::Speaker($object) => $body,
            $($rest)*
        }
    };
}

impl Object {
    /// `metadata.uid`, of kinds that keep it.
    pub fn uid(&self) -> Option<&str> {
        for_ours! { self, object => object.metadata.uid.as_deref(),
            Self::Service(view) => Some(view.uid.as_str()).filter(|_| view.uid != Uid::unassigned()),
            Self::Node(view) => view.uid.as_ref().map(Uid::as_str),
            Self::Namespace(_) | Self::Secret(_) | Self::EndpointSlice(_) => None,
        }
    }

    /// Kind of the object.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Node(_) => Kind::Node,
            Self::Namespace(_) => Kind::Namespace,
            Self::Secret(_) => Kind::Secret,
            Self::Service(_) => Kind::Service,
            Self::EndpointSlice(_) => Kind::EndpointSlice,
            Self::IPAddressPool(_) => Kind::IPAddressPool,
            Self::IPAllocation(_) => Kind::IPAllocation,
            Self::L2Advertisement(_) => Kind::L2Advertisement,
            Self::BGPAdvertisement(_) => Kind::BGPAdvertisement,
            Self::BGPPeer(_) => Kind::BGPPeer,
            Self::BGPPeerTemplate(_) => Kind::BGPPeerTemplate,
            Self::BFDProfile(_) => Kind::BFDProfile,
            Self::Community(_) => Kind::Community,
            Self::RouteImport(_) => Kind::RouteImport,
            Self::Speaker(_) => Kind::Speaker,
        }
    }

    /// Which object this is.
    pub fn object_ref(&self) -> ObjectRef {
        let of = |namespace: Option<&Arc<str>>, name: Arc<str>| ObjectRef {
            kind: self.kind(),
            namespace: namespace.cloned(),
            name,
        };
        for_ours!(self, object => of(None, object.metadata.name.as_deref().unwrap_or("").into()),
            Self::Node(view) => (&view.name).into(),
            Self::Namespace(view) => (&view.name).into(),
            Self::Secret(view) => of(Some(&view.namespace), view.name.clone()),
            Self::Service(view) => (&view.key).into(),
            Self::EndpointSlice(view) => of(Some(&view.namespace), view.name.clone()),
        )
    }
}

/// What is wrong with a document.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodeProblem {
    /// Kind that was asked for.
    pub kind: Kind,
    /// The object, as far as it has a usable name.
    pub object: Option<ObjectRef>,
    /// What is wrong, field by field; never empty.
    pub faults: Vec<FieldFault>,
}

impl fmt::Display for DecodeProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.object {
            Some(object) => write!(f, "{object}: ")?,
            None => write!(f, "{}: ", self.kind)?,
        }
        for (i, fault) in self.faults.iter().enumerate() {
            let separator = if i == 0 { "" } else { "; " };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}

impl std::error::Error for DecodeProblem {}

/// Converts a document of a known kind. Which kind it is, the caller has read from `apiVersion`
/// and `kind` ([`Kind::from_manifest`]).
pub fn decode(kind: Kind, value: Value) -> Result<Object, DecodeProblem> {
    let mut unknown = Unknown::PassedOver;
    convert(kind, value, &mut unknown)
}

/// The same, and the paths of fields of a Kubernetes kind that are not known here and were passed
/// over, such as `spec.externalTraficPolicy`. What only an API server writes is left out.
pub fn decode_noting(kind: Kind, value: Value) -> Result<(Object, Vec<String>), DecodeProblem> {
    let mut unknown = Unknown::Noted(Vec::new());
    let object = convert(kind, value, &mut unknown)?;
    let paths = match unknown {
        Unknown::PassedOver => Vec::new(),
        Unknown::Noted(paths) => paths,
    };
    Ok((object, paths))
}

fn convert(kind: Kind, value: Value, unknown: &mut Unknown) -> Result<Object, DecodeProblem> {
    let object = object_ref(kind, &value);
    let problem = |faults| DecodeProblem {
        kind,
        object: object.clone().ok(),
        faults,
    };
    let reference = object.clone().map_err(|fault| problem(vec![fault]))?;
    if kind.is_ours() {
        let faults = validate::against_schema(kind, &value);
        if !faults.is_empty() {
            return Err(problem(faults));
        }
    }
    let built = build(kind, &reference, value, unknown);
    built.map_err(|fault| problem(vec![fault]))
}

fn object_ref(kind: Kind, value: &Value) -> Result<ObjectRef, FieldFault> {
    let bad = |path, why: NameProblem| FieldFault::name(path, why);
    let text = |path| value.pointer(path).and_then(Value::as_str);
    let name = text("/metadata/name").ok_or(bad("metadata.name", NameProblem::Empty))?;
    let namespace = text("/metadata/namespace");
    ObjectRef::new(kind, namespace, name).map_err(|why| {
        let name_is_fine = ObjectRef::new(Kind::Node, None, name).is_ok();
        bad(
            if name_is_fine {
                "metadata.namespace"
            } else {
                "metadata.name"
            },
            why,
        )
    })
}

fn build(
    kind: Kind,
    reference: &ObjectRef,
    value: Value,
    unknown: &mut Unknown,
) -> Result<Object, FieldFault> {
    let name = reference.name.clone();
    let namespace = reference.namespace.clone().unwrap_or_else(|| "".into());
    let checked = |why: NameProblem| FieldFault::name("metadata.name", why);
    Ok(match kind {
        Kind::Node => {
            let name = name.parse().map_err(checked)?;
            Object::Node(Arc::new(NodeView::new(name, unknown.parse::<Node>(value)?)))
        }
        Kind::Namespace => {
            let name = name.parse().map_err(checked)?;
            Object::Namespace(Arc::new(NamespaceView::new(
                name,
                unknown.parse::<Namespace>(value)?,
            )))
        }
        Kind::Secret => {
            let secret = unknown.parse::<Secret>(value)?;
            Object::Secret(Arc::new(SecretView::new(namespace, name, secret)))
        }
        Kind::Service => {
            let key = ServiceKey::new(&namespace, &name).map_err(checked)?;
            let service = unknown.parse::<Service>(with_timed_conditions(value))?;
            Object::Service(Arc::new(ServiceView::new(key, service)))
        }
        Kind::EndpointSlice => {
            let slice = unknown.parse::<EndpointSlice>(value)?;
            Object::EndpointSlice(Arc::new(EndpointSliceView::new(namespace, name, slice)))
        }
        Kind::IPAddressPool => Object::IPAddressPool(Arc::new(parse(value)?)),
        Kind::IPAllocation => Object::IPAllocation(Arc::new(parse(value)?)),
        Kind::L2Advertisement => Object::L2Advertisement(Arc::new(parse(value)?)),
        Kind::BGPAdvertisement => Object::BGPAdvertisement(Arc::new(parse(value)?)),
        Kind::BGPPeer => Object::BGPPeer(Arc::new(parse(value)?)),
        Kind::BGPPeerTemplate => Object::BGPPeerTemplate(Arc::new(parse(value)?)),
        Kind::BFDProfile => Object::BFDProfile(Arc::new(parse(value)?)),
        Kind::Community => Object::Community(Arc::new(parse(value)?)),
        Kind::RouteImport => Object::RouteImport(Arc::new(parse(value)?)),
        Kind::Speaker => Object::Speaker(Arc::new(parse(value)?)),
    })
}

/// An API server takes a Service's conditions from anybody, unchecked, and shows a time that was not
/// given as null. Such a condition is not one of ours, and is no reason not to read the Service.
fn with_timed_conditions(mut service: Value) -> Value {
    let conditions = service.pointer_mut("/status/conditions");
    if let Some(conditions) = conditions.and_then(Value::as_array_mut) {
        conditions.retain(|condition| condition["lastTransitionTime"].is_string());
    }
    service
}

/// Fields of Kubernetes' kinds that are not known here.
enum Unknown {
    /// Nobody asks for them.
    PassedOver,
    /// Their paths.
    Noted(Vec<String>),
}

impl Unknown {
    fn parse<T: DeserializeOwned>(&mut self, value: Value) -> Result<T, FieldFault> {
        let Self::Noted(paths) = self else {
            return parse(value);
        };
        let mut track = Track::new();
        let source = serde_path_to_error::Deserializer::new(value, &mut track);
        let parsed = serde_ignored::deserialize(source, |path| {
            let path = field_path(&path);
            let of_servers = path.split(['.', '[']).next() == Some("status")
                || path.starts_with("metadata.managedFields");
            if !of_servers {
                paths.push(path);
            }
        });
        parsed.map_err(|error| FieldFault::malformed(&track.path().to_string(), &error))
    }
}

/// `spec.ports[0].port`.
fn field_path(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", field_path(parent)),
        Path::Map { parent, key } => match field_path(parent) {
            above if above.is_empty() => key.clone(),
            above => format!("{above}.{key}"),
        },
        Path::Some { parent }
        | Path::NewtypeStruct { parent }
        | Path::NewtypeVariant { parent } => field_path(parent),
    }
}

fn parse<T: DeserializeOwned>(value: Value) -> Result<T, FieldFault> {
    // Keeping track of the path costs more than the rest, and almost every object is well-formed.
    if let Ok(parsed) = T::deserialize(&value) {
        return Ok(parsed);
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        FieldFault::malformed(&path, error.inner())
    })
}

#[cfg(test)]
mod tests;
