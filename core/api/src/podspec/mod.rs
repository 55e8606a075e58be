//! Pod specs, in pods and in templates: defaults, validation and warnings.

pub mod defaults;
pub mod sharing;
pub mod subresources;
pub mod validation;
pub mod warnings;
