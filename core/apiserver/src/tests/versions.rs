//! A kind with two versions, of which one is stored.

use super::Client;
use naru_api::encode::{self, Sink};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::request::{Body, DeleteOptions, ListOptions, Patch};
use naru_api::service::WatchRequest;
use naru_api::{
    ApiService, Cell, Column, FieldError, Kind, KindRef, KubeObject, Names, Object, Op, Response,
    Strategy, UserInfo,
};
use naru_sim::Time;
use serde_json::{Value, json};
use std::any::Any;
use std::borrow::Cow;

/// `spec.size` in v1, `spec.sizeInMetres` in v2, which is stored.
static V1: Kind = Names::new("example.com", "v1", "Widget", "widgets", "widget").kind(&Rules(1));
static V2: Kind = Names::new("example.com", "v2", "Widget", "widgets", "widget").kind(&Rules(2));

#[derive(Clone, Debug, PartialEq)]
struct Widget {
    version: u8,
    meta: ObjectMeta,
    size: i64,
}

struct Rules(u8);

impl KubeObject for Widget {
    fn kind(&self) -> KindRef {
        KindRef::built_in(if self.version == 1 { &V1 } else { &V2 })
    }
    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }
    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
    fn tell(&self, sink: &mut dyn Sink) -> Result<(), serde_json::Error> {
        let field = if self.version == 1 { "size" } else { "sizeInMetres" };
        let json = json!({"apiVersion": format!("example.com/v{}", self.version), "kind": "Widget",
            "metadata": self.meta, "spec": {field: self.size}});
        encode::tell(&json, sink)
    }
    fn equals(&self, other: &dyn KubeObject) -> bool {
        (other as &dyn Any).downcast_ref::<Widget>() == Some(self)
    }
}

fn widget(object: &Object) -> Widget {
    Rules(0).read(object.to_json().unwrap())
}

impl Rules {
    fn read(&self, json: Value) -> Widget {
        let version = if json["apiVersion"] == "example.com/v1" { 1 } else { 2 };
        let field = if version == 1 { "size" } else { "sizeInMetres" };
        Widget {
            version,
            meta: serde_json::from_value(json["metadata"].clone()).unwrap(),
            size: json["spec"][field].as_i64().unwrap(),
        }
    }

    fn turn(object: &Object, version: u8) -> Object {
        Object::new(Widget { version, ..widget(object) })
    }
}

impl Strategy for Rules {
    fn decode(&self, json: Value) -> Result<Object, String> {
        Ok(Object::new(self.read(json)))
    }
    fn validate(&self, object: &Object) -> Vec<FieldError> {
        assert_eq!(self.0, 2, "the rules are those of the stored version");
        let negative = widget(object).size < 0;
        let error = FieldError::invalid_raw("spec.sizeInMetres", -1, "must not be negative");
        if negative { vec![error] } else { Vec::new() }
    }
    fn storage_kind(&self) -> Option<KindRef> {
        (self.0 == 1).then_some(KindRef::built_in(&V2))
    }
    fn to_storage(&self, object: Object) -> Object {
        Rules::turn(&object, 2)
    }
    fn from_storage(&self, object: Object) -> Object {
        Rules::turn(&object, 1)
    }
    fn columns(&self) -> Cow<'static, [Column]> {
        Cow::Owned(vec![Column::new("Name"), Column::new("Version")])
    }
    fn row(&self, object: &Object, _now: Time) -> Vec<Cell> {
        vec![object.name().into(), i32::from(widget(object).version).into()]
    }
    fn field_labels(&self) -> &'static [&'static str] {
        if self.0 == 1 { &["spec.size"] } else { &["spec.sizeInMetres"] }
    }
    fn field(&self, object: &Object, _path: &str) -> Option<String> {
        assert_eq!(widget(object).version, self.0);
        Some(widget(object).size.to_string())
    }
}

const KINDS: [KindRef; 2] = [KindRef::built_in(&V1), KindRef::built_in(&V2)];

fn new(version: u8, size: i64) -> Op {
    let object = Widget { version, meta: ObjectMeta::default(), size };
    let mut json = object.to_json().unwrap();
    json["metadata"] = json!({"name": format!("w{version}")});
    Op::Create(Body::Json(json))
}

#[test]
fn who_asks_for_a_version_gets_it() {
    let mut client = Client::new();
    let [v1, v2] = KINDS;
    let options = ListOptions { field_selector: "spec.size=3".to_owned(), ..Default::default() };
    let watch = |kind, options| WatchRequest {
        options,
        ..WatchRequest::new(UserInfo::new("kubernetes-admin", &[]), "kubectl".into(), kind)
    };
    let threes = client.server.watch(watch(v1.clone(), options)).unwrap();
    let all = client.server.watch(watch(v2.clone(), ListOptions::default())).unwrap();
    let versions = |client: &mut Client, watch| -> Vec<(u8, i64)> {
        let events = client.server.poll(watch).unwrap();
        events.iter().map(|event| widget(&event.object)).map(|w| (w.version, w.size)).collect()
    };
    for (kind, version) in [(&v1, 1), (&v2, 2)] {
        let request = client.request(kind.clone(), "", new(version, 3));
        assert_eq!(widget(&client.send(request).unwrap()).version, version);
    }
    assert_eq!(versions(&mut client, threes), [(1, 3), (1, 3)]);
    assert_eq!(versions(&mut client, all), [(2, 3), (2, 3)]);
    let keys: Vec<_> = client.server.store().keys("/registry/widgets/").collect();
    assert_eq!(keys, ["/registry/widgets/default/w1", "/registry/widgets/default/w2"]);
    let stored: Vec<_> = client.server.store().range("/registry/widgets/").map(widget).collect();
    assert!(stored.iter().all(|widget| widget.version == 2));

    let patch = Op::Patch(Patch::Merge(json!({"spec": {"size": 4}})));
    let request = client.request(v1.clone(), "w2", patch);
    assert_eq!(widget(&client.send(request).unwrap()).size, 4);
    assert_eq!(versions(&mut client, threes), [(1, 3)]);
    assert_eq!(versions(&mut client, all), [(2, 4)]);

    let request = client.request(v1.clone(), "", Op::List(ListOptions::default()));
    let Ok(Response::Table(table)) =
        client.server.handle(naru_api::Request { table: true, ..request })
    else {
        panic!("no table")
    };
    let cells: Vec<_> = table.rows.iter().map(|row| row.cells.clone()).collect();
    assert_eq!(cells, [vec!["w1".into(), 1.into()], vec![Cell::from("w2"), 1.into()]]);

    let request = client.request(v1.clone(), "w1", Op::Delete(DeleteOptions::default()));
    client.done(request).unwrap();
    let request = client.request(v2, "w1", Op::Get);
    assert!(client.send(request).unwrap_err().is_not_found());
}

#[test]
fn what_is_wrong_is_told_of_the_stored_version() {
    let mut client = Client::new();
    let [v1, v2] = KINDS;
    let error = client.send(client.request(v1.clone(), "", new(1, -1))).unwrap_err();
    let wrong = "Widget.example.com \"w1\" is invalid: spec.sizeInMetres: Invalid value: -1: must \
                 not be negative";
    assert_eq!(error.message(), wrong);
    let body = Op::Create(Body::Object(
        Rules(1)
            .decode(json!({"apiVersion": "example.com/v1",
        "metadata": {"name": "a"}, "spec": {"size": 1}}))
            .unwrap(),
    ));
    let error = client.send(client.request(v2, "", body)).unwrap_err();
    assert_eq!(error.message(), "Widget in version \"v1\" cannot be handled as a Widget");
}
