//! A definition whose names are accepted and that is served is established. A definition in a
//! group of the community says whether its API was approved.
//!
//! Upstream: `apiextensions-apiserver/pkg/controller/establish/establishing_controller.go`,
//! `pkg/controller/apiapproval/apiapproval_controller.go`.

use super::{Step, condition, says_the_same};
use crate::ApiServer;
use naru_api::kinds::customresourcedefinition::{self, Approval, approval, is_true};
use naru_api::status::ApiResult;

impl ApiServer {
    /// Establishes a definition; whether anything was written.
    pub(super) fn establish_definition(&mut self, step: &Step<'_>) -> ApiResult<bool> {
        let definition = step.definition;
        if !is_true(definition, "NamesAccepted") || is_true(definition, "Established") {
            return Ok(false);
        }
        let message = "the initial names have been accepted";
        let established = condition("Established", "True", "InitialNamesAccepted", message);
        let new = self.with_condition(definition, established);
        self.write_definition(new, step.cause)?;
        Ok(true)
    }

    /// Tells whether an API of the community was approved; whether anything was written.
    pub(super) fn approve_definition(&mut self, step: &Step<'_>) -> ApiResult<bool> {
        const NAME: &str = "KubernetesAPIApprovalPolicyConformant";
        let Some((state, message)) = approval(step.definition) else { return Ok(false) };
        let (status, reason) = match state {
            Approval::Invalid => ("False", "InvalidAnnotation"),
            Approval::Missing => ("False", "MissingAnnotation"),
            Approval::Approved => ("True", "ApprovedAnnotation"),
            Approval::Bypassed => ("False", "UnapprovedAnnotation"),
        };
        let new = condition(NAME, status, reason, message);
        if says_the_same(&new, customresourcedefinition::condition(step.definition, NAME)) {
            return Ok(false);
        }
        let new = self.with_condition(step.definition, new);
        self.write_definition(new, step.cause)?;
        Ok(true)
    }
}
