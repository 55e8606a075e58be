//! CustomResourceDefinitions and their objects.

use super::Client;
use naru_api::k8s_openapi::api::core::v1::{Endpoints, Pod, Service};
use naru_api::k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use naru_api::k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use naru_api::kinds::apiservice::available;
use naru_api::kinds::metrics::PodMetrics;
use naru_api::request::{Body, DeleteOptions, ListOptions, Patch, Table};
use naru_api::service::WatchRequest;
use naru_api::{
    ApiError, ApiService, KindRef, Kube, Object, Op, Request, Response, UserInfo, WatchEventType,
    scheme,
};
use serde_json::{Value, json};

fn definition() -> Value {
    json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "crontabs.stable.example.com"},
        "spec": {
            "group": "stable.example.com", "scope": "Namespaced",
            "names": {"plural": "crontabs", "singular": "crontab", "kind": "CronTab",
                "shortNames": ["ct"], "categories": ["all"]},
            "versions": [{
                "name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {
                    "spec": {"type": "object", "required": ["cronSpec"], "properties": {
                        "cronSpec": {"type": "string", "pattern": "^[^ ]+( [^ ]+){4}$"},
                        "image": {"type": "string", "default": "busybox"},
                        "replicas": {"type": "integer", "minimum": 0, "maximum": 10},
                    }},
                    "status": {"type": "object", "properties": {
                        "replicas": {"type": "integer"}, "labelSelector": {"type": "string"}}},
                }}},
                "subresources": {"status": {}, "scale": {"specReplicasPath": ".spec.replicas",
                    "statusReplicasPath": ".status.replicas",
                    "labelSelectorPath": ".status.labelSelector"}},
                "selectableFields": [{"jsonPath": ".spec.image"}],
                "additionalPrinterColumns": [
                    {"name": "Spec", "type": "string", "jsonPath": ".spec.cronSpec"},
                    {"name": "Replicas", "type": "integer", "jsonPath": ".spec.replicas"},
                    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
                ],
            }],
        },
    })
}

fn cron_tab(spec: Value) -> Value {
    json!({"apiVersion": "stable.example.com/v1", "kind": "CronTab",
        "metadata": {"name": "my"}, "spec": spec})
}

struct Crontabs(Client);

impl Crontabs {
    fn new(definition: Value) -> Self {
        let mut client = Client::new();
        client.create::<CustomResourceDefinition>(definition).unwrap();
        Crontabs(client)
    }

    fn kind(&self, version: &str) -> KindRef {
        let api_version = format!("stable.example.com/{version}");
        scheme::by_kind(&self.0.server.kinds(), &api_version, "CronTab").unwrap()
    }

    fn send(&mut self, name: &str, subresource: &'static str, op: Op) -> Result<Object, ApiError> {
        let request = self.0.request(self.kind("v1"), name, op);
        self.0.send(Request { subresource, ..request })
    }

    fn create(&mut self, spec: Value) -> Result<Value, ApiError> {
        let made = self.send("", "", Op::Create(Body::Json(cron_tab(spec))))?;
        Ok(made.to_json().unwrap())
    }

    fn table(&mut self) -> Table {
        let request = self.0.request(self.kind("v1"), "", Op::List(ListOptions::default()));
        match self.0.server.handle(Request { table: true, ..request }).unwrap() {
            Response::Table(table) => table,
            other => panic!("{other:?}"),
        }
    }

    fn definition(&mut self) -> Value {
        let name = "crontabs.stable.example.com";
        self.0.get::<CustomResourceDefinition>(name).unwrap().to_json().unwrap()
    }

    fn redefine(&mut self, patch: Value) {
        let name = "crontabs.stable.example.com";
        self.0.patch::<CustomResourceDefinition>(name, Patch::Merge(patch)).unwrap();
    }

    fn watch(&mut self) -> naru_api::WatchId {
        let user = UserInfo::new("kubernetes-admin", &["system:masters"]);
        let request = WatchRequest::new(user, "kubectl".into(), self.kind("v1"));
        self.0.server.watch(request).unwrap()
    }
}

fn good() -> Value {
    json!({"cronSpec": "* * * * */5"})
}

#[test]
fn a_definition_is_established_and_served() {
    let mut crontabs = Crontabs::new(definition());
    let status = crontabs.definition()["status"].clone();
    assert_eq!(status["acceptedNames"]["listKind"], "CronTabList");
    assert_eq!(status["storedVersions"], json!(["v1"]));
    let conditions: Vec<_> = status["conditions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| {
            [&c["type"], &c["status"], &c["reason"], &c["message"]].map(|v| v.as_str().unwrap())
        })
        .collect();
    assert_eq!(
        conditions,
        [
            ["NamesAccepted", "True", "NoConflicts", "no conflicts found"],
            ["Established", "True", "InitialNamesAccepted", "the initial names have been accepted"],
        ]
    );
    let kind = crontabs.kind("v1");
    assert_eq!((&*kind.singular, kind.short_names.join(",")), ("crontab", "ct".to_owned()));
    assert_eq!(&*kind.subresources, ["status", "scale"]);
    let made = crontabs.create(good()).unwrap();
    assert_eq!(made["spec"], json!({"cronSpec": "* * * * */5", "image": "busybox"}));
    assert_eq!(made["metadata"]["generation"], 1);
    let keys: Vec<_> = crontabs.0.server.store().keys("/registry/stable.example.com/").collect();
    assert_eq!(keys, ["/registry/stable.example.com/crontabs/default/my"]);
    let table = crontabs.table();
    let names: Vec<_> = table.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names, ["Name", "Spec", "Replicas", "Age"]);
    let cells: Vec<_> = table.rows[0].cells.iter().map(ToString::to_string).collect();
    assert_eq!(cells, ["my", "* * * * */5", "", "0s"]);
}

#[test]
fn refusals_are_upstreams() {
    let mut crontabs = Crontabs::new(definition());
    let table = [
        (
            json!({}),
            422,
            "CronTab.stable.example.com \"my\" is invalid: spec.cronSpec: Required value",
        ),
        (
            json!({"cronSpec": "x", "replicas": 11}),
            422,
            "CronTab.stable.example.com \"my\" is invalid: [spec.cronSpec: Invalid value: \"x\": \
             spec.cronSpec in body should match '^[^ ]+( [^ ]+){4}$', spec.replicas: Invalid \
             value: 11: spec.replicas in body should be less than or equal to 10]",
        ),
        (
            json!({"cronSpec": "* * * * *", "imag": "x"}),
            400,
            "CronTab in version \"v1\" cannot be handled as a CronTab: strict decoding error: \
             unknown field \"spec.imag\"",
        ),
    ];
    for (spec, code, message) in table {
        let error = crontabs.create(spec).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, message));
    }
    crontabs.create(good()).unwrap();
    let error = crontabs.send("my", "", Op::Patch(Patch::Strategic(json!({})))).unwrap_err();
    assert_eq!((error.code(), error.reason()), (415, "UnsupportedMediaType"));
    let error = crontabs.send("my", "log", Op::Get).unwrap_err();
    assert_eq!(error.message(), "crontabs.stable.example.com \"my\" not found");
    let options = ListOptions { field_selector: "spec.x=y".to_owned(), ..Default::default() };
    let request = crontabs.0.request(crontabs.kind("v1"), "", Op::List(options));
    let error = crontabs.0.server.handle(request).unwrap_err();
    assert_eq!(error.message(), "field label not supported: spec.x");
}

#[test]
fn the_status_has_its_own_path() {
    let mut crontabs = Crontabs::new(definition());
    crontabs.create(good()).unwrap();
    let patch = |value: Value| Op::Patch(Patch::Merge(value));
    let both = json!({"spec": {"replicas": 2}, "status": {"replicas": 1}});
    let changed = crontabs.send("my", "", patch(both.clone())).unwrap().to_json().unwrap();
    assert_eq!(changed["status"], Value::Null);
    assert_eq!(changed["metadata"]["generation"], 2);
    let mut other = both;
    other["spec"]["replicas"] = json!(5);
    let changed = crontabs.send("my", "status", patch(other)).unwrap().to_json().unwrap();
    assert_eq!(changed["spec"]["replicas"], 2);
    assert_eq!(changed["status"]["replicas"], 1);
    assert_eq!(changed["metadata"]["generation"], 2);
    let error =
        crontabs.send("my", "status", patch(json!({"status": {"replicas": "x"}}))).unwrap_err();
    assert_eq!(
        error.message(),
        "CronTab.stable.example.com \"my\" is invalid: [status.replicas: Invalid value: \
         \"string\": replicas in body must be of type integer: \"string\", .status.replicas: \
         Invalid value: 0: .status.replicas accessor error: x is of the type string, expected int64]"
    );
}

#[test]
fn names_are_given_once() {
    let mut crontabs = Crontabs::new(definition());
    let mut other = definition();
    other["metadata"]["name"] = json!("timers.stable.example.com");
    other["spec"]["names"] = json!({"plural": "timers", "kind": "Timer", "shortNames": ["ct"]});
    crontabs.0.create::<CustomResourceDefinition>(other).unwrap();
    let find = |crontabs: &Crontabs| {
        scheme::by_kind(&crontabs.0.server.kinds(), "stable.example.com/v1", "Timer")
    };
    let timers = |crontabs: &mut Crontabs| {
        let name = "timers.stable.example.com";
        crontabs.0.get::<CustomResourceDefinition>(name).unwrap().to_json().unwrap()
    };
    let condition = timers(&mut crontabs)["status"]["conditions"][0].clone();
    assert_eq!(condition["reason"], "ShortNamesConflict");
    assert_eq!(condition["message"], "\"ct\" is already in use");
    assert_eq!(timers(&mut crontabs)["status"]["conditions"][1]["reason"], "NotAccepted");
    assert!(find(&crontabs).is_none());
    // When the name is free again, the other definition gets it.
    let name = "crontabs.stable.example.com";
    crontabs.0.delete::<CustomResourceDefinition>(name, DeleteOptions::default()).unwrap();
    assert_eq!(timers(&mut crontabs)["status"]["conditions"][1]["status"], "True");
    assert_eq!(find(&crontabs).unwrap().short_names.join(","), "ct");
}

#[test]
fn a_deleted_definition_takes_its_objects_with_it() {
    let mut crontabs = Crontabs::new(definition());
    let kind = crontabs.kind("v1");
    crontabs.create(good()).unwrap();
    let held = json!({"metadata": {"finalizers": ["example.com/held"]}});
    crontabs.send("my", "", Op::Patch(Patch::Merge(held))).unwrap();
    let watch = crontabs.watch();
    let name = "crontabs.stable.example.com";
    let options = DeleteOptions::default;
    crontabs.0.delete::<CustomResourceDefinition>(name, options()).unwrap();
    let condition = crontabs.definition()["status"]["conditions"][2].clone();
    assert_eq!(condition["type"], "Terminating");
    assert_eq!(condition["reason"], "InstanceDeletionInProgress");
    let error = crontabs.send("", "", Op::Create(Body::Json(cron_tab(good())))).unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (405, "create not allowed while custom resource definition is terminating")
    );
    let events = crontabs.0.events(watch);
    assert_eq!(events.last().unwrap().0, WatchEventType::Modified);
    let free = json!({"metadata": {"finalizers": null}});
    crontabs.send("my", "", Op::Patch(Patch::Merge(free))).unwrap();
    assert!(crontabs.0.get::<CustomResourceDefinition>(name).unwrap_err().is_not_found());
    assert!(scheme::by_resource(&crontabs.0.server.kinds(), &kind.group, &kind.plural).is_none());
    let error = crontabs.0.send(crontabs.0.request(kind, "my", Op::Get)).unwrap_err();
    assert_eq!(error.message(), "the server could not find the requested resource");
    assert!(crontabs.0.server.poll(watch).is_err());
    assert_eq!(crontabs.0.server.store().keys("/registry/stable.example.com/").count(), 0);
}

#[test]
fn a_new_definition_changes_what_is_read() {
    let mut crontabs = Crontabs::new(definition());
    let old_kind = crontabs.kind("v1");
    crontabs.create(good()).unwrap();
    let watch = crontabs.watch();
    let mut versions = definition()["spec"]["versions"].clone();
    let spec = &mut versions[0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
    spec["suspend"] = json!({"type": "boolean", "default": false});
    spec.as_object_mut().unwrap().remove("image");
    versions[0].as_object_mut().unwrap().remove("selectableFields");
    crontabs.redefine(json!({"spec": {"versions": versions}}));
    assert!(crontabs.0.server.poll(watch).is_err(), "watches end with the old storage");
    // Whoever still holds the old kind is answered by the new one.
    let read = crontabs.0.send(crontabs.0.request(old_kind, "my", Op::Get)).unwrap();
    let spec = read.to_json().unwrap()["spec"].clone();
    assert_eq!(spec, json!({"cronSpec": "* * * * */5", "suspend": false}));
}

#[test]
fn every_version_is_one_kind() {
    let mut both = definition();
    let mut beta = both["spec"]["versions"][0].clone();
    beta["name"] = json!("v1beta1");
    beta["storage"] = json!(false);
    beta["deprecated"] = json!(true);
    let properties = &mut beta["schema"]["openAPIV3Schema"]["properties"]["spec"];
    properties["required"] = json!([]);
    both["spec"]["versions"].as_array_mut().unwrap().push(beta);
    let mut crontabs = Crontabs::new(both);
    let versions: Vec<_> = crontabs
        .0
        .server
        .kinds()
        .iter()
        .filter(|kind| kind.kind == "CronTab")
        .map(|kind| kind.version.to_string())
        .collect();
    assert_eq!(versions, ["v1", "v1beta1"]);
    let watch = crontabs.watch();
    let mut body = cron_tab(json!({"replicas": 1}));
    body["apiVersion"] = json!("stable.example.com/v1beta1");
    let beta = crontabs.kind("v1beta1");
    let request = crontabs.0.request(beta, "", Op::Create(Body::Json(body)));
    let made = crontabs.0.send(request).unwrap().to_json().unwrap();
    assert_eq!(made["apiVersion"], "stable.example.com/v1beta1");
    let warning =
        "stable.example.com/v1beta1 CronTab is deprecated; use stable.example.com/v1 CronTab";
    assert_eq!(crontabs.0.server.take_warnings(), [warning]);
    let events = crontabs.0.server.poll(watch).unwrap();
    assert_eq!(&*events[0].object.kind().version, "v1");
    let stored = crontabs.0.server.store().range("/registry/stable.example.com/").next().unwrap();
    assert_eq!(&*stored.kind().version, "v1");
}

#[test]
fn every_group_is_registered() {
    let mut crontabs = Crontabs::new(definition());
    let rows = |crontabs: &mut Crontabs| -> Vec<String> {
        let request = crontabs.0.request(APIService::kind(), "", Op::List(ListOptions::default()));
        match crontabs.0.server.handle(Request { table: true, ..request }).unwrap() {
            Response::Table(table) => table
                .rows
                .iter()
                .map(|row| row.cells.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
                .collect(),
            other => panic!("{other:?}"),
        }
    };
    let all = rows(&mut crontabs);
    assert!(all.contains(&"v1. Local True 0s".to_owned()), "{all:?}");
    assert!(all.contains(&"v2.autoscaling Local True 0s".to_owned()));
    assert!(all.contains(&"v1.stable.example.com Local True 0s".to_owned()));
    let name = "crontabs.stable.example.com";
    crontabs.0.delete::<CustomResourceDefinition>(name, DeleteOptions::default()).unwrap();
    assert!(!rows(&mut crontabs).iter().any(|row| row.contains("stable.example.com")));
}

#[test]
fn a_service_of_another_server_is_looked_after() {
    let mut client = Client::new();
    let registered = json!({"apiVersion": "apiregistration.k8s.io/v1", "kind": "APIService",
        "metadata": {"name": "v1beta1.metrics.k8s.io"},
        "spec": {"group": "metrics.k8s.io", "version": "v1beta1", "groupPriorityMinimum": 100,
            "versionPriority": 100, "insecureSkipTLSVerify": true,
            "service": {"name": "metrics-server", "namespace": "default"}}});
    client.create::<APIService>(registered).unwrap();
    let condition = |client: &mut Client| {
        let found = client.get::<APIService>("v1beta1.metrics.k8s.io").unwrap();
        let found = available(found.get().unwrap()).unwrap().clone();
        (found.status, found.reason.unwrap(), found.message.unwrap())
    };
    let wrong =
        |reason: &str, message: &str| ("False".to_owned(), reason.to_owned(), message.to_owned());
    let place = "service/metrics-server in \"default\"";
    let message = format!("{place} is not present");
    assert_eq!(condition(&mut client), wrong("ServiceNotFound", &message));
    let service = |port: i32| {
        json!({"metadata": {"name": "metrics-server"},
        "spec": {"ports": [{"name": "https", "port": port}]}})
    };
    client.create::<Service>(service(80)).unwrap();
    let message = format!("{place} is not listening on port 443");
    assert_eq!(condition(&mut client), wrong("ServicePortError", &message));
    client.delete::<Service>("metrics-server", DeleteOptions::default()).unwrap();
    client.create::<Service>(service(443)).unwrap();
    let message = format!("cannot find endpoints for {place}");
    assert_eq!(condition(&mut client), wrong("EndpointsNotFound", &message));
    client.create::<Endpoints>(json!({"metadata": {"name": "metrics-server"}})).unwrap();
    let message = format!("endpoints for {place} have no addresses with port name \"https\"");
    assert_eq!(condition(&mut client), wrong("MissingEndpoints", &message));
    let subsets = json!([{"addresses": [{"ip": "10.244.0.2"}],
        "ports": [{"name": "https", "port": 4443}]}]);
    client.patch::<Endpoints>("metrics-server", Patch::Merge(json!({"subsets": subsets}))).unwrap();
    let passed = ("True".to_owned(), "Passed".to_owned(), "all checks passed".to_owned());
    assert_eq!(condition(&mut client), passed);
    let served =
        |client: &Client| client.server.kinds().iter().any(|k| k.group == "metrics.k8s.io");
    assert!(served(&client));
    assert_eq!(client.get::<PodMetrics>("web").unwrap_err().message(), "pods \"web\" not found");
    client.create::<Pod>(super::pod("web")).unwrap();
    let message = "podmetrics.metrics.k8s.io \"default/web\" not found";
    assert_eq!(client.get::<PodMetrics>("web").unwrap_err().message(), message);
    let meta = ObjectMeta {
        name: Some("web".to_owned()),
        namespace: Some("default".to_owned()),
        ..ObjectMeta::default()
    };
    let now = naru_api::time::meta_time(client.server.now());
    let metrics = Object::new(PodMetrics::new(meta, now, "15s".to_owned(), Vec::new()));
    let kind = PodMetrics::kind();
    let stranger = UserInfo::service_account("other", "metrics-server");
    let error = client.server.tell(&stranger, &kind, vec![metrics.clone()]).unwrap_err();
    assert_eq!(error.code(), 403);
    let account = UserInfo::service_account("default", "metrics-server");
    client.server.tell(&account, &kind, vec![metrics]).unwrap();
    assert_eq!(client.get::<PodMetrics>("web").unwrap().name(), "web");
    client.remove::<Endpoints>("metrics-server", DeleteOptions::default()).unwrap();
    assert_eq!(condition(&mut client).1, "EndpointsNotFound");
    assert!(!served(&client));
}
