//! `custom.metrics.k8s.io` and `external.metrics.k8s.io`: an adapter in the cluster hands over what it
//! would answer, and the API server answers for it, as for other aggregated APIs.
//!
//! Upstream: `custom-metrics-apiserver` of kubernetes-sigs, `pkg/provider`,
//! `pkg/apiserver/endpoints/handlers`.

use crate::authorize::Resource;
use crate::rest::HttpResponse;
use crate::rest::encode;
use crate::rest::exchange::Exchange;
use crate::rest::not_found;
use crate::{ApiServer, limits};
use naru_api::k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use naru_api::kinds::apiservice::available;
use naru_api::labels::Selector;
use naru_api::measured::{self, CUSTOM, EXTERNAL, Metric, MetricQuery};
use naru_api::request::{ListOptions, UserInfo};
use naru_api::time::{meta_time, rfc3339};
use naru_api::{ApiError, KindRef, Kube, status::ApiResult};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `deployments.apps`: the resource and its group.
fn split(resource: &str) -> (&str, &str) {
    resource.split_once('.').unwrap_or((resource, ""))
}

impl ApiServer {
    /// Takes over all values of a group in place of those before: from a service account of the
    /// namespace of its service.
    pub(crate) fn take_metrics(
        &mut self,
        user: &UserInfo,
        group: &'static str,
        metrics: Vec<Metric>,
    ) -> ApiResult<()> {
        let version = measured::versions(group).first().copied().unwrap_or_default();
        self.answers_for(user, &format!("{version}.{group}"))?;
        if metrics.len() > limits::OBJECTS_MAX {
            return Err(ApiError::bad_request("this cannot be answered for"));
        }
        self.aggregation.metrics.insert(group, metrics);
        Ok(())
    }

    /// The versions of a group whose servers answer, the preferred one first.
    pub(crate) fn served_metrics(&self, group: &str) -> Vec<&'static str> {
        let answers = |version: &&&'static str| {
            let found = self.find(&APIService::kind(), "", &format!("{version}.{group}")).ok();
            let registered = found.as_ref().and_then(|object| object.get::<APIService>());
            registered.and_then(available).is_some_and(|found| found.status == "True")
        };
        measured::versions(group).iter().filter(answers).copied().collect()
    }

    /// The values of a query.
    pub(crate) fn find_metrics(
        &self,
        user: &UserInfo,
        query: &MetricQuery,
    ) -> ApiResult<Vec<Metric>> {
        let (resource, group) = match query.group {
            EXTERNAL => (query.name.as_str(), ""),
            _ => split(&query.resource),
        };
        let asked = Resource {
            group: query.group,
            resource,
            namespace: &query.namespace,
            name: if query.group == EXTERNAL { "" } else { &query.object },
            ..Resource::default()
        };
        let verb = if query.group == EXTERNAL { "list" } else { "get" };
        let subresource = if query.group == EXTERNAL { "" } else { query.name.as_str() };
        self.authorize_connect(user, verb, asked.subresource(subresource))?;
        if self.served_metrics(query.group).is_empty() {
            return Err(match measured::versions(query.group).first() {
                Some(version) if self.is_unavailable(query.group, version) => {
                    not_found::unavailable()
                }
                _ => not_found::page(),
            });
        }
        let chosen = self.chosen(query, resource, group)?;
        let there = self.aggregation.metrics.get(query.group).into_iter().flatten();
        let mut found: Vec<Metric> = there
            .filter(|metric| metric.namespace == query.namespace || query.group == EXTERNAL)
            .filter(|metric| metric.resource == query.resource && metric.name == query.name)
            .filter(|metric| query.labels.matches(Some(&metric.labels)))
            .filter(|metric| chosen.as_ref().is_none_or(|all| all.contains(&metric.object)))
            .cloned()
            .collect();
        found.sort_by(|a, b| a.object.cmp(&b.object));
        if found.is_empty() && query.group == CUSTOM && query.object != "*" {
            let dotted =
                if group.is_empty() { resource.to_owned() } else { query.resource.clone() };
            let (name, object) = (&query.name, &query.object);
            let text = format!("the server could not find the metric {name} for {dotted} {object}");
            return Err(ApiError::new(404, "NotFound", text));
        }
        Ok(found)
    }

    /// The names of the objects that are meant; `None` of what is outside of the cluster.
    fn chosen(
        &self,
        query: &MetricQuery,
        resource: &str,
        group: &str,
    ) -> ApiResult<Option<BTreeSet<String>>> {
        if query.group == EXTERNAL {
            return Ok(None);
        }
        if query.object != "*" {
            return Ok(Some(BTreeSet::from([query.object.clone()])));
        }
        let Some(kind) = self.kind_of_resource(resource, group) else {
            let text = format!("unable to map resource {resource} to a kind");
            return Err(ApiError::internal(text));
        };
        let options =
            ListOptions { label_selector: query.objects.to_string(), ..ListOptions::default() };
        let listed = self.list(&kind, &query.namespace, &options)?;
        Ok(Some(listed.items.iter().map(|object| object.name().to_owned()).collect()))
    }

    fn kind_of_resource(&self, resource: &str, group: &str) -> Option<KindRef> {
        naru_api::scheme::by_resource(&self.kinds, group, resource)
    }

    /// Answers a path below one of the groups.
    pub(crate) fn rest_metrics_api(&self, x: &Exchange<'_>) -> ApiResult<HttpResponse> {
        let info = &x.info;
        let group = if info.group == CUSTOM { CUSTOM } else { EXTERNAL };
        if self.is_unavailable(group, &info.version) {
            return Err(not_found::unavailable());
        }
        if !self.served_metrics(group).contains(&info.version.as_str()) {
            return Err(not_found::page());
        }
        let selector = |name: &str| {
            let text = x.query.text(name);
            Selector::parse(text).map_err(|error| ApiError::bad_request(error.to_string()))
        };
        let external = group == EXTERNAL;
        let (objects, labels) = match external {
            true => (Selector::EVERYTHING, selector("labelSelector")?),
            false => (selector("labelSelector")?, selector("metricLabelSelector")?),
        };
        let query = match (external, info.resource.as_str()) {
            (true, name) => MetricQuery {
                resource: String::new(),
                object: String::new(),
                name: name.to_owned(),
                group,
                namespace: info.namespace.clone(),
                objects,
                labels,
            },
            // Of the namespace itself.
            (false, "metrics") if info.subresource.is_empty() => MetricQuery {
                resource: "namespaces".to_owned(),
                object: info.namespace.clone(),
                name: info.name.clone(),
                group,
                namespace: String::new(),
                objects,
                labels,
            },
            (false, resource) => MetricQuery {
                resource: resource.to_owned(),
                object: info.name.clone(),
                name: info.subresource.clone(),
                group,
                namespace: info.namespace.clone(),
                objects,
                labels,
            },
        };
        if !matches!(info.verb, "get" | "list") {
            return Err(ApiError::method_not_allowed());
        }
        let found = self.find_metrics(&x.user, &query)?;
        let items: Vec<Value> = found.iter().map(|metric| self.item(info, metric)).collect();
        let list = json!({
            "kind": if external { "ExternalMetricValueList" } else { "MetricValueList" },
            "apiVersion": format!("{group}/{}", info.version),
            "metadata": {},
            "items": items,
        });
        Ok(encode::written(200, &list, &x.form(&[])?))
    }

    fn item(&self, info: &crate::rest::RequestInfo, metric: &Metric) -> Value {
        let time = rfc3339(Some(&meta_time(metric.timestamp)));
        if info.group == EXTERNAL {
            return json!({
                "metricName": metric.name,
                "metricLabels": metric.labels,
                "timestamp": time,
                "value": metric.value,
            });
        }
        let (resource, group) = split(&metric.resource);
        let kind = self.kind_of_resource(resource, group);
        let version = kind.as_ref().map_or("", |kind| &kind.version);
        let mut object = json!({
            "kind": kind.as_ref().map_or("", |kind| &kind.kind),
            "name": metric.object,
            "apiVersion": format!("{group}/{version}"),
        });
        if let (Some(fields), false) = (object.as_object_mut(), metric.namespace.is_empty()) {
            fields.insert("namespace".to_owned(), json!(metric.namespace));
        }
        let mut item = json!({
            "describedObject": object,
            "timestamp": time,
            "value": metric.value,
        });
        if let Some(fields) = item.as_object_mut() {
            if info.version == "v1beta1" {
                fields.insert("metricName".to_owned(), json!(metric.name));
                fields.insert("selector".to_owned(), Value::Null);
            } else {
                let named = json!({"name": metric.name, "selector": null});
                fields.insert("metric".to_owned(), named);
            }
        }
        item
    }

    /// What discovery tells of a version of one of the groups; `None` if it is not served.
    pub(crate) fn metric_resources(&self, group: &str, version: &str) -> Option<Vec<Value>> {
        if !self.served_metrics(group).contains(&version) {
            return None;
        }
        let there = self.aggregation.metrics.get(group).into_iter().flatten();
        let names: BTreeSet<(String, bool)> = there
            .map(|metric| match group {
                EXTERNAL => (metric.name.clone(), true),
                _ => (format!("{}/{}", metric.resource, metric.name), !metric.namespace.is_empty()),
            })
            .collect();
        let kind = if group == EXTERNAL { "ExternalMetricValueList" } else { "MetricValueList" };
        let row = |(name, namespaced): (String, bool)| {
            json!({
                "name": name,
                "singularName": "",
                "namespaced": namespaced,
                "kind": kind,
                "verbs": ["get"],
            })
        };
        Some(names.into_iter().map(row).collect())
    }
}
