//! Patches of an object's metadata alone, as `kubectl label` and `annotate` make them: nothing else of it
//! need be told as JSON and read again.

use crate::patch::{changed, looks_at_owners};
use crate::update::check_name;
use crate::{ApiServer, decode, limits, metadata, versions};
use naru_api::encode::{self, Group, Leaf, Sink};
use naru_api::request::Patch;
use naru_api::wanted::Wanted;
use naru_api::{ApiError, Object, Request, status::ApiResult};
use serde_json::Value;

const METADATA: &str = "metadata";

impl ApiServer {
    /// The object with other metadata, if that is all that the patch is about; `None` also where the
    /// whole object has to be looked at to say what is wrong.
    pub(crate) fn with_metadata(
        &mut self,
        request: &Request,
        patch: &Patch,
        old: &Object,
    ) -> ApiResult<Option<Object>> {
        let special = !request.subresource.is_empty()
            || request.kind.strategy.custom().is_some()
            || versions::by_stored_rules(request).is_some();
        if special || !is_of_metadata(patch) || looks_at_owners(patch) {
            return Ok(None);
        }
        let mut looked_at = Wanted::default();
        for field in ["apiVersion", "kind", METADATA] {
            looked_at.field(field).want_all();
        }
        let part = old.content_part(&looked_at).map_err(ApiError::internal)?;
        let Ok(changed) = changed(&request.kind, part.clone(), patch) else { return Ok(None) };
        if changed == part && request.duplicates.is_empty() {
            return Ok(Some(old.clone()));
        }
        let size = weight(|sink| {
            encode::tell(&changed, sink)?;
            old.tell(false, sink)
        })?;
        let Ok((read, unknown)) = decode::read(&request.kind, changed) else { return Ok(None) };
        if size > limits::OBJECT_BYTES_MAX || !unknown.is_empty() || !request.duplicates.is_empty()
        {
            return Ok(None);
        }
        let mut new = old.clone();
        *new.meta_mut() = read.meta().clone();
        metadata::match_namespace(new.meta_mut(), &request.kind, &request.namespace)?;
        check_name(request, &new)?;
        self.own_update(request, old, &mut new, &looked_at)?;
        Ok(Some(new))
    }
}

/// Bytes that what is told has as JSON at most, if all of its characters were to be escaped: seldom is
/// an object so large that more has to be known, and to write it takes much longer.
#[derive(Default)]
struct Weight(usize);

impl Weight {
    /// Bytes of a text: six of each at most, and what stands around it.
    fn text(&mut self, text: &str) {
        self.0 = self.0.saturating_add(text.len().saturating_mul(6).saturating_add(4));
    }
}

impl Sink for Weight {
    fn leaf(&mut self, leaf: Leaf<'_>) {
        match leaf {
            Leaf::Text(text) => self.text(text),
            // No number has more digits.
            _ => self.0 = self.0.saturating_add(32),
        }
    }

    fn begin(&mut self, _: Group) {
        self.0 = self.0.saturating_add(2);
    }

    fn name(&mut self, name: &str) {
        self.text(name);
    }

    fn end(&mut self) {
        self.0 = self.0.saturating_add(1);
    }
}

fn weight(tell: impl FnOnce(&mut Weight) -> Result<(), serde_json::Error>) -> ApiResult<usize> {
    let mut weight = Weight::default();
    tell(&mut weight).map_err(ApiError::internal)?;
    Ok(weight.0)
}

/// Whether a patch neither looks at nor changes anything but `metadata`.
fn is_of_metadata(patch: &Patch) -> bool {
    match patch {
        Patch::Merge(changes) | Patch::Strategic(changes) => {
            let fields = changes.as_object();
            let own = |(name, value): (&String, &Value)| name == METADATA && value.is_object();
            fields.is_some_and(|fields| fields.iter().all(own))
        }
        Patch::Json(operations) => {
            let below =
                |path: &Value| path.as_str().is_some_and(|path| path.starts_with("/metadata/"));
            let operations = operations.as_array().map(Vec::as_slice).unwrap_or_default();
            operations.iter().all(|operation| {
                operation.get("path").is_some_and(below) && operation.get("from").is_none_or(below)
            })
        }
        Patch::Apply { .. } => false,
    }
}
