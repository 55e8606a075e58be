//! Kubernetes' types (`k8s-openapi`, v1.33) and the pure functions on them: scheme, defaults,
//! validation, printer columns, selectors, quantities; and the shapes of a request and its answer.
//!
//! Nothing here keeps state. One kind is one file in [`kinds`] and one line in [`scheme`].

pub mod base32;
pub mod bootstraptoken;
pub mod cel;
pub mod credentials;
pub mod cron;
pub mod csi_translation;
pub mod custom;
pub mod decode;
pub mod duration;
mod dynamic;
pub mod encode;
pub mod etcd;
mod field;
pub mod fields;
pub mod flowcontrol;
pub mod gofmt;
pub mod gotemplate;
pub mod http;
pub mod intstr;
pub mod ip;
pub mod json;
pub mod jsonpath;
mod kind;
pub mod kinds;
pub mod labels;
pub mod managed;
pub mod measured;
pub mod names;
pub mod nodelabels;
mod object;
pub mod omitempty;
pub mod patch;
pub mod pods;
pub mod podspec;
pub mod qos;
pub mod quantity;
pub mod quota;
pub mod request;
pub mod resourcenames;
pub mod resources;
pub mod said;
pub mod scheduling;
pub mod schema;
pub mod scheme;
pub mod service;
pub mod status;
pub mod structural;
pub mod time;
pub mod timezone;
pub mod volumes;
pub mod wanted;
pub mod yaml;

pub use credentials::Credentials;
pub use dynamic::DynamicObject;
pub use field::{FieldError, Path};
pub use k8s_openapi;
pub use kind::{
    Cell, Column, ColumnType, DEFAULT_COLUMNS, Kind, KindRef, Names, Strategy, StrategyRef, Words,
};
pub use object::{Key, Kube, KubeObject, Object};
pub use request::{Op, Request, Response, UserInfo};
pub use service::{ApiService, WatchEvent, WatchEventType, WatchId};
pub use status::ApiError;
