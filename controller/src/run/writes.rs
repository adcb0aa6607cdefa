//! One write of the engine, carried out.

use std::sync::Arc;

use ringbolt_cluster::Writer;
use ringbolt_config::names::allocation_name;

use crate::engine::{Answer, Write};

/// Carries out a write and returns its answer.
pub(super) async fn carry_out(writer: &Writer, write: Write) -> Answer {
    match write {
        Write::CreateClaim(claim) => {
            Answer::Claim(writer.create_allocation(&claim).await.map(Arc::new))
        }
        Write::UpdateClaim(claim) => {
            Answer::Claim(writer.update_allocation(&claim).await.map(Arc::new))
        }
        Write::DeleteClaim {
            name,
            uid,
            resource_version,
        } => Answer::Deleted(
            writer
                .delete_allocation(&name, &uid, &resource_version)
                .await,
        ),
        Write::ReadClaim(address) => Answer::Claim(
            writer
                .get_allocation(&allocation_name(address))
                .await
                .map(Arc::new),
        ),
        Write::PatchService(patch) => Answer::Service(writer.patch_service_status(*patch).await),
        Write::ReadService(key) => Answer::Service(writer.get_service(&key).await.map(Some)),
        Write::PatchStatus {
            object,
            resource_version,
            status,
        } => Answer::Status(
            writer
                .patch_status(&object, &resource_version, status)
                .await,
        ),
        Write::PatchFinalizer {
            object,
            resource_version,
            change,
        } => Answer::Finalizer(
            writer
                .patch_finalizer(&object, &resource_version, change)
                .await,
        ),
    }
}
