//! kube-rs, the field's Rust client, against `naru serve`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use futures::{AsyncBufReadExt, StreamExt, TryStreamExt, future};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{
    ApiResource, AttachParams, DeleteParams, DynamicObject, EvictParams, GroupVersionKind,
    ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent, WatchParams,
};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::controller::Action;
use kube::runtime::wait::{await_condition, conditions};
use kube::runtime::{Controller, WatchStreamExt, reflector, watcher};
use kube::{Api, Client, Config, ResourceExt, discovery};
use serde_json::json;
use serve::Serve;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

mod serve;

/// Seconds of the clock that one step may take.
const LIMIT: Duration = Duration::from_secs(60);

async fn start() -> (Serve, Client) {
    let server = Serve::start(&["--profile", "kind", "--speed", "20"]).unwrap();
    let kubeconfig = Kubeconfig::read_from(server.kubeconfig()).unwrap();
    let options = KubeConfigOptions::default();
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await.unwrap();
    let client = Client::try_from(config).unwrap();
    (server, client)
}

fn config_map(name: &str, value: &str) -> ConfigMap {
    serde_json::from_value(json!({"metadata": {"name": name}, "data": {"color": value}})).unwrap()
}

fn pod(name: &str) -> Pod {
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]},
    }))
    .unwrap()
}

/// Makes a pod and waits until it runs.
async fn running(client: &Client, name: &str) -> Api<Pod> {
    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    pods.create(&PostParams::default(), &pod(name)).await.unwrap();
    let ready = await_condition(pods.clone(), name, conditions::is_pod_running());
    timeout(LIMIT, ready).await.unwrap().unwrap();
    pods
}

#[tokio::test(flavor = "multi_thread")]
async fn typed_objects_are_made_read_changed_and_deleted() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let made = maps.create(&PostParams::default(), &config_map("a", "blue")).await.unwrap();
    assert!(made.uid().is_some());

    let twice = maps.create(&PostParams::default(), &config_map("a", "blue")).await.unwrap_err();
    let kube::Error::Api(status) = twice else { panic!("{twice}") };
    assert_eq!((status.code, status.reason.as_str()), (409, "AlreadyExists"));
    assert_eq!(status.message, "configmaps \"a\" already exists");

    let mut changed = made.clone();
    changed.data.as_mut().unwrap().insert("color".into(), "red".into());
    let changed = maps.replace("a", &PostParams::default(), &changed).await.unwrap();
    assert_ne!(changed.resource_version(), made.resource_version());
    // The version from before the change is stale.
    let stale = maps.replace("a", &PostParams::default(), &made).await.unwrap_err();
    let kube::Error::Api(status) = stale else { panic!("{stale}") };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));

    let merge = Patch::Merge(json!({"metadata": {"labels": {"app": "river"}}}));
    maps.patch("a", &PatchParams::default(), &merge).await.unwrap();
    maps.create(&PostParams::default(), &config_map("b", "green")).await.unwrap();
    let labelled = maps.list(&ListParams::default().labels("app=river")).await.unwrap();
    assert_eq!(labelled.items.iter().map(|m| m.name_any()).collect::<Vec<_>>(), ["a"]);

    let first = maps.list(&ListParams::default().limit(1)).await.unwrap();
    let token = first.metadata.continue_.clone().expect("a limited list goes on");
    let rest = maps.list(&ListParams::default().limit(9).continue_token(&token)).await.unwrap();
    assert_eq!(first.items.len(), 1);
    assert!(rest.items.iter().any(|map| map.name_any() == "b"));

    let metadata = maps.get_metadata("a").await.unwrap();
    assert_eq!(metadata.labels()["app"], "river");
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    assert!(maps.get_opt("a").await.unwrap().is_none());
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    maps.delete("b", &dry).await.unwrap();
    assert!(maps.get_opt("b").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_are_discovered_and_used_without_their_types() {
    let (_server, client) = start().await;
    let served = discovery::Discovery::new(client.clone()).run_aggregated().await.unwrap();
    let kind = GroupVersionKind::gvk("apps", "v1", "Deployment");
    let (resource, capabilities) = served.resolve_gvk(&kind).expect("deployments are served");
    assert_eq!(resource.plural, "deployments");
    assert!(capabilities.subresources.iter().any(|(sub, _)| sub.plural == "scale"));

    let deployments: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &resource);
    let deployment = serde_json::from_value(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "nginx", "image": "nginx:1.27"}]},
            },
        },
    }))
    .unwrap();
    deployments.create(&PostParams::default(), &deployment).await.unwrap();
    let typed: Api<Deployment> = Api::default_namespaced(client.clone());
    let available = await_condition(typed.clone(), "web", conditions::is_deployment_completed());
    timeout(LIMIT, available).await.unwrap().unwrap();
    let scale = Patch::Merge(json!({"spec": {"replicas": 2}}));
    let scaled = typed.patch_scale("web", &PatchParams::default(), &scale).await.unwrap();
    assert_eq!(scaled.spec.unwrap().replicas, Some(2));
    deployments.delete("web", &DeleteParams::foreground()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn kinds_of_ones_own_are_served_once_they_are_established() {
    let (_server, client) = start().await;
    let definitions: Api<CustomResourceDefinition> = Api::all(client.clone());
    let definition = serde_json::from_value(json!({
        "metadata": {"name": "boats.river.example"},
        "spec": {
            "group": "river.example", "scope": "Namespaced",
            "names": {"plural": "boats", "kind": "Boat"},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": {
                "openAPIV3Schema": {"type": "object", "properties": {"spec": {
                    "type": "object", "properties": {"load": {"type": "integer", "maximum": 9}},
                }}},
            }}],
        },
    }))
    .unwrap();
    definitions.create(&PostParams::default(), &definition).await.unwrap();
    let name = "boats.river.example";
    let established = await_condition(definitions.clone(), name, conditions::is_crd_established());
    timeout(LIMIT, established).await.unwrap().unwrap();

    let boat = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("river.example", "v1", "Boat"),
        "boats",
    );
    let boats: Api<DynamicObject> = Api::default_namespaced_with(client.clone(), &boat);
    let make = |name: &str, load: i64| {
        DynamicObject::new(name, &boat).data(json!({"spec": {"load": load}}))
    };
    boats.create(&PostParams::default(), &make("swan", 3)).await.unwrap();
    let error = boats.create(&PostParams::default(), &make("hulk", 10)).await.unwrap_err();
    let kube::Error::Api(status) = error else { panic!("{error}") };
    assert_eq!((status.code, status.reason.as_str()), (422, "Invalid"));
    assert!(status.message.contains("should be less than or equal to 9"), "{}", status.message);
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_tell_every_change() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let from = maps.list(&ListParams::default()).await.unwrap().metadata.resource_version.unwrap();
    maps.create(&PostParams::default(), &config_map("a", "blue")).await.unwrap();
    maps.delete("a", &DeleteParams::default()).await.unwrap();
    let params = WatchParams::default().timeout(10).fields("metadata.name=a");
    let mut events = maps.watch(&params, &from).await.unwrap().boxed();
    let mut seen = Vec::new();
    while seen.len() < 2 {
        match timeout(LIMIT, events.try_next()).await.unwrap().unwrap().expect("goes on") {
            WatchEvent::Added(map) => seen.push(format!("+{}", map.name_any())),
            WatchEvent::Deleted(map) => seen.push(format!("-{}", map.name_any())),
            _ => {}
        }
    }
    assert_eq!(seen, ["+a", "-a"]);

    // A revision that never was.
    let gone = maps.watch(&WatchParams::default(), "1").await.unwrap().boxed().try_next().await;
    match gone.unwrap() {
        Some(WatchEvent::Error(status)) => assert_eq!(status.code, 410),
        Some(WatchEvent::Added(_)) => {}
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reflectors_keep_a_copy_by_either_way_of_listing() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    maps.create(&PostParams::default(), &config_map("a", "blue")).await.unwrap();
    for config in [watcher::Config::default(), watcher::Config::default().streaming_lists()] {
        let (reader, writer) = reflector::store();
        let stream = reflector(writer, watcher(maps.clone(), config)).default_backoff();
        let task = tokio::spawn(stream.touched_objects().for_each(|_| future::ready(())));
        timeout(LIMIT, reader.wait_until_ready()).await.unwrap().unwrap();
        assert!(reader.state().iter().any(|map| map.name_any() == "a"));
        maps.create(&PostParams::default(), &config_map("b", "red")).await.unwrap();
        timeout(LIMIT, async {
            while !reader.state().iter().any(|map| map.name_any() == "b") {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
        .unwrap();
        maps.delete("b", &DeleteParams::default()).await.unwrap();
        task.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn appliers_share_an_object_and_conflict_over_a_field() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let wanted = |data: serde_json::Value| {
        Patch::Apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shared"}, "data": data,
        }))
    };
    let (river, sea) = (PatchParams::apply("river"), PatchParams::apply("sea"));
    maps.patch("shared", &river, &wanted(json!({"a": "1", "b": "2"}))).await.unwrap();
    let conflict = maps.patch("shared", &sea, &wanted(json!({"a": "9"}))).await.unwrap_err();
    let kube::Error::Api(status) = conflict else { panic!("{conflict}") };
    assert_eq!((status.code, status.reason.as_str()), (409, "Conflict"));
    assert_eq!(status.message, "Apply failed with 1 conflict: conflict with \"river\": .data.a");
    let forced = sea.clone().force();
    maps.patch("shared", &forced, &wanted(json!({"a": "9", "c": "3"}))).await.unwrap();
    // What river does not want any more and nobody else wants goes.
    let left = maps.patch("shared", &river.force(), &wanted(json!({"a": "9"}))).await.unwrap();
    let data = left.data.unwrap();
    assert_eq!(
        data.into_iter().collect::<Vec<_>>(),
        [("a".to_owned(), "9".to_owned()), ("c".to_owned(), "3".to_owned())]
    );
    let mut managers: Vec<_> =
        left.metadata.managed_fields.unwrap().into_iter().map(|f| f.manager.unwrap()).collect();
    // They stand in the order of their times, which are those of the wall clock here.
    managers.sort();
    assert_eq!(managers, ["river", "sea"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_run_in_containers_and_logs_are_followed() {
    let (_server, client) = start().await;
    let pods = running(&client, "web").await;
    let params = AttachParams::default().stderr(true);
    let script = "echo out; echo err >&2; exit 3";
    let mut process = pods.exec("web", ["sh", "-c", script], &params).await.unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    process.stdout().unwrap().read_to_string(&mut out).await.unwrap();
    process.stderr().unwrap().read_to_string(&mut err).await.unwrap();
    assert_eq!((out.as_str(), err.as_str()), ("out\n", "err\n"));
    let status = process.take_status().unwrap().await.unwrap();
    assert_eq!(status.reason.as_deref(), Some("NonZeroExitCode"));

    let params = AttachParams::default().stdin(true).stderr(false);
    let mut cat = pods.exec("web", ["cat"], &params).await.unwrap();
    let mut stdin = cat.stdin().unwrap();
    stdin.write_all("나루\n".as_bytes()).await.unwrap();
    stdin.shutdown().await.unwrap();
    drop(stdin);
    let mut stdout = cat.stdout().unwrap();
    let mut answer = [0; 7];
    timeout(LIMIT, stdout.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(std::str::from_utf8(&answer).unwrap(), "나루\n");

    let params = LogParams { follow: true, ..LogParams::default() };
    let mut lines = pods.log_stream("web", &params).await.unwrap().lines();
    let first = timeout(LIMIT, lines.try_next()).await.unwrap().unwrap().unwrap();
    assert!(!first.is_empty());

    pods.evict("web", &EvictParams::default()).await.unwrap();
    let gone = await_condition(pods.clone(), "web", |pod: Option<&Pod>| pod.is_none());
    timeout(LIMIT, gone).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn ports_are_forwarded() {
    let (_server, client) = start().await;
    let pods = running(&client, "web").await;
    let mut forward = pods.portforward("web", &[80, 81]).await.unwrap();
    let mut port = forward.take_stream(80).unwrap();
    let request = b"GET / HTTP/1.1\r\nHost: web\r\nConnection: close\r\n\r\n";
    port.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    timeout(LIMIT, port.read_to_end(&mut answer)).await.unwrap().unwrap();
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("Welcome to nginx!"), "{answer}");

    let mut nobody = forward.take_stream(81).unwrap();
    nobody.write_all(b"anybody?").await.ok();
    let refused = timeout(LIMIT, forward.take_error(81).unwrap()).await.unwrap();
    let refused = refused.expect("nothing listens there");
    assert!(refused.contains("connection refused"), "{refused}");
}

#[derive(Debug, thiserror::Error)]
#[error(transparent)]
struct Failed(#[from] kube::Error);

/// Gives every ConfigMap that is labelled `mirror` a copy that it owns.
async fn mirror(map: Arc<ConfigMap>, client: Arc<Client>) -> Result<Action, Failed> {
    let maps: Api<ConfigMap> = Api::default_namespaced((*client).clone());
    let owner = kube::Resource::controller_owner_ref(&*map, &());
    let copy = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {
            "name": format!("{}-copy", map.name_any()),
            "ownerReferences": [owner],
        },
        "data": map.data,
    });
    let name = format!("{}-copy", map.name_any());
    maps.patch(&name, &PatchParams::apply("mirror").force(), &Patch::Apply(copy)).await?;
    Ok(Action::await_change())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_controller_of_kube_runtime_reconciles() {
    let (_server, client) = start().await;
    let maps: Api<ConfigMap> = Api::default_namespaced(client.clone());
    let labelled = watcher::Config::default().labels("mirror");
    let controller = Controller::new(maps.clone(), labelled)
        .owns(maps.clone(), watcher::Config::default())
        .run(mirror, |_, _, _| Action::requeue(Duration::from_secs(1)), Arc::new(client.clone()));
    let task = tokio::spawn(controller.for_each(|_| future::ready(())));
    let mut source = config_map("source", "blue");
    source.metadata.labels = Some([("mirror".to_owned(), String::new())].into());
    maps.create(&PostParams::default(), &source).await.unwrap();

    let has = |color: &'static str| {
        move |map: Option<&ConfigMap>| {
            map.and_then(|map| map.data.as_ref()).is_some_and(|data| data["color"] == color)
        }
    };
    let copied = await_condition(maps.clone(), "source-copy", has("blue"));
    timeout(LIMIT, copied).await.unwrap().unwrap();
    let change = Patch::Merge(json!({"data": {"color": "red"}}));
    maps.patch("source", &PatchParams::default(), &change).await.unwrap();
    let followed = await_condition(maps.clone(), "source-copy", has("red"));
    timeout(LIMIT, followed).await.unwrap().unwrap();
    // Somebody takes the copy away: the controller sees it and makes another.
    maps.delete("source-copy", &DeleteParams::default()).await.unwrap();
    let back = await_condition(maps.clone(), "source-copy", has("red"));
    timeout(LIMIT, back).await.unwrap().unwrap();
    // And the garbage collector takes it with its owner.
    task.abort();
    maps.delete("source", &DeleteParams::default()).await.unwrap();
    let gone =
        await_condition(maps.clone(), "source-copy", |map: Option<&ConfigMap>| map.is_none());
    timeout(LIMIT, gone).await.unwrap().unwrap();
}
