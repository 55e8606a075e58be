//! The `binding` subresource: a pod gets its node.
//!
//! Upstream: `pkg/registry/core/pod/storage/storage.go` (`BindingREST`).

use crate::admit::{self, Admission, Operation};
use crate::{ApiServer, keys, subresource};
use naru_api::k8s_openapi::api::core::v1::{Binding, Pod, PodCondition};
use naru_api::k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use naru_api::request::Body;
use naru_api::{ApiError, FieldError, Kube, Object, Request, pods, status::ApiResult};
use naru_sim::Time;

impl ApiServer {
    /// Assigns the pod that a binding names to a node: the resource `bindings`, from before there
    /// were subresources.
    ///
    /// Upstream: `LegacyBindingREST`.
    pub(crate) fn bind_by_body(&mut self, request: &Request, body: Body) -> ApiResult<Box<Status>> {
        let object = self.decode_as(request, &Binding::kind(), body)?;
        let name = object.name().to_owned();
        let request =
            Request { name, kind: Pod::kind(), subresource: "binding", ..request.clone() };
        self.bind(&request, Body::Object(object))
    }

    /// Assigns a pod to a node.
    pub(crate) fn bind(&mut self, request: &Request, body: Body) -> ApiResult<Box<Status>> {
        let cause = self.record(request, "create", &request.name);
        let mut object = self.decode_as(request, &Binding::kind(), body)?;
        let admission = Admission::new(&*self.store, &self.authorizer, request, Operation::Create);
        admit::mutate(&admission, &mut object, &mut self.rng)?;
        let Some(binding) = object.get::<Binding>() else {
            return Err(ApiError::bad_request("not a Binding object"));
        };
        if object.name() != request.name {
            return Err(ApiError::bad_request("name in URL does not match name in Binding object"));
        }
        let errors = validate(binding);
        if !errors.is_empty() {
            return Err(ApiError::invalid(&Binding::kind(), object.name(), &errors));
        }
        let old = self.find(&request.kind, &request.namespace, &request.name)?;
        self.check_binding(request, &old, binding)?;
        let mut pod = old.clone();
        if let Some(pod) = pod.edit::<Pod>() {
            assign(pod, binding, self.now);
        }
        if !request.dry_run {
            let key = keys::of_object(&request.kind, &request.namespace, &request.name);
            self.put(key, old.revision(), pod, cause)?;
        }
        Ok(subresource::success())
    }

    fn check_binding(&self, request: &Request, old: &Object, binding: &Binding) -> ApiResult<()> {
        // The resource of these conflicts is the subresource.
        let conflict = |why: &str| {
            let mut kind = (*request.kind).clone();
            kind.plural = "pods/binding".into();
            ApiError::conflict(&kind, old.name(), why)
        };
        let wanted = binding.metadata.uid.as_deref().unwrap_or_default();
        if !wanted.is_empty() && wanted != old.uid() {
            return Err(conflict(&format!(
                "Precondition failed: UID in precondition: {wanted}, UID in object meta: {}",
                old.uid()
            )));
        }
        let name = old.name();
        let spec = old.get::<Pod>().and_then(|pod| pod.spec.as_ref());
        let node = spec.and_then(|spec| spec.node_name.as_deref()).unwrap_or_default();
        if old.meta().deletion_timestamp.is_some() {
            let why = format!("pod {name} is being deleted, cannot be assigned to a host");
            return Err(conflict(&why));
        }
        if !node.is_empty() {
            return Err(conflict(&format!("pod {name} is already assigned to node \"{node}\"")));
        }
        if spec.is_some_and(|spec| spec.scheduling_gates.as_ref().is_some_and(|g| !g.is_empty())) {
            return Err(conflict(&format!("pod {name} has non-empty .spec.schedulingGates")));
        }
        Ok(())
    }
}

fn validate(binding: &Binding) -> Vec<FieldError> {
    let mut errors = Vec::new();
    let target = &binding.target;
    let kind = target.kind.as_deref().unwrap_or_default();
    if !matches!(kind, "" | "Node") {
        errors.push(FieldError::not_supported("target.kind", kind, &["Node", "<empty>"]));
    }
    if target.name.as_deref().unwrap_or_default().is_empty() {
        errors.push(FieldError::required("target.name", ""));
    }
    errors
}

fn assign(pod: &mut Pod, binding: &Binding, now: Time) {
    pod.spec.get_or_insert_default().node_name = binding.target.name.clone();
    if let Some(annotations) = &binding.metadata.annotations {
        let all = pod.metadata.annotations.get_or_insert_default();
        all.extend(annotations.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
    let scheduled = PodCondition {
        type_: "PodScheduled".to_owned(),
        status: "True".to_owned(),
        ..PodCondition::default()
    };
    pods::set_condition(pod, scheduled, now);
}
