//! Who asks, may they, and what are they told: with the policy of a new cluster.

use super::Client;
use crate::{AuthenticationConfig, AuthorizationMode, StaticToken};
use naru_api::credentials::{Credentials, Impersonation};
use naru_api::k8s_openapi::api::authentication::v1::{SelfSubjectReview, TokenReview};
use naru_api::k8s_openapi::api::authorization::v1::{
    SelfSubjectAccessReview, SelfSubjectRulesReview, SubjectAccessReview,
};
use naru_api::k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Secret, ServiceAccount};
use naru_api::k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use naru_api::request::{Body, DeleteOptions, ListOptions, Op};
use naru_api::{ApiError, ApiService, Kube, Object, Request, Response, UserInfo};
use naru_pki::{Authority, ExtendedUsage, PrivateKey, Subject, Template, Validity, jwt};
use naru_sim::{Rng, Time};
use serde_json::{Value, json};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A server with certificates, tokens and `Node,RBAC`.
fn server() -> (Client, Authority) {
    let mut client = Client::new();
    let mut rng = Rng::new(7);
    let key = PrivateKey::generate(&mut rng);
    let validity = Validity::starting(Time::ZERO, DAY * 3650);
    let authority = Authority::new("kubernetes", key, validity, &mut rng).unwrap();
    client.server.set_authentication(AuthenticationConfig {
        client_ca: Some(authority.certificate().clone()),
        request_header_ca: None,
        service_accounts: Some(jwt::Signer::new(PrivateKey::generate(&mut rng))),
        tokens: vec![StaticToken {
            token: "s3cret".to_owned(),
            user: UserInfo::new("jane", &["devs"]),
        }],
    });
    client.server.install_bootstrap_policy().unwrap();
    client.server.set_authorization_mode(AuthorizationMode::NodeRbac);
    (client, authority)
}

fn token(token: &str) -> Credentials {
    Credentials { bearer_token: token.to_owned(), ..Credentials::default() }
}

fn acting_as(user: &str, groups: &[&str]) -> Impersonation {
    Impersonation {
        user: user.to_owned(),
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        ..Impersonation::default()
    }
}

fn groups(user: &UserInfo) -> Vec<&str> {
    user.groups.iter().map(|group| &**group).collect()
}

/// One request of somebody.
fn ask<K: Kube>(
    client: &mut Client,
    user: &UserInfo,
    name: &str,
    op: Op,
) -> Result<Response, ApiError> {
    let request = client.request(K::kind(), name, op);
    client.server.handle(Request { user: user.clone(), ..request })
}

fn list<K: Kube>(client: &mut Client, user: &UserInfo) -> Result<Response, ApiError> {
    ask::<K>(client, user, "", Op::List(ListOptions::default()))
}

fn message<T: std::fmt::Debug>(result: Result<T, ApiError>) -> String {
    result.unwrap_err().message().to_owned()
}

fn user(name: &str) -> UserInfo {
    UserInfo::new(name, &["system:authenticated"])
}

#[test]
fn certificates_tokens_and_nothing() {
    let (mut client, authority) = server();
    let mut rng = Rng::new(8);
    let key = PrivateKey::generate(&mut rng);
    let template = Template {
        subject: Subject::new("kubernetes-admin", &["kubeadm:cluster-admins"]),
        usages: &[ExtendedUsage::ClientAuth],
        ..Template::default()
    };
    let validity = Validity::starting(Time::ZERO, DAY);
    let certificate = authority.issue(&template, &key, validity, &mut rng).unwrap().to_der();
    let by_certificate = Credentials { certificate, ..Credentials::default() };
    let admin = client.server.authenticate(&by_certificate).unwrap();
    assert_eq!(&*admin.name, "kubernetes-admin");
    assert_eq!(groups(&admin), ["kubeadm:cluster-admins", "system:authenticated"]);
    let id = &admin.extra["authentication.kubernetes.io/credential-id"][0];
    assert_eq!(id.len(), "X509SHA256=".len() + 64);

    let jane = client.server.authenticate(&token("s3cret")).unwrap();
    assert_eq!((&*jane.name, groups(&jane)), ("jane", vec!["devs", "system:authenticated"]));

    let nobody = client.server.authenticate(&Credentials::default()).unwrap();
    assert_eq!(&*nobody.name, "system:anonymous");
    assert_eq!(groups(&nobody), ["system:unauthenticated"]);

    client.server.set_now(Time::ZERO + DAY * 2);
    for credentials in [by_certificate, token("guess"), token("a.b.c")] {
        let error = client.server.authenticate(&credentials).unwrap_err();
        assert_eq!((error.code(), error.message()), (401, "Unauthorized"));
    }
}

#[test]
fn refusals_have_upstreams_words() {
    let (mut client, _) = server();
    let jane = user("jane");
    assert_eq!(
        message(list::<Pod>(&mut client, &jane)),
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the \
         namespace \"default\""
    );
    assert_eq!(
        message(ask::<Node>(&mut client, &jane, "n", Op::Get)),
        "nodes \"n\" is forbidden: User \"jane\" cannot get resource \"nodes\" in API group \"\" \
         at the cluster scope"
    );
    let request = client.request(Pod::kind(), "web", Op::Get);
    let request = Request { user: jane.clone(), subresource: "log", ..request };
    assert_eq!(
        message(client.server.handle(request)),
        "pods \"web\" is forbidden: User \"jane\" cannot get resource \"pods/log\" in API group \
         \"\" in the namespace \"default\""
    );
    let error = client.server.authorize_path(&jane, "get", "/metrics").unwrap_err();
    assert_eq!(error.message(), "forbidden: User \"jane\" cannot get path \"/metrics\"");
    assert!(client.server.authorize_path(&jane, "get", "/version").is_ok());
    let nobody = UserInfo::new("system:anonymous", &["system:unauthenticated"]);
    assert!(client.server.authorize_path(&nobody, "get", "/healthz").is_ok());
    assert!(client.server.authorize_path(&nobody, "get", "/api").is_err());
}

fn role(name: &str, verbs: &[&str], resources: &[&str]) -> Value {
    json!({"metadata": {"name": name}, "rules": [
        {"apiGroups": [""], "resources": resources, "verbs": verbs}]})
}

fn binding(name: &str, role_kind: &str, role: &str, subject: Value) -> Value {
    json!({"metadata": {"name": name}, "subjects": [subject], "roleRef":
        {"apiGroup": "rbac.authorization.k8s.io", "kind": role_kind, "name": role}})
}

fn for_user(name: &str) -> Value {
    json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": name})
}

#[test]
fn roles_and_bindings_take_effect_and_lose_it() {
    let (mut client, _) = server();
    let jane = user("jane");
    client.create::<Role>(role("reader", &["get", "list"], &["pods"])).unwrap();
    client.create::<RoleBinding>(binding("b", "Role", "reader", for_user("jane"))).unwrap();
    assert!(list::<Pod>(&mut client, &jane).is_ok());
    assert!(list::<Pod>(&mut client, &user("joe")).is_err());
    assert!(list::<Secret>(&mut client, &jane).is_err());
    // Only in the namespace of the binding.
    let everywhere = client.request(Pod::kind(), "", Op::List(ListOptions::default()));
    let everywhere = Request { user: jane.clone(), namespace: String::new(), ..everywhere };
    assert!(client.server.handle(everywhere).is_err());

    client.remove::<Role>("reader", DeleteOptions::default()).unwrap();
    assert_eq!(
        message(list::<Pod>(&mut client, &jane)),
        "pods is forbidden: User \"jane\" cannot list resource \"pods\" in API group \"\" in the \
         namespace \"default\": RBAC: role.rbac.authorization.k8s.io \"reader\" not found"
    );
    client.create::<Role>(role("reader", &["*"], &["*"])).unwrap();
    assert!(list::<Secret>(&mut client, &jane).is_ok());
    client.remove::<RoleBinding>("b", DeleteOptions::default()).unwrap();
    assert!(list::<Secret>(&mut client, &jane).is_err());
}

#[test]
fn names_limit_what_a_rule_allows() {
    let (mut client, _) = server();
    let jane = user("jane");
    client
        .create::<Role>(json!({"metadata": {"name": "one"}, "rules": [{"apiGroups": [""],
            "resources": ["configmaps"], "resourceNames": ["web"], "verbs": ["get", "list"]}]}))
        .unwrap();
    client.create::<RoleBinding>(binding("b", "Role", "one", for_user("jane"))).unwrap();
    let error = ask::<ConfigMap>(&mut client, &jane, "web", Op::Get).unwrap_err();
    assert!(error.is_not_found());
    assert_eq!(ask::<ConfigMap>(&mut client, &jane, "db", Op::Get).unwrap_err().code(), 403);
    assert!(list::<ConfigMap>(&mut client, &jane).is_err());
    let field_selector = "metadata.name=web".to_owned();
    let options = ListOptions { field_selector, ..ListOptions::default() };
    assert!(ask::<ConfigMap>(&mut client, &jane, "", Op::List(options)).is_ok());
}

#[test]
fn nobody_gives_what_they_do_not_have() {
    let (mut client, _) = server();
    let jane = user("jane");
    client.create::<RoleBinding>(binding("b", "ClusterRole", "admin", for_user("jane"))).unwrap();
    client
        .create::<ClusterRole>(json!({"metadata": {"name": "giver"}, "rules": [
            {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["*"], "verbs": ["create"]},
            {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}))
        .unwrap();
    let giver = binding("giver", "ClusterRole", "giver", for_user("jane"));
    client.create::<ClusterRoleBinding>(giver).unwrap();
    let write = |client: &mut Client, body| {
        ask::<ClusterRole>(client, &jane, "", Op::Create(Body::Json(body)))
    };
    assert!(write(&mut client, role("mine", &["get"], &["pods"])).is_ok());
    assert_eq!(
        message(write(&mut client, role("more", &["get", "list", "watch"], &["pods", "secrets"]))),
        "clusterroles.rbac.authorization.k8s.io \"more\" is forbidden: user \"jane\" \
         (groups=[\"system:authenticated\"]) is attempting to grant RBAC permissions not currently \
         held:\n\
         {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\" \"watch\"]}\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\" \"watch\"]}"
    );
    let bind = |client: &mut Client, name: &str, role: &str| {
        let body = binding(name, "ClusterRole", role, for_user("jane"));
        ask::<ClusterRoleBinding>(client, &jane, "", Op::Create(Body::Json(body)))
    };
    assert!(bind(&mut client, "b1", "mine").is_ok());
    assert_eq!(bind(&mut client, "b2", "cluster-admin").unwrap_err().code(), 403);
    assert_eq!(
        message(bind(&mut client, "b3", "none")),
        "clusterrole.rbac.authorization.k8s.io \"none\" not found"
    );
}

#[test]
fn a_node_reads_what_its_pods_need() {
    let (mut client, _) = server();
    for (name, secret) in [("web", "used"), ("db", "other")] {
        let pod = json!({"metadata": {"name": name}, "spec": {"containers": [
            {"name": "a", "image": "b", "envFrom": [{"secretRef": {"name": secret}}]}]}});
        client.create::<Pod>(pod).unwrap();
    }
    client.bind("web", "one").unwrap();
    client.bind("db", "two").unwrap();
    let node = UserInfo::new("system:node:one", &["system:nodes", "system:authenticated"]);
    let get = |client: &mut Client, name: &str| ask::<Secret>(client, &node, name, Op::Get);
    assert!(get(&mut client, "used").unwrap_err().is_not_found());
    assert_eq!(
        message(get(&mut client, "other")),
        "secrets \"other\" is forbidden: User \"system:node:one\" cannot get resource \"secrets\" \
         in API group \"\" in the namespace \"default\": no relationship found between node 'one' \
         and this object"
    );
    assert_eq!(
        message(list::<Secret>(&mut client, &node)),
        "secrets is forbidden: User \"system:node:one\" cannot list resource \"secrets\" in API \
         group \"\" in the namespace \"default\": No Object name found"
    );
    let field_selector = "spec.nodeName=one".to_owned();
    let own = ListOptions { field_selector, ..ListOptions::default() };
    assert!(ask::<Pod>(&mut client, &node, "", Op::List(own)).is_ok());
    assert!(list::<Pod>(&mut client, &node).is_err());
    assert!(ask::<Node>(&mut client, &node, "two", Op::Get).unwrap_err().code() == 403);
    // What the pod needed is not needed after it.
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    let _ = client.server.handle(client.request(Pod::kind(), "web", Op::Delete(now)));
    assert_eq!(get(&mut client, "used").unwrap_err().code(), 403);
}

/// A token of the service account `web`.
fn request_token(client: &mut Client, spec: Value) -> Result<Object, ApiError> {
    let body = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
        "spec": spec});
    let request = client.request(ServiceAccount::kind(), "web", Op::Create(Body::Json(body)));
    client.send(Request { subresource: "token", ..request })
}

fn token_of(object: &Object) -> String {
    object.to_json().unwrap()["status"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn tokens_of_service_accounts() {
    let (mut client, _) = server();
    let account = client.create::<ServiceAccount>(json!({"metadata": {"name": "web"}})).unwrap();
    let pod = json!({"metadata": {"name": "p"}, "spec": {"serviceAccountName": "web",
        "containers": [{"name": "a", "image": "b"}]}});
    let pod = client.create::<Pod>(pod).unwrap();
    let bound = json!({"audiences": [], "expirationSeconds": 3607, "boundObjectRef":
        {"apiVersion": "v1", "kind": "Pod", "name": "p", "uid": pod.uid()}});
    let signed = token_of(&request_token(&mut client, bound).unwrap());
    let claims = jwt::unverified_claims(&signed).unwrap();
    assert_eq!(claims["sub"], "system:serviceaccount:default:web");
    assert_eq!(claims["aud"], json!(["https://kubernetes.default.svc.cluster.local"]));
    let own = &claims["kubernetes.io"];
    assert_eq!(own["pod"], json!({"name": "p", "uid": pod.uid()}));
    assert_eq!(own["serviceaccount"], json!({"name": "web", "uid": account.uid()}));
    let date = |claim: &Value| claim.as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!((date(&own["warnafter"]), date(&claims["exp"])), (3607, 365 * 86_400));

    let web = client.server.authenticate(&token(&signed)).unwrap();
    assert_eq!(&*web.name, "system:serviceaccount:default:web");
    assert_eq!(
        groups(&web),
        ["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"]
    );
    assert_eq!(web.extra["authentication.kubernetes.io/pod-name"], ["p"]);
    assert_eq!(*web.uid, *account.uid());

    // The token ends with the pod.
    let now = DeleteOptions { grace_period_seconds: Some(0), ..DeleteOptions::default() };
    let _ = client.server.handle(client.request(Pod::kind(), "p", Op::Delete(now)));
    assert_eq!(client.server.authenticate(&token(&signed)).unwrap_err().code(), 401);

    // A plain one ends with its time.
    let plain = token_of(&request_token(&mut client, json!({"expirationSeconds": 600})).unwrap());
    assert!(client.server.authenticate(&token(&plain)).is_ok());
    client.server.set_now(Time::from_secs(661));
    assert!(client.server.authenticate(&token(&plain)).is_err());

    // One for others is not for the API server.
    let other = request_token(&mut client, json!({"audiences": ["vault"]})).unwrap();
    let other = token_of(&other);
    assert!(client.server.authenticate(&token(&other)).is_err());
    let review = json!({"spec": {"token": other, "audiences": ["vault"]}});
    let review = client.create::<TokenReview>(review).unwrap().to_json().unwrap();
    assert_eq!(review["status"]["authenticated"], true);
    assert_eq!(review["status"]["audiences"], json!(["vault"]));
}

#[test]
fn token_requests_are_checked() {
    let (mut client, _) = server();
    client.create::<ServiceAccount>(json!({"metadata": {"name": "web"}})).unwrap();
    client
        .create::<Pod>(json!({"metadata": {"name": "p"}, "spec": {"containers": [
            {"name": "a", "image": "b"}]}}))
        .unwrap();
    let to = |kind: &str, name: &str, uid: &str| json!({"boundObjectRef": {"apiVersion": "v1", "kind": kind, "name": name, "uid": uid}});
    let table = [
        (
            json!({"expirationSeconds": 10}),
            "TokenRequest.authentication.k8s.io \"\" is invalid: spec.expirationSeconds: Invalid \
             value: 10: may not specify a duration less than 10 minutes",
        ),
        (to("Pod", "none", ""), "pods \"none\" not found"),
        (
            to("Pod", "p", ""),
            "cannot bind token for serviceaccount \"web\" to pod running with different \
             serviceaccount name.",
        ),
        (to("Service", "x", ""), "cannot bind token to object of type /v1, Kind=Service"),
    ];
    for (spec, wanted) in table {
        assert_eq!(message(request_token(&mut client, spec.clone())), wanted, "{spec}");
    }
}

#[test]
fn whoever_may_acts_as_somebody_else() {
    let (mut client, _) = server();
    let as_jane = |impersonate| Credentials { impersonate, ..token("s3cret") };
    assert_eq!(
        message(client.server.authenticate(&as_jane(acting_as("joe", &[])))),
        "users \"joe\" is forbidden: User \"jane\" cannot impersonate resource \"users\" in API \
         group \"\" at the cluster scope"
    );
    let rules = json!({"metadata": {"name": "actor"}, "rules": [{"apiGroups": [""],
        "resources": ["users", "groups", "serviceaccounts"], "verbs": ["impersonate"]}]});
    client.create::<ClusterRole>(rules).unwrap();
    let body = binding("actor", "ClusterRole", "actor", for_user("jane"));
    client.create::<ClusterRoleBinding>(body).unwrap();
    let table: [(Impersonation, &[&str]); 4] = [
        (acting_as("joe", &[]), &["system:authenticated"]),
        (acting_as("joe", &["ops"]), &["ops", "system:authenticated"]),
        (
            acting_as("system:serviceaccount:default:web", &[]),
            &["system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated"],
        ),
        (acting_as("system:anonymous", &[]), &["system:unauthenticated"]),
    ];
    for (impersonate, wanted) in table {
        let name = impersonate.user.clone();
        let user = client.server.authenticate(&as_jane(impersonate)).unwrap();
        assert_eq!((&*user.name, &*groups(&user)), (name.as_str(), wanted));
    }
    let only_groups = acting_as("", &["ops"]);
    assert_eq!(client.server.authenticate(&as_jane(only_groups)).unwrap_err().code(), 500);
}

#[test]
fn reviews_answer() {
    let (mut client, _) = server();
    client.create::<Role>(role("reader", &["get"], &["pods"])).unwrap();
    client.create::<RoleBinding>(binding("b", "Role", "reader", for_user("jane"))).unwrap();
    let review = |verb: &str| {
        json!({"spec": {"user": "jane", "resourceAttributes": {"namespace": "default",
            "resource": "pods", "verb": verb}}})
    };
    let answer = client.create::<SubjectAccessReview>(review("get")).unwrap();
    let answer = answer.to_json().unwrap();
    assert_eq!(
        answer["status"],
        json!({"allowed": true, "reason": "RBAC: allowed by RoleBinding \"b/default\" of Role \
            \"reader\" to User \"jane\""})
    );
    let answer = client.create::<SubjectAccessReview>(review("delete")).unwrap();
    assert_eq!(answer.to_json().unwrap()["status"], json!({"allowed": false}));

    let jane = user("jane");
    let own = |client: &mut Client, body: Value, kind| {
        let request = client.request(kind, "", Op::Create(Body::Json(body)));
        client.send(Request { user: jane.clone(), ..request }).unwrap().to_json().unwrap()
    };
    let body = json!({"spec": {"nonResourceAttributes": {"path": "/version", "verb": "get"}}});
    let answer = own(&mut client, body, SelfSubjectAccessReview::kind());
    assert_eq!(answer["status"]["allowed"], true);
    let body = json!({"spec": {"namespace": "default"}});
    let answer = own(&mut client, body, SelfSubjectRulesReview::kind());
    let rules = answer["status"]["resourceRules"].as_array().unwrap();
    let pods = json!({"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]});
    assert!(rules.contains(&pods), "{answer}");
    let answer = own(&mut client, json!({}), SelfSubjectReview::kind());
    assert_eq!(answer["status"]["userInfo"]["username"], "jane");
}
