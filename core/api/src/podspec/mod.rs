//! Pod specs, in pods and in templates: defaults and validation.

pub mod defaults;
pub mod subresources;
pub mod validation;
