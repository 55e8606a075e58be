//! Programs that read other programs' logs and pass them on: fluentd and filebeat.

mod filebeat;
mod fluentd;
mod tail;

pub use filebeat::Filebeat;
pub use fluentd::Fluentd;
