//! Creations, reads, and what comes before them.

use super::{Client, labelled_pod, pod};
use crate::ApiServer;
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Pod, Service};
use naru_api::request::{Body, ListOptions};
use naru_api::{ApiService, Cell, Kube, Op, Request, Response, UserInfo};
use naru_sim::{Rng, Time};
use serde_json::{Value, json};

fn service(spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Service", "metadata": {"generateName": "web-"},
        "spec": spec})
}

#[test]
fn a_pod_gets_what_admission_gives() {
    let mut client = Client::new();
    let pod = client.create::<Pod>(pod("web")).unwrap();
    let spec = pod.get::<Pod>().unwrap().spec.clone().unwrap();
    assert_eq!(spec.service_account_name.as_deref(), Some("default"));
    assert_eq!(spec.priority, Some(0));
    assert_eq!(spec.preemption_policy.as_deref(), Some("PreemptLowerPriority"));
    assert_eq!(spec.enable_service_links, Some(true));
    let keys: Vec<_> = spec.tolerations.iter().flatten().map(|t| t.key.clone().unwrap()).collect();
    assert_eq!(keys, ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]);
}

#[test]
fn names_are_generated() {
    let mut client = Client::new();
    let body = json!({"metadata": {"generateName": "web-"}});
    let one = client.create::<ConfigMap>(body.clone()).unwrap();
    let two = client.create::<ConfigMap>(body).unwrap();
    assert_eq!(one.name().len(), "web-".len() + 5);
    assert_ne!(one.name(), two.name());
}

#[test]
fn refusals_are_upstreams() {
    let mut client = Client::new();
    let with = |change: fn(&mut Value)| {
        let mut body = pod("web");
        change(&mut body);
        body
    };
    let table = [
        (
            with(|pod| pod["spec"]["containers"][0]["image"] = json!("")),
            422,
            "Pod \"web\" is invalid: spec.containers[0].image: Required value",
        ),
        (
            with(|pod| pod["spec"]["foo"] = json!(1)),
            400,
            "Pod in version \"v1\" cannot be handled as a Pod: strict decoding error: unknown \
             field \"spec.foo\"",
        ),
        (
            with(|pod| pod["spec"]["containers"][0]["name"] = json!(1)),
            400,
            "Pod in version \"v1\" cannot be handled as a Pod: json: cannot unmarshal number into \
             Go struct field Container.spec.containers.name of type string",
        ),
        (
            with(|pod| pod["kind"] = json!("Service")),
            400,
            "Service in version \"v1\" cannot be handled as a Pod: converting (v1.Service) to \
             (core.Pod): unknown conversion",
        ),
        (
            with(|pod| pod["kind"] = json!("Pood")),
            400,
            "Pood in version \"v1\" cannot be handled as a Pod: no kind \"Pood\" is registered \
             for version \"v1\" in scheme \"pkg/api/legacyscheme/scheme.go:30\"",
        ),
        (
            with(|pod| pod["metadata"]["namespace"] = json!("other")),
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
        ),
        (
            with(|pod| pod["metadata"]["name"] = json!("")),
            422,
            "Pod \"\" is invalid: metadata.name: Required value: name or generateName is required",
        ),
        (
            with(|pod| pod["spec"]["serviceAccountName"] = json!("robot")),
            403,
            "pods \"web\" is forbidden: error looking up service account default/robot: \
             serviceaccount \"robot\" not found",
        ),
        (
            with(|pod| pod["spec"]["priorityClassName"] = json!("high")),
            403,
            "pods \"web\" is forbidden: no PriorityClass with name high was found",
        ),
    ];
    for (body, code, message) in table {
        let error = client.create::<Pod>(body).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, message));
    }
}

#[test]
fn a_namespace_must_be_there() {
    let mut client = Client::new();
    let mut request = client.request(Pod::kind(), "", Op::Create(Body::Json(pod("web"))));
    request.namespace = "nowhere".to_owned();
    let error = client.send(request).unwrap_err();
    assert_eq!((error.code(), error.message()), (404, "namespaces \"nowhere\" not found"));
}

#[test]
fn large_objects_are_refused() {
    let mut client = Client::new();
    let annotations = json!({"metadata": {"name": "c", "annotations": {"a": "x".repeat(300_000)}}});
    let error = client.create::<ConfigMap>(annotations).unwrap_err();
    assert_eq!(
        error.message(),
        "ConfigMap \"c\" is invalid: metadata.annotations: Too long: may not be more than 262144 \
         bytes"
    );
    // A configuration is refused long before etcd is asked.
    let body = json!({"metadata": {"name": "c"}, "data": {"a": "x".repeat(1_600_000)}});
    assert_eq!(client.create::<ConfigMap>(body).unwrap_err().code(), 422);
    let mut body = pod("big");
    body["spec"]["containers"][0]["args"] = json!(["x".repeat(1_600_000)]);
    let error = client.create::<Pod>(body).unwrap_err();
    assert_eq!((error.code(), error.message()), (500, "etcdserver: request is too large"));
}

#[test]
fn services_get_addresses_and_ports() {
    let mut client = Client::new();
    let spec = |object: &naru_api::Object| object.get::<Service>().unwrap().spec.clone().unwrap();
    let one = client.create::<Service>(service(json!({"ports": [{"port": 80}]}))).unwrap();
    let ip = spec(&one).cluster_ip.unwrap();
    assert!(ip.starts_with("10.96."), "{ip}");
    assert_eq!(spec(&one).cluster_ips, Some(vec![ip.clone()]));
    assert_eq!(spec(&one).ip_family_policy.as_deref(), Some("SingleStack"));
    let taken = service(json!({"clusterIP": ip, "ports": [{"port": 80}]}));
    let error = client.create::<Service>(taken.clone()).unwrap_err();
    let text = format!(
        "spec.clusterIPs: Invalid value: []string{{\"{ip}\"}}: failed to allocate IP {ip}: \
         provided IP is already allocated"
    );
    assert!(error.message().ends_with(&text), "{}", error.message());
    client.delete::<Service>(one.name(), Default::default()).unwrap();
    client.create::<Service>(taken).unwrap();

    let ports = json!({"type": "NodePort", "ports": [{"port": 80}]});
    let two = client.create::<Service>(service(ports)).unwrap();
    let node_port = spec(&two).ports.unwrap()[0].node_port.unwrap();
    assert!((30086..=32767).contains(&node_port), "{node_port}");
    let same = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": node_port}]});
    let error = client.create::<Service>(service(same)).unwrap_err();
    let text = format!(
        "spec.ports[0].nodePort: Invalid value: {node_port}: provided port is already allocated"
    );
    assert!(error.message().ends_with(&text), "{}", error.message());
    let low = json!({"type": "NodePort", "ports": [{"port": 80, "nodePort": 80}]});
    let error = client.create::<Service>(service(low)).unwrap_err();
    let text = "Invalid value: 80: provided port is not in the valid range. The range of valid \
                ports is 30000-32767";
    assert!(error.message().ends_with(text), "{}", error.message());

    let headless = json!({"clusterIP": "None", "selector": {"a": "b"}});
    let three = client.create::<Service>(service(headless)).unwrap();
    assert_eq!(spec(&three).cluster_ips, Some(vec!["None".to_owned()]));
}

#[test]
fn the_api_server_publishes_itself() {
    let mut client = Client::new();
    client.server.publish("172.18.0.2", 6443).unwrap();
    let service = client.get::<Service>("kubernetes").unwrap();
    let spec = service.get::<Service>().unwrap().spec.clone().unwrap();
    assert_eq!(spec.cluster_ip.as_deref(), Some("10.96.0.1"));
}

#[test]
fn lists_are_selected() {
    let mut client = Client::new();
    for (name, label) in [("b", "web"), ("a", "db"), ("c", "web")] {
        client.create::<Pod>(labelled_pod(name, label)).unwrap();
    }
    client.bind("b", "worker").unwrap();
    let mut list = |labels: &str, fields: &str| {
        let options = ListOptions {
            label_selector: labels.to_owned(),
            field_selector: fields.to_owned(),
            ..ListOptions::default()
        };
        let request = client.request(Pod::kind(), "", Op::List(options));
        match client.server.handle(request) {
            Ok(Response::List(list)) => {
                list.items.iter().map(|pod| pod.name().to_owned()).collect::<Vec<_>>().join(" ")
            }
            Ok(other) => panic!("{other:?}"),
            Err(error) => error.message().to_owned(),
        }
    };
    let table = [
        ("", "", "a b c"),
        ("app=web", "", "b c"),
        ("app!=web", "", "a"),
        ("", "metadata.name=c", "c"),
        ("", "spec.nodeName=worker", "b"),
        ("app=web", "spec.nodeName!=worker", "c"),
        ("", "spec.foo=1", "field label not supported: spec.foo"),
        (
            "a b",
            "",
            "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
        ),
    ];
    for (labels, fields, names) in table {
        assert_eq!(list(labels, fields), names, "{labels} {fields}");
    }
}

#[test]
fn tables_have_upstreams_columns() {
    let mut client = Client::new();
    client.create::<Pod>(pod("web")).unwrap();
    client.server.set_now(Time::from_secs(75));
    let request = client.request(Pod::kind(), "", Op::List(ListOptions::default()));
    let answer = client.server.handle(Request { table: true, ..request }).unwrap();
    let Response::Table(table) = answer else { panic!("{answer:?}") };
    let names: Vec<&str> = table.columns.iter().map(|column| &*column.name).collect();
    assert_eq!(names[..5], ["Name", "Ready", "Status", "Restarts", "Age"]);
    let cells = ["web", "0/1", "Pending", "0", "75s"].map(Cell::from);
    assert_eq!(table.rows[0].cells[..5], cells);
}

#[test]
fn who_has_no_name_is_refused() {
    let mut client = Client::new();
    let request = client.request(Pod::kind(), "", Op::List(ListOptions::default()));
    let nobody = Request { user: UserInfo::new("", &[]), ..request.clone() };
    assert_eq!(client.server.handle(nobody).unwrap_err().code(), 401);
    let anonymous = UserInfo::new("system:anonymous", &["system:unauthenticated"]);
    let error = client.server.handle(Request { user: anonymous, ..request }).unwrap_err();
    assert_eq!(
        error.message(),
        "pods is forbidden: User \"system:anonymous\" cannot list resource \"pods\" in API group \
         \"\" in the namespace \"default\""
    );
}

#[test]
fn the_same_requests_give_the_same_history() {
    let run = |seed: u64| {
        let mut client = Client { server: ApiServer::new(Rng::new(seed)) };
        client.create::<Service>(service(json!({"ports": [{"port": 80}]}))).unwrap();
        client.create::<Pod>(pod("web")).unwrap();
        client.bind("web", "worker").unwrap();
        client.server.digest().unwrap()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_clone_goes_its_own_way() {
    let mut client = Client::new();
    client.create::<Pod>(pod("a")).unwrap();
    let mut other = Client { server: client.server.clone() };
    other.create::<Pod>(pod("b")).unwrap();
    assert!(client.get::<Pod>("b").is_err());
    client.create::<Pod>(pod("b")).unwrap();
    assert_eq!(client.server.digest(), other.server.digest());
}
