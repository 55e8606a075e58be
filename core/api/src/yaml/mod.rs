//! YAML as Kubernetes' tools read and write it: YAML 1.1 in, a fixed style out.
//!
//! Upstream: `sigs.k8s.io/yaml` v1.4 over its copy of go-yaml v2, and
//! `apimachinery/pkg/util/yaml/decoder.go`, which divides streams into documents.

mod read;
mod scalar;
mod write;

pub use read::{YamlError, documents, parse};
pub use write::{Text, print};
