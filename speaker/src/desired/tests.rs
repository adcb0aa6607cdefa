//! One table per rule of semantics.md section 1 and contracts: objects in, announcements and reasons out.

mod rules;
mod standing;
pub(crate) mod world;
