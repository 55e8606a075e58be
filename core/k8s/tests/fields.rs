//! The types of this crate have the fields that upstream's have, no more and no fewer.

use k8s_openapi::api;
use naru_k8s::api as own;
use serde::Deserialize;
use serde::de::{Deserializer, Error, Visitor, value};
use std::collections::BTreeSet;

/// Takes down which fields a type asks for, and gives none.
struct Asked<'a>(&'a mut BTreeSet<&'static str>);

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = value::Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Error::custom("a type is read by its fields"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        self.0.extend(fields);
        Err(Error::custom("that is enough"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

fn fields<T: for<'de> Deserialize<'de>>() -> BTreeSet<&'static str> {
    let mut asked = BTreeSet::new();
    assert!(T::deserialize(Asked(&mut asked)).is_err());
    asked
}

macro_rules! same {
    ($($($path:ident)::+),* $(,)?) => {
        $(assert_eq!(fields::<own::$($path)::+>(), fields::<api::$($path)::+>(), stringify!($($path)::+));)*
    };
}

#[test]
fn fields_are_upstreams() {
    same!(
        core::v1::Pod,
        core::v1::PodSpec,
        core::v1::PodTemplate,
        core::v1::PodTemplateSpec,
        core::v1::Container,
        core::v1::EphemeralContainer,
        core::v1::Volume,
        core::v1::ReplicationController,
        core::v1::ReplicationControllerSpec,
        apps::v1::DaemonSet,
        apps::v1::DaemonSetSpec,
        apps::v1::Deployment,
        apps::v1::DeploymentSpec,
        apps::v1::ReplicaSet,
        apps::v1::ReplicaSetSpec,
        apps::v1::StatefulSet,
        apps::v1::StatefulSetSpec,
        batch::v1::CronJob,
        batch::v1::CronJobSpec,
        batch::v1::Job,
        batch::v1::JobSpec,
        batch::v1::JobTemplateSpec,
    );
}

#[test]
fn objects_are_read_and_written_as_upstream_does() {
    let template = serde_json::json!({
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [
                {"name": "c", "image": "nginx", "resources": {"limits": {"cpu": "1"}}, "unknown": 1},
                {"livenessProbe": {"tcpSocket": {"port": 80}}, "stdin": null},
            ],
            "volumes": [{"name": "v", "emptyDir": {}}, {"name": "t", "projected": {"sources": []}}],
            "securityContext": {},
        },
    });
    let spec =
        serde_json::json!({"selector": {"matchLabels": {"app": "web"}}, "template": template});
    for (metadata, spec) in [
        (serde_json::json!({"name": "web"}), spec),
        (serde_json::json!({}), serde_json::json!({"selector": {}, "template": {}})),
    ] {
        let object = serde_json::json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec,
        });
        let read: own::apps::v1::Deployment = serde_json::from_value(object.clone()).unwrap();
        let upstream: api::apps::v1::Deployment = serde_json::from_value(object).unwrap();
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(written, serde_json::to_string(&upstream).unwrap());
    }
    let other = serde_json::json!({"apiVersion": "v1", "kind": "Service"});
    let wrong = serde_json::from_value::<own::core::v1::Pod>(other.clone()).unwrap_err();
    let upstream = serde_json::from_value::<api::core::v1::Pod>(other).unwrap_err();
    assert_eq!(wrong.to_string(), upstream.to_string());
}
