//! The speakers' key: a Secret that the controller makes where there is none. A Secret of the same
//! name among the manifests is people's choice, and is used instead.

use std::sync::Arc;

use k8s_openapi::ByteString;
use ring::rand::{SecureRandom, SystemRandom};
use ringbolt_config::{Kind, Object, ObjectRef, SecretView, decode};
use serde_json::json;

use super::Directory;
use super::store::Verdict;
use crate::writer::{SPEAKER_KEY_NAMESPACE, SPEAKER_KEY_SECRET, UnavailableCause, WriteError};

/// The id of the first key; later ones are larger.
const FIRST_KEY: &str = "1";
/// Length of a key in bytes.
const KEY_LENGTH: usize = 32;

impl Directory {
    pub(crate) async fn ensure_speaker_key(&self) -> Result<Arc<SecretView>, WriteError> {
        let object = ObjectRef::new(
            Kind::Secret,
            Some(SPEAKER_KEY_NAMESPACE),
            SPEAKER_KEY_SECRET,
        )
        .expect("the name is a DNS name");
        self.may_write(&object)?;
        if let Some(Object::Secret(present)) = self.ask(&object).await? {
            return Ok(present);
        }
        let name = object.clone();
        let stored = self
            .transact(&object, move |current| match current {
                    Some(_) => Ok(Verdict::Leave),
                    None => {
                        let mut key = vec![0; KEY_LENGTH];
                        SystemRandom::new()
                            .fill(&mut key)
                            .expect("the kernel's random source answers");
                        Ok(Verdict::Put(json!({
                            "apiVersion": name.kind.api_version(),
                            "kind": name.kind.as_str(),
                            "metadata": {"namespace": SPEAKER_KEY_NAMESPACE, "name": SPEAKER_KEY_SECRET},
                            "type": "Opaque",
                            "data": {FIRST_KEY: ByteString(key)},
                        })))
                    }
                })
            .await?;
        match decode(Kind::Secret, stored.unwrap_or_default()) {
            Ok(Object::Secret(secret)) => Ok(secret),
            _ => Err(WriteError::Unavailable {
                object,
                cause: UnavailableCause::Corrupt,
            }),
        }
    }
}
