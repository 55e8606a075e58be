//! The HTTP face from outside: requests and answers as a client sees them.

use super::*;
use crate::StaticToken;
use naru_api::UserInfo;
use naru_api::service::{Connect, KubeletStreams};
use naru_sim::Rng;
use serde_json::Value;

const TOKEN: &str = "secret";

fn server() -> ApiServer {
    let mut server = ApiServer::new(Rng::new(1));
    let user = UserInfo::new("kubernetes-admin", &["system:masters"]);
    server.add_token(StaticToken { token: TOKEN.to_owned(), user });
    server
}

fn request(method: &str, target: &str, body: &str) -> HttpRequest {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    HttpRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: vec![
            header("authorization", "Bearer secret"),
            header("content-type", "application/json"),
            header("user-agent", "test/v1"),
        ],
        body: body.as_bytes().to_vec(),
        ..HttpRequest::default()
    }
}

fn full(answer: Answer) -> (u16, Value) {
    match answer {
        Answer::Full(response) => {
            let json = serde_json::from_slice(&response.body)
                .unwrap_or_else(|_| String::from_utf8_lossy(&response.body).into());
            (response.head.status, json)
        }
        other => panic!("{other:?}"),
    }
}

fn call(server: &mut ApiServer, method: &str, target: &str, body: &str) -> (u16, Value) {
    full(server.rest(&request(method, target, body)))
}

const CONFIG_MAP: &str =
    r#"{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"a"},"data":{"k":"v"}}"#;
const CONFIG_MAPS: &str = "/api/v1/namespaces/default/configmaps";

#[test]
fn an_object_lives_and_dies() {
    let mut server = server();
    let (code, made) = call(&mut server, "POST", CONFIG_MAPS, CONFIG_MAP);
    assert_eq!((code, &made["kind"], &made["data"]["k"]), (201, &"ConfigMap".into(), &"v".into()));
    let one = format!("{CONFIG_MAPS}/a");
    assert_eq!(call(&mut server, "GET", &one, "").1["metadata"]["uid"], made["metadata"]["uid"]);
    let (_, list) = call(&mut server, "GET", CONFIG_MAPS, "");
    assert_eq!(list["kind"], "ConfigMapList");
    assert_eq!(list["items"][0]["metadata"]["name"], "a");
    assert_eq!(list["items"][0]["kind"], Value::Null, "items say no kind");
    let (code, status) = call(&mut server, "DELETE", &one, "");
    assert_eq!((code, &status["status"]), (200, &"Success".into()));
    assert_eq!(status["details"]["uid"], made["metadata"]["uid"]);
    assert_eq!(status["details"]["kind"], "configmaps");
    let (code, status) = call(&mut server, "GET", &one, "");
    assert_eq!((code, &status["reason"]), (404, &"NotFound".into()));
    assert_eq!(status["metadata"], json!({}));
}

#[test]
fn what_is_not_there_is_told_as_upstream_tells_it() {
    const NOT_FOUND: &str = "the server could not find the requested resource";
    const NOT_ALLOWED: &str = "the server does not allow this method on the requested resource";
    let mut server = server();
    let table = [
        ("GET", "/nothing", 404, "404 page not found\n"),
        ("GET", "/apis/nothing.example/v1/things", 404, "404 page not found\n"),
        ("GET", "/apis/nothing.example", 404, "404 page not found\n"),
        ("GET", "/api/v1/things", 404, NOT_FOUND),
        ("GET", "/api/v1/namespaces/default/nodes", 404, NOT_FOUND),
        ("GET", "/api/v1/pods/web", 404, NOT_FOUND),
        ("GET", "/api/v1/namespaces/default/pods/web/nothing", 404, NOT_FOUND),
        ("POST", "/api/v1/pods", 405, NOT_ALLOWED),
        ("DELETE", "/api/v1/pods", 405, NOT_ALLOWED),
        ("PUT", "/api/v1/namespaces/default/pods", 405, NOT_ALLOWED),
        ("POST", "/api/v1/namespaces/default/pods/web", 405, NOT_ALLOWED),
        ("TRACE", "/api/v1/namespaces/default/pods", 405, NOT_ALLOWED),
        ("DELETE", "/version", 405, NOT_ALLOWED),
        ("POST", "/openid/v1/jwks", 405, NOT_ALLOWED),
        ("POST", "/nothing", 404, "404 page not found\n"),
        ("DELETE", "/metrics", 200, "metrics reset\n"),
        ("DELETE", "/api/v1/namespaces/default/pods/web/log", 405, NOT_ALLOWED),
    ];
    for (method, target, code, message) in table {
        let (found, body) = call(&mut server, method, target, "");
        let text = body["message"].as_str().or(body.as_str()).unwrap_or_default();
        assert_eq!((found, text), (code, message), "{method} {target}");
    }
}

#[test]
fn bad_bodies_are_refused() {
    let mut server = server();
    let (code, status) = call(&mut server, "POST", CONFIG_MAPS, "{\"kind\": ");
    assert_eq!(code, 400);
    assert!(status["message"].as_str().unwrap().starts_with(
        "the object provided is unrecognized (must be of type ConfigMap): couldn't get \
         version/kind; json parse error: unexpected end of JSON input"
    ));
    let mut bad = request("POST", CONFIG_MAPS, CONFIG_MAP);
    bad.headers[1].1 = "text/plain".to_owned();
    assert_eq!(full(server.rest(&bad)).0, 415);
    let mut huge = request("POST", CONFIG_MAPS, "");
    huge.body = vec![b' '; BODY_BYTES_MAX + 1];
    assert_eq!(full(server.rest(&huge)).0, 413);
    let (code, status) = call(&mut server, "PATCH", &format!("{CONFIG_MAPS}/a"), "{}");
    assert_eq!(code, 415);
    assert!(status["message"].as_str().unwrap().contains("application/merge-patch+json"));
}

#[test]
fn who_is_not_known_is_refused() {
    let mut server = server();
    let mut stranger = request("GET", "/api/v1/pods", "");
    stranger.headers[0].1 = "Bearer other".to_owned();
    let (code, status) = full(server.rest(&stranger));
    assert_eq!((code, &status["message"]), (401, &"Unauthorized".into()));
    stranger.headers.remove(0);
    let (code, status) = full(server.rest(&stranger));
    assert_eq!((code, &status["reason"]), (403, &"Forbidden".into()));
}

#[test]
fn a_table_has_typed_columns_and_metadata_in_its_rows() {
    let mut server = server();
    call(&mut server, "POST", CONFIG_MAPS, CONFIG_MAP);
    let mut wanted = request("GET", CONFIG_MAPS, "");
    let accept = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
    wanted.headers.push(("accept".to_owned(), accept.to_owned()));
    let (_, table) = full(server.rest(&wanted));
    assert_eq!((&table["kind"], &table["apiVersion"]), (&"Table".into(), &"meta.k8s.io/v1".into()));
    let name = &table["columnDefinitions"][0];
    assert_eq!(
        (&name["name"], &name["type"], &name["format"]),
        (&"Name".into(), &"string".into(), &"name".into())
    );
    assert_eq!(table["rows"][0]["cells"][0], "a");
    assert_eq!(table["rows"][0]["object"]["kind"], "PartialObjectMetadata");
    wanted.query = "includeObject=Object".to_owned();
    assert_eq!(full(server.rest(&wanted)).1["rows"][0]["object"]["data"]["k"], "v");
}

#[test]
fn a_watch_tells_events_as_lines() {
    let mut server = server();
    let Answer::Watch(head, mut watching) =
        server.rest(&request("GET", &format!("{CONFIG_MAPS}?watch=1&timeoutSeconds=30"), ""))
    else {
        panic!("no watch");
    };
    assert_eq!(head.status, 200);
    assert_eq!(watching.poll(&mut server), WatchOutput::default());
    call(&mut server, "POST", CONFIG_MAPS, CONFIG_MAP);
    call(&mut server, "DELETE", &format!("{CONFIG_MAPS}/a"), "");
    let output = watching.poll(&mut server);
    let text = String::from_utf8(output.bytes).unwrap();
    let kinds: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| event["type"].clone())
        .collect();
    assert_eq!(kinds, ["ADDED", "DELETED"]);
    assert!(!output.ended);
    server.set_now(watching.until());
    assert!(watching.poll(&mut server).ended);
}

#[test]
fn lists_come_in_parts() {
    let mut server = server();
    for name in ["a", "b", "c"] {
        let body = CONFIG_MAP.replace("\"a\"", &format!("\"{name}\""));
        call(&mut server, "POST", CONFIG_MAPS, &body);
    }
    let (_, first) = call(&mut server, "GET", &format!("{CONFIG_MAPS}?limit=2"), "");
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    assert_eq!(first["metadata"]["remainingItemCount"], 1);
    let token = first["metadata"]["continue"].as_str().unwrap();
    call(&mut server, "DELETE", &format!("{CONFIG_MAPS}/c"), "");
    let target = format!("{CONFIG_MAPS}?limit=2&continue={token}");
    let (_, second) = call(&mut server, "GET", &target, "");
    assert_eq!(second["items"][0]["metadata"]["name"], "c");
    assert_eq!(second["metadata"]["resourceVersion"], first["metadata"]["resourceVersion"]);
    let (code, status) =
        call(&mut server, "GET", &format!("{CONFIG_MAPS}?resourceVersionMatch=Exact"), "");
    assert_eq!((code, &status["details"]["kind"]), (422, &"ListOptions".into()));
}

#[test]
fn a_watch_that_comes_too_late_is_told_so_in_its_stream() {
    let mut server = server();
    call(&mut server, "POST", CONFIG_MAPS, CONFIG_MAP);
    let mut watch = |query: &str| {
        let target = format!("{CONFIG_MAPS}?watch=1&{query}");
        let Answer::Watch(_, mut watching) = server.rest(&request("GET", &target, "")) else {
            panic!("no watch");
        };
        let output = watching.poll(&mut server);
        let event: Value = match output.bytes.as_slice() {
            [] => Value::Null,
            bytes => serde_json::from_slice(bytes).unwrap(),
        };
        for minutes in [5, 10] {
            server.set_now(naru_sim::Time::from_secs(minutes * 60));
            server.tick();
        }
        (event["type"].clone(), event["object"]["code"].clone())
    };
    assert_eq!(watch("resourceVersion=1").0, "ADDED");
    assert_eq!(watch("resourceVersion=1"), ("ERROR".into(), 410.into()));
    let silent = "sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    assert_eq!(watch(silent).0, Value::Null);
}

#[test]
fn discovery_has_two_forms() {
    let mut server = server();
    let (_, core) = call(&mut server, "GET", "/api/v1", "");
    let names: Vec<&str> = core["resources"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|row| row["name"].as_str())
        .collect();
    assert!(names.is_sorted() && names.contains(&"pods/log"), "{names:?}");
    let mut wanted = request("GET", "/apis", "");
    const TYPE: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    wanted.headers.push(("accept".to_owned(), format!("{TYPE},application/json")));
    let Answer::Full(response) = server.rest(&wanted) else { panic!("not whole") };
    assert_eq!(response.head.headers[0], ("Content-Type".into(), TYPE.to_owned()));
    let list: Value = serde_json::from_slice(&response.body).unwrap();
    let mut apps = list["items"].as_array().unwrap().iter();
    let apps = apps.find(|group| group["metadata"]["name"] == "apps").unwrap();
    assert_eq!(apps["versions"][0]["version"], "v1");
    let tag = response.head.headers.iter().find(|(name, _)| *name == "ETag").unwrap().1.clone();
    wanted.headers.push(("if-none-match".to_owned(), tag));
    assert_eq!(full(server.rest(&wanted)).0, 304);
}

#[test]
fn health_is_told_in_upstreams_form() {
    let mut server = server();
    assert_eq!(call(&mut server, "GET", "/livez", ""), (200, "ok".into()));
    let (_, text) = call(&mut server, "GET", "/readyz?verbose&exclude=etcd&exclude=x", "");
    let text = text.as_str().unwrap();
    assert!(text.starts_with("[+]ping ok\n[+]log ok\n[+]etcd excluded: ok\n"), "{text}");
    const END: &str = "[+]shutdown ok\nwarn: some health checks cannot be excluded: no matches for \
                       \"x\"\nreadyz check passed\n";
    assert!(text.ends_with(END), "{text}");
    assert_eq!(call(&mut server, "GET", "/livez/ping", ""), (200, "ok".into()));
    assert_eq!(call(&mut server, "GET", "/livez/shutdown", "").0, 404);
}

fn made(server: &mut ApiServer, plural: &str, body: Value) {
    let target = format!("/api/v1/namespaces/default/{plural}");
    let (code, answer) = call(server, "POST", &target, &body.to_string());
    assert_eq!(code, 201, "{answer}");
}

/// A pod with an address, behind the service `web` with the ports `http` (80) and `other` (81).
fn backends(server: &mut ApiServer) {
    let ports = json!([{"containerPort": 8080, "name": "http"}]);
    let spec = json!({"containers": [{"name": "c", "image": "nginx", "ports": ports}]});
    made(server, "pods", json!({"metadata": {"name": "web"}, "spec": spec}));
    let status = json!({"status": {"podIP": "10.244.1.2", "podIPs": [{"ip": "10.244.1.2"}]}});
    let mut patch =
        request("PATCH", "/api/v1/namespaces/default/pods/web/status", &status.to_string());
    patch.headers[1].1 = "application/merge-patch+json".to_owned();
    assert_eq!(full(server.rest(&patch)).0, 200);
    let ports = json!([{"port": 80, "name": "http"}, {"port": 81, "name": "other"}]);
    made(server, "services", json!({"metadata": {"name": "web"}, "spec": {"ports": ports}}));
    let target = json!({"kind": "Pod", "namespace": "default", "name": "web"});
    let addresses = json!([{"ip": "10.244.1.2", "targetRef": target}]);
    let subsets = json!([{"addresses": addresses, "ports": [{"name": "http", "port": 8080}]}]);
    made(server, "endpoints", json!({"metadata": {"name": "web"}, "subsets": subsets}));
    made(server, "endpoints", json!({"metadata": {"name": "empty"}}));
    let subsets = json!([{"addresses": [{"ip": "9.9.9.9"}], "ports": [{"port": 80}]}]);
    made(server, "endpoints", json!({"metadata": {"name": "foreign"}, "subsets": subsets}));
}

#[test]
fn requests_are_passed_on() {
    let mut server = server();
    server.set_host_node("control-plane");
    backends(&mut server);
    let proxy = "/api/v1/namespaces/default";
    let table = [
        ("services/web:http/proxy/a%20b/?x=1", "http://10.244.1.2:8080/a%20b/?x=1"),
        ("services/web:80/proxy/", "http://10.244.1.2:8080/"),
        ("services/https:web:http/proxy/x", "https://10.244.1.2:8080/x"),
        ("pods/web/proxy/", "http://10.244.1.2:8080/"),
        ("pods/web:90/proxy/", "http://10.244.1.2:90/"),
    ];
    for (target, want) in table {
        let answer = server.rest(&request("GET", &format!("{proxy}/{target}"), ""));
        let Answer::Proxied(head, id) = answer else { panic!("{target}: {answer:?}") };
        let asked = KubeletStreams::accept(&mut server, "control-plane");
        let Connect::Http(call) = &asked[0].1.connect else { panic!("{asked:?}") };
        let to = call.to.unwrap();
        let scheme = if to.tls { "https" } else { "http" };
        let query = if call.request.query.is_empty() { "" } else { "?" };
        let HttpRequest { path, query: text, .. } = &call.request;
        assert_eq!(format!("{scheme}://{}{path}{query}{text}", to.address), want);
        assert_eq!(call.request.header("authorization"), "", "a credential is not passed on");
        let stream = KubeletStreams::stream(&mut server, id).unwrap();
        assert_eq!(proxied(&head, stream), None);
        stream.head = Some(Head::new(418, "text/plain"));
        stream.stdout.extend(b"tea");
        stream.result = Some(Ok(0));
        let answer = proxied(&head, stream).unwrap();
        assert_eq!((answer.head.status, answer.body.as_slice()), (418, &b"tea"[..]));
        assert!(answer.head.get("audit-id").is_some());
    }
}

#[test]
fn what_cannot_be_passed_on_is_told_as_upstream_tells_it() {
    let mut server = server();
    backends(&mut server);
    let made = call(&mut server, "POST", "/api/v1/nodes", r#"{"metadata":{"name":"bare"}}"#);
    assert_eq!(made.0, 201);
    let table = [
        ("namespaces/default/services/a:b:c:d/proxy/", 400, "invalid service request \"a:b:c:d\""),
        ("namespaces/default/services/none/proxy/", 404, "endpoints \"none\" not found"),
        ("namespaces/default/services/none:80/proxy/", 404, "services \"none\" not found"),
        (
            "namespaces/default/services/web:82/proxy/",
            503,
            "no service port 82 found for service \"web\"",
        ),
        (
            "namespaces/default/services/web:81/proxy/",
            503,
            "no endpoints available for service \"web:81\"",
        ),
        (
            "namespaces/default/services/empty/proxy/",
            503,
            "no endpoints available for service \"empty\"",
        ),
        (
            "namespaces/default/services/foreign/proxy/",
            503,
            "no endpoints available for service \"foreign\"",
        ),
        ("namespaces/default/pods/ftp:web:1/proxy/", 400, "invalid pod request \"ftp:web:1\""),
        ("namespaces/default/pods/none/proxy/", 404, "pods \"none\" not found"),
        ("nodes/none/proxy/", 404, "nodes \"none\" not found"),
        (
            "nodes/bare/proxy/",
            500,
            "Internal error occurred: no preferred addresses found; known addresses: []",
        ),
    ];
    for (target, code, message) in table {
        let (found, status) = call(&mut server, "GET", &format!("/api/v1/{target}"), "");
        assert_eq!((found, status["message"].as_str()), (code, Some(message)), "{target}");
    }
    let target = "/api/v1/namespaces/default/services/web:80/proxy?x=1";
    let Answer::Full(answer) = server.rest(&request("GET", target, "")) else { panic!() };
    let location = "/api/v1/namespaces/default/services/web:80/proxy/?x=1";
    assert_eq!((answer.head.status, answer.head.get("location")), (301, Some(location)));
}

#[test]
fn what_a_log_may_not_be_asked_for() {
    let mut server = server();
    made(
        &mut server,
        "pods",
        json!({
            "metadata": {"name": "web"}, "spec": {"containers": [{"name": "c", "image": "nginx"}]}
        }),
    );
    let invalid = "PodLogOptions \"web\" is invalid: ";
    let table = [
        (
            "sinceTime=x",
            400,
            "parsing time \"x\" as \"2006-01-02T15:04:05Z07:00\": cannot parse \"x\" as \"2006\"",
        ),
        ("tailLines=x", 400, "strconv.ParseInt: parsing \"x\": invalid syntax"),
        ("limitBytes=0", 422, "limitBytes: Invalid value: 0: must be greater than 0"),
        ("sinceSeconds=0", 422, "sinceSeconds: Invalid value: 0: must be greater than 0"),
        (
            "sinceSeconds=1&sinceTime=2025-06-02T00:00:00Z",
            422,
            ": Forbidden: at most one of `sinceTime` or `sinceSeconds` may be specified",
        ),
        ("stream=Stdout", 422, "stream: Forbidden: may not be specified"),
    ];
    for (query, code, message) in table {
        let target = format!("/api/v1/namespaces/default/pods/web/log?{query}");
        let (found, status) = call(&mut server, "GET", &target, "");
        let want = if code == 422 { format!("{invalid}{message}") } else { message.to_owned() };
        assert_eq!((found, status["message"].as_str()), (code, Some(&*want)), "{query}");
    }
}

/// The names of the outermost fields and of those of metadata, as they stand in the answer.
fn order(server: &mut ApiServer, target: &str) -> Vec<String> {
    let Answer::Full(response) = server.rest(&request("GET", &format!("{target}?pretty=1"), ""))
    else {
        panic!("not whole");
    };
    let text = String::from_utf8(response.body).unwrap();
    let field = |line: &str| {
        let depth = line.len() - line.trim_start().len();
        let (name, _) = line.trim_start().strip_prefix('"')?.split_once("\":")?;
        (depth <= 4).then(|| name.to_owned())
    };
    text.lines().filter_map(field).collect()
}

#[test]
fn fields_stand_as_in_gos_types() {
    let mut server = server();
    let labelled = CONFIG_MAP.replace("\"name\":\"a\"", "\"labels\":{\"x\":\"y\"},\"name\":\"a\"");
    call(&mut server, "POST", CONFIG_MAPS, &labelled);
    assert_eq!(
        order(&mut server, &format!("{CONFIG_MAPS}/a")),
        [
            "kind",
            "apiVersion",
            "metadata",
            "name",
            "namespace",
            "uid",
            "resourceVersion",
            "creationTimestamp",
            "labels",
            "managedFields",
            "data",
            "k"
        ]
    );
    assert_eq!(
        order(&mut server, "/api"),
        ["kind", "versions", "serverAddressByClientCIDRs"],
        "as in the course of the documentation"
    );
    let Answer::Full(response) = server.rest(&request("GET", "/api/v1", "")) else { panic!() };
    let text = String::from_utf8(response.body).unwrap();
    assert!(
        text.contains(
            "{\"name\":\"configmaps\",\"singularName\":\"configmap\",\"namespaced\":true,\
         \"kind\":\"ConfigMap\",\"verbs\":[\"create\",\"delete\",\"deletecollection\",\"get\",\
         \"list\",\"patch\",\"update\",\"watch\"],\"shortNames\":[\"cm\"],\
         \"storageVersionHash\":\"qFsyl6wFWjQ=\"}"
        ),
        "{text}"
    );
}

#[test]
fn options_that_cannot_be_read_are_refused() {
    let mut server = server();
    call(&mut server, "POST", CONFIG_MAPS, CONFIG_MAP);
    let one = format!("{CONFIG_MAPS}/a");
    const SCHEME: &str = "in scheme \"pkg/apis/meta/internalversion/scheme/register.go:27\"";
    let table = [
        (
            "{\"gracePeriodSeconds\":\"soon\"}",
            500,
            "json: cannot unmarshal string into Go struct field DeleteOptions.gracePeriodSeconds \
             of type int64"
                .to_owned(),
        ),
        (
            "{\"dryRun\":\"All\"}",
            500,
            "json: cannot unmarshal string into Go struct field DeleteOptions.dryRun of type \
             []string"
                .to_owned(),
        ),
        (
            "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"}",
            500,
            format!("no kind \"Pod\" is registered for version \"v1\" {SCHEME}"),
        ),
        (
            "soon",
            500,
            "couldn't get version/kind; json parse error: invalid character 's' looking for \
             beginning of value"
                .to_owned(),
        ),
    ];
    for (body, code, message) in table {
        let (found, status) = call(&mut server, "DELETE", &one, body);
        assert_eq!((found, &status["message"]), (code, &message.into()), "{body}");
    }
    let (code, status) = call(&mut server, "GET", &format!("{CONFIG_MAPS}?timeoutSeconds=x"), "");
    assert_eq!((code, &status["reason"]), (400, &"BadRequest".into()));
    assert_eq!(call(&mut server, "GET", &one, "").0, 200, "it is still there");
    assert_eq!(call(&mut server, "DELETE", &one, "{\"unknown\":1}").0, 200);
}

#[test]
fn who_cannot_be_known_is_told_as_a_person_reads_it() {
    let mut server = server();
    let mut request = request("GET", "/api/v1/pods", "");
    request.headers[2].1 = "curl/8".to_owned();
    request.headers.push(("impersonate-group".to_owned(), "x".to_owned()));
    let (code, text) = full(server.rest(&request));
    let want = "Internal Server Error: \"/api/v1/pods\": requested [{Group  x    }] without \
                impersonating a user\n";
    assert_eq!((code, text.as_str()), (500, Some(want)));
    request.headers[0].1 = "Bearer other".to_owned();
    let Answer::Full(response) = server.rest(&request) else { panic!() };
    assert!(response.body.starts_with(b"{\n  \"kind\": \"Status\""));
}
