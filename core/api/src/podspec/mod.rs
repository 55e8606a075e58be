//! Pod specs, in pods and in templates: defaults and validation.

pub mod defaults;
pub mod validation;
