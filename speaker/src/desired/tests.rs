//! One table per rule of docs/reference/semantics.md and contracts.md: objects in, announcements and reasons out.

mod rules;
mod standing;
pub(crate) mod world;
