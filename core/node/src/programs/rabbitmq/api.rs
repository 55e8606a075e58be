//! The HTTP API of the management plugin.
//!
//! Upstream: `deps/rabbitmq_management`.

use super::broker::{Binding, Broker, Message, Queue, Refusal};
use super::control::Facts;
use crate::programs::base64::decode64;
use naru_network::http::{Request, Response};
use serde_json::{Map, Value, json};

/// Messages given at once.
const GET_MAX: u64 = 1_000;

/// Answers a request; `changed` is set where data have changed.
pub fn answer(
    broker: &mut Broker,
    request: &Request,
    facts: &Facts,
    changed: &mut bool,
) -> Response {
    let path = request.path();
    if !path.starts_with("/api") {
        return page(path);
    }
    let Some((user, password)) = credentials(request) else {
        let text = json!({"error": "not_authorized", "reason": "Not_Authorized"});
        return reply(401, &text).with("www-authenticate", "Basic realm=\"RabbitMQ Management\"");
    };
    let known = broker.users.get(&user).filter(|known| known.password == password);
    let Some(known) = known else {
        let text = json!({"error": "not_authorized", "reason": "Login failed"});
        return reply(401, &text);
    };
    if known.tags.is_empty() {
        let text = json!({"error": "not_authorized", "reason": "Not management user"});
        return reply(401, &text);
    }
    let tags = known.tags.clone();
    let parts: Vec<String> = path
        .trim_start_matches("/api")
        .split('/')
        .filter(|part| !part.is_empty())
        .map(super::super::nginx::decode)
        .collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let body: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
    if parts == ["whoami"] {
        return reply(200, &json!({"name": user, "tags": tags}));
    }
    let method = request.method.as_str();
    let write = !["GET", "HEAD", "OPTIONS"].contains(&method);
    let response = route(broker, method, &parts, &body, facts);
    *changed |= write && response.status < 300;
    response
}

fn route(
    broker: &mut Broker,
    method: &str,
    parts: &[&str],
    body: &Value,
    facts: &Facts,
) -> Response {
    match (method, parts) {
        ("GET", ["overview"]) => reply(200, &overview(broker, facts)),
        ("GET", ["nodes"]) => reply(
            200,
            &json!([{"name": facts.node, "type": "disc", "running": true,
                     "uptime": facts.uptime * 1000, "os_pid": facts.pid.to_string()}]),
        ),
        ("GET", ["aliveness-test", _]) => reply(200, &json!({"status": "ok"})),
        ("GET", ["health", "checks", ..]) => reply(200, &json!({"status": "ok"})),
        ("GET", ["connections"]) => {
            let all = facts.connections.iter().map(|(user, peer)| {
                json!({"user": user, "peer_host": peer.ip().to_string(), "peer_port": peer.port(),
                       "state": "running"})
            });
            reply(200, &all.collect())
        }
        ("GET", ["vhosts"]) => {
            reply(200, &broker.vhosts.keys().map(|name| json!({"name": name})).collect())
        }
        ("PUT", ["vhosts", name]) => match broker.add_vhost(name) {
            true => empty(201),
            false => refused(&(406, "the sandbox keeps no more virtual hosts".to_owned())),
        },
        ("GET", ["users"]) => {
            let all =
                broker.users.iter().map(|(name, user)| json!({"name": name, "tags": user.tags}));
            reply(200, &all.collect())
        }
        ("PUT", ["users", name]) => {
            let tags = text(body, "tags");
            let tags: Vec<&str> = tags.split(',').filter(|tag| !tag.is_empty()).collect();
            broker.add_user(name, &text(body, "password"), &tags, None);
            empty(201)
        }
        ("DELETE", ["users", name]) => match broker.users.remove(*name) {
            Some(_) => empty(204),
            None => missing(),
        },
        ("PUT", ["permissions", vhost, name]) => match broker.users.get_mut(*name) {
            Some(user) => {
                let rights = ["configure", "write", "read"].map(|right| text(body, right));
                user.permissions.insert((*vhost).to_owned(), rights);
                empty(201)
            }
            None => missing(),
        },
        (_, ["queues", ..]) => queues(broker, method, parts, body, facts),
        (_, ["exchanges" | "bindings", ..]) => exchanges(broker, method, parts, body),
        _ => missing(),
    }
}

fn queues(
    broker: &mut Broker,
    method: &str,
    parts: &[&str],
    body: &Value,
    facts: &Facts,
) -> Response {
    let durable = body.get("durable").and_then(Value::as_bool).unwrap_or(true);
    let auto_delete = body.get("auto_delete").and_then(Value::as_bool).unwrap_or(false);
    match (method, parts) {
        ("GET", ["queues"]) => {
            let all = broker.vhosts.iter().flat_map(|(vhost, it)| {
                it.queues.iter().map(move |(name, queue)| shown(vhost, name, queue, facts))
            });
            reply(200, &all.collect())
        }
        ("GET", ["queues", vhost]) => match broker.vhosts.get(*vhost) {
            Some(it) => {
                let all = it.queues.iter().map(|(name, queue)| shown(vhost, name, queue, facts));
                reply(200, &all.collect())
            }
            None => missing(),
        },
        ("GET", ["queues", vhost, name]) => match broker.queue(vhost, name) {
            Ok(queue) => reply(200, &shown(vhost, name, queue, facts)),
            Err(_) => missing(),
        },
        ("PUT", ["queues", vhost, name]) => {
            let new = broker.queue(vhost, name).is_err();
            match broker.declare(vhost, name, durable, auto_delete, false) {
                Ok(()) => empty(if new { 201 } else { 204 }),
                Err(refusal) => refused(&refusal),
            }
        }
        ("DELETE", ["queues", vhost, name]) => match broker.queue(vhost, name).is_ok() {
            true => {
                broker.delete(vhost, name);
                empty(204)
            }
            false => missing(),
        },
        ("DELETE", ["queues", vhost, name, "contents"]) => match broker.queue(vhost, name) {
            Ok(queue) => {
                queue.ready.clear();
                empty(204)
            }
            Err(_) => missing(),
        },
        ("POST", ["queues", vhost, name, "get"]) => get(broker, vhost, name, body),
        _ => missing(),
    }
}

fn get(broker: &mut Broker, vhost: &str, name: &str, body: &Value) -> Response {
    let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let count = body.get("count").and_then(number).unwrap_or(1).min(GET_MAX);
    let requeues = text(body, "ackmode").ends_with("requeue_true");
    let mut given = Vec::new();
    let mut tags = Vec::new();
    for _ in 0..count {
        match broker.take(vhost, name, true) {
            Ok(Some((tag, message))) => {
                let left = broker.queue(vhost, name).map_or(0, |queue| queue.ready.len());
                given.push(json!({
                    "payload_bytes": message.body.len(), "redelivered": message.redelivered,
                    "exchange": message.exchange, "routing_key": message.key,
                    "message_count": left,
                    "properties": if message.persistent { json!({"delivery_mode": 2}) } else { json!([]) },
                    "payload": message.body, "payload_encoding": "string",
                }));
                tags.push(tag);
            }
            Ok(None) => break,
            Err(_) => return missing(),
        }
    }
    for tag in tags.into_iter().rev() {
        broker.settle(vhost, name, tag, !requeues);
    }
    reply(200, &Value::Array(given))
}

fn exchanges(broker: &mut Broker, method: &str, parts: &[&str], body: &Value) -> Response {
    match (method, parts) {
        ("GET", ["exchanges", vhost @ ..]) => {
            let wanted = vhost.first().copied();
            let all = broker.vhosts.iter().filter(|(name, _)| wanted.is_none_or(|it| it == *name));
            let all = all.flat_map(|(vhost, it)| {
                it.exchanges.iter().map(move |(name, exchange)| {
                    json!({"name": name, "vhost": vhost, "type": exchange.kind,
                           "durable": exchange.durable})
                })
            });
            reply(200, &all.collect())
        }
        ("PUT", ["exchanges", vhost, name]) => {
            match broker.declare_exchange(vhost, name, &text(body, "type"), true) {
                Ok(()) => empty(201),
                Err(refusal) => refused(&refusal),
            }
        }
        ("POST", ["exchanges", vhost, name, "publish"]) => {
            let exchange = if *name == "amq.default" { "" } else { name }.to_owned();
            let persistent = body.pointer("/properties/delivery_mode").and_then(Value::as_u64);
            let message = Message {
                body: text(body, "payload"),
                exchange,
                key: text(body, "routing_key"),
                persistent: persistent == Some(2),
                redelivered: false,
            };
            match broker.publish(vhost, &message) {
                Ok(routed) => reply(200, &json!({"routed": routed})),
                Err(refusal) => refused(&refusal),
            }
        }
        ("GET", ["bindings", ..]) => {
            let all = broker.vhosts.iter().flat_map(|(vhost, it)| {
                it.bindings.iter().map(move |binding| {
                    json!({"source": binding.exchange, "vhost": vhost,
                           "destination": binding.queue, "destination_type": "queue",
                           "routing_key": binding.key})
                })
            });
            reply(200, &all.collect())
        }
        ("POST", ["bindings", vhost, "e", exchange, "q", queue]) => {
            let (exchange, queue) = ((*exchange).to_owned(), (*queue).to_owned());
            let binding = Binding { exchange, queue, key: text(body, "routing_key") };
            match broker.bind(vhost, binding) {
                Ok(()) => empty(201),
                Err(refusal) => refused(&refusal),
            }
        }
        _ => missing(),
    }
}

fn overview(broker: &Broker, facts: &Facts) -> Value {
    let queues = || broker.vhosts.values().flat_map(|vhost| vhost.queues.values());
    let ready: usize = queues().map(|queue| queue.ready.len()).sum();
    let unacked: usize = queues().map(|queue| queue.unacked.len()).sum();
    let exchanges: usize = broker.vhosts.values().map(|vhost| vhost.exchanges.len()).sum();
    json!({
        "management_version": facts.version, "rabbitmq_version": facts.version,
        "product_name": "RabbitMQ", "erlang_version": "27.3.4",
        "cluster_name": facts.node, "node": facts.node,
        "queue_totals": {"messages": ready + unacked, "messages_ready": ready,
                         "messages_unacknowledged": unacked},
        "object_totals": {"channels": facts.connections.len(),
                          "connections": facts.connections.len(),
                          "consumers": facts.consumers.len(), "exchanges": exchanges,
                          "queues": queues().count()},
    })
}

fn shown(vhost: &str, name: &str, queue: &Queue, facts: &Facts) -> Value {
    let (ready, unacked) = (queue.ready.len(), queue.unacked.len());
    let mut map = Map::new();
    for (key, value) in [
        ("name", json!(name)),
        ("vhost", json!(vhost)),
        ("durable", json!(queue.durable)),
        ("auto_delete", json!(queue.auto_delete)),
        ("exclusive", json!(queue.exclusive)),
        ("type", json!("classic")),
        ("state", json!("running")),
        ("node", json!(facts.node)),
        ("messages", json!(ready + unacked)),
        ("messages_ready", json!(ready)),
        ("messages_unacknowledged", json!(unacked)),
        ("consumers", json!(queue.consumers)),
    ] {
        map.insert(key.to_owned(), value);
    }
    Value::Object(map)
}

fn text(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn reply(status: u16, body: &Value) -> Response {
    Response::new(status, body.to_string()).with("content-type", "application/json")
}

fn empty(status: u16) -> Response {
    Response::new(status, "")
}

fn missing() -> Response {
    reply(404, &json!({"error": "Object Not Found", "reason": "Not Found"}))
}

fn refused((_, reason): &Refusal) -> Response {
    reply(400, &json!({"error": "bad_request", "reason": reason}))
}

fn page(path: &str) -> Response {
    match path {
        "/" => Response::new(
            200,
            "<!DOCTYPE html>\n<html>\n<head>\n<title>RabbitMQ Management</title>\n</head>\n<body>\n\
             <div id=\"outer\"></div>\n</body>\n</html>\n",
        )
        .with("content-type", "text/html"),
        _ => missing(),
    }
}

/// User and password of the header `Authorization`.
fn credentials(request: &Request) -> Option<(String, String)> {
    let text = request.headers.get("Authorization")?.strip_prefix("Basic ")?;
    let decoded = decode64(text.trim())?;
    let (user, password) = decoded.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::programs::base64::encode64;

    fn ask(broker: &mut Broker, method: &str, path: &str, body: &str) -> (u16, String) {
        let mut request = Request::new(method, path);
        request.headers.set("Authorization", format!("Basic {}", encode64("guest:guest")));
        request.body = body.as_bytes().to_vec();
        let response = answer(broker, &request, &Facts::default(), &mut false);
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn queues_by_http() {
        let mut broker = Broker::default();
        broker.add_vhost("/");
        broker.add_user("guest", "guest", &["administrator"], Some("/"));
        let table = [
            ("PUT", "/api/queues/%2F/foo", "{\"durable\": true}", 201, ""),
            ("PUT", "/api/queues/%2F/foo", "{\"durable\": true}", 204, ""),
            (
                "POST",
                "/api/exchanges/%2F/amq.default/publish",
                "{\"routing_key\": \"foo\", \"payload\": \"hi\", \"properties\": {}}",
                200,
                "{\"routed\":true}",
            ),
            (
                "GET",
                "/api/queues/%2F/none",
                "",
                404,
                "{\"error\":\"Object Not Found\",\"reason\":\"Not Found\"}",
            ),
            ("DELETE", "/api/queues/%2F/foo", "", 204, ""),
        ];
        for (method, path, body, status, text) in table {
            assert_eq!(ask(&mut broker, method, path, body), (status, text.to_owned()), "{path}");
        }
    }
}
