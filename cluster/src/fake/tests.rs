//! The back end of the API server on the fake: the conformance suite, on a clock that turns by itself.

use std::time::Duration;

use ringbolt_config::{Kind, ObjectRef};
use serde_json::Value;
use tokio::time::sleep;

use super::*;
use crate::conformance::{self, Ground};
use crate::writer::EventType;

/// Between two looks of somebody who waits for an object's end.
const LOOK: Duration = Duration::from_millis(50);

impl Ground for FakeApi {
    fn controller(&self) -> Cluster {
        self.cluster_of(Role::Controller)
    }

    fn speaker(&self) -> Cluster {
        self.cluster(KubernetesOptions {
            node: "node-1".parse().ok(),
            ..KubernetesOptions::new(Role::Speaker)
        })
    }

    async fn apply(&self, manifest: &Value) {
        Self::apply(self, manifest);
        let reference = |value: &Value| {
            let kind = Kind::ALL.iter().find(|kind| kind.as_str() == value["kind"]);
            let metadata = &value["metadata"];
            let name = metadata["name"].as_str().unwrap();
            ObjectRef::new(*kind.unwrap(), metadata["namespace"].as_str(), name).unwrap()
        };
        let object = reference(manifest);
        let ends = |found: &Value| found["metadata"]["deletionTimestamp"].is_string();
        if !self.object(&object).is_some_and(|found| ends(&found)) {
            return;
        }
        // People who keep a manifest apply it again until it is what it says: once the old object is gone.
        let (fake, manifest) = (self.clone(), manifest.clone());
        tokio::spawn(async move {
            while fake.object(&object).is_some() {
                sleep(LOOK).await;
            }
            Self::apply(&fake, &manifest);
        });
    }

    async fn delete(&self, object: &ObjectRef) {
        Self::delete(self, object);
    }

    async fn events(&self) -> Vec<(String, EventType, u32)> {
        let events = self.objects("events").into_iter();
        events
            .map(|event| {
                let event_type = match event["type"].as_str() {
                    Some("Normal") => EventType::Normal,
                    _ => EventType::Warning,
                };
                let count = event["series"]["count"].as_u64().unwrap_or(1);
                let reason = event["reason"].as_str().unwrap_or_default();
                (reason.to_owned(), event_type, u32::try_from(count).unwrap())
            })
            .collect()
    }
}

macro_rules! on_the_fake {
    ($($check:ident,)*) => {$(
        #[tokio::test(start_paused = true)]
        async fn $check() {
            conformance::$check(&FakeApi::new()).await;
        }
    )*};
}
crate::for_each_conformance_check!(on_the_fake);
