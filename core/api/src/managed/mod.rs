//! Who owns which fields of an object: `metadata.managedFields`, and server-side apply, which
//! rests on it.
//!
//! # How it is kept
//!
//! Upstream works the managed fields out at every write. That takes some hundred microseconds of
//! JSON, which the writes of components inside the cluster do not have. So an object carries a
//! [`Ledger`], and:
//!
//! - **A new object** has exact managed fields at once. Objects that are made alike (the pods of a
//!   ReplicaSet) have the same fields, so the set is worked out once for each [`shape`] and then
//!   shared; to find an object's shape is one walk without an allocation.
//! - **A write with a JSON body**, a patch, and an apply work them out at once, exactly, from the
//!   object before and the body after defaulting, as upstream does before admission.
//! - **A write of a typed object** by a component only notes its writer, the time, and keeps the
//!   object before it (a shared pointer). When somebody looks (the object is written as JSON, or
//!   is applied to), the notes are worked out and the result is kept with the object; the next
//!   write starts from it. Writes of one writer in a row are one note, so that an object keeps as
//!   many former states as there were changes of writers, and at most 12.
//!
//! # What this leaves inexact
//!
//! For writes of typed objects only: a field that a component changed and changed back within a
//! row of its own writes is not counted as its own; what admission changed in an update counts as
//! the component's; and the time of a row is that of its last write, though that may have changed
//! nothing that is tracked. And in general: managers of several versions of one kind are compared
//! by the fields' names in the version of the write at hand, without conversion.
//!
//! Upstream: `sigs.k8s.io/structured-merge-diff/v4`, `apimachinery/pkg/util/managedfields`.

mod apply;
mod element;
mod ledger;
mod managers;
mod reset;
mod set;
pub mod shape;
#[cfg(test)]
mod tests;
mod walk;
mod with_owners;

pub use apply::{Applied, Conflict, apply, misfit, refused};
pub use element::{PathElement, Scalar};
pub use ledger::{Ledger, Writer};
pub use managers::{
    MANAGER_BYTES_MAX, Manager, Managers, Operation, Owned, Scope, empty, fields_of_new,
};
pub use set::{FieldSet, Path};
pub use shape::Shapes;
pub use walk::{Comparison, compare, fields_of, merge, place, problems, remove};
pub use with_owners::WithOwners;

use crate::Kind;
use crate::schema::Node;

/// In whose terms a write to a kind is told.
pub fn scope<'a>(kind: &'a Kind, subresource: &str) -> Scope<'a> {
    Scope {
        node: Node::of(kind),
        kind: &kind.kind,
        api_version: kind.api_version().into(),
        reset: reset::fields(kind, subresource),
    }
}
