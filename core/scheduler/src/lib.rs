//! The scheduler: queue, framework, one file per plugin.
