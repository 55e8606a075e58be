//! `ServiceAccount`: every pod runs as a service account and finds its token in a volume.
//!
//! Upstream: `plugin/pkg/admission/serviceaccount/admission.go`.

use super::{Admission, Operation};
use naru_api::k8s_openapi::api::core::v1::{
    ConfigMapProjection, Container, DownwardAPIProjection, DownwardAPIVolumeFile, EnvFromSource,
    EnvVar, KeyToPath, LocalObjectReference, ObjectFieldSelector, Pod, PodSpec,
    ProjectedVolumeSource, ServiceAccount, ServiceAccountTokenProjection, Volume, VolumeMount,
    VolumeProjection,
};
use naru_api::{Object, names, status::ApiResult};
use naru_sim::Rng;
use std::sync::Arc;

const MIRROR: &str = "kubernetes.io/config.mirror";
const ENFORCE_SECRETS: &str = "kubernetes.io/enforce-mountable-secrets";
const DEFAULT: &str = "default";
const VOLUME: &str = "kube-api-access";
/// Where a client in a container looks for its token. Upstream: `DefaultAPITokenMountPath`.
const MOUNT_PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";
/// An hour, and seven seconds by which the API server knows a token of an old client.
///
/// Upstream: `WarnOnlyBoundTokenExpirationSeconds`.
const TOKEN_SECONDS: i64 = 60 * 60 + 7;
/// Upstream: `ProjectedVolumeSourceDefaultMode`.
const MODE: i32 = 0o644;

pub(super) fn mutate(
    admission: &Admission<'_>,
    object: &mut Object,
    rng: &mut Rng,
) -> ApiResult<()> {
    if !admission.creates() || object.get::<Pod>().is_none() || is_mirror(object) {
        return validate(admission, object);
    }
    let Some(pod) = object.edit::<Pod>() else { return Ok(()) };
    let spec = pod.spec.get_or_insert_default();
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        spec.service_account_name = Some(DEFAULT.to_owned());
    }
    // The old name of the field follows, as upstream's conversion keeps it.
    spec.service_account = spec.service_account_name.clone();
    let account = account_of(admission, spec)?;
    if automounts(spec, &account) {
        mount_token(spec, rng);
    }
    if spec.image_pull_secrets.as_ref().is_none_or(Vec::is_empty) {
        spec.image_pull_secrets = account.image_pull_secrets.clone();
    }
    check_secrets(admission, spec, &account)
}

pub(super) fn validate(admission: &Admission<'_>, object: &Object) -> ApiResult<()> {
    let Some(pod) = object.get::<Pod>() else { return Ok(()) };
    let Some(spec) = &pod.spec else { return Ok(()) };
    let ephemeral = admission.subresource == "ephemeralcontainers"
        && matches!(admission.operation, Operation::Update(_));
    if !ephemeral && !admission.creates() {
        return Ok(());
    }
    if !ephemeral && is_mirror(object) {
        return check_mirror(admission, spec);
    }
    if spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        return Err(admission.forbidden(format!(
            "no service account specified for pod {}/{}",
            admission.namespace,
            object.name()
        )));
    }
    let account = account_of(admission, spec)?;
    match ephemeral {
        true => check_ephemeral(admission, spec, &account),
        false => check_secrets(admission, spec, &account),
    }
}

fn is_mirror(object: &Object) -> bool {
    object.meta().annotations.as_ref().is_some_and(|all| all.contains_key(MIRROR))
}

fn account_of(admission: &Admission<'_>, spec: &PodSpec) -> ApiResult<Arc<ServiceAccount>> {
    let namespace = admission.namespace;
    let name = spec.service_account_name.as_deref().unwrap_or_default();
    match admission.find::<ServiceAccount>(namespace, name) {
        Some(account) => Ok(account),
        // Upstream waits some seconds for a controller to make it. No virtual time passes within
        // a request, so the account is taken as already there.
        None if name == DEFAULT => Ok(Arc::default()),
        None => Err(admission.forbidden(format!(
            "error looking up service account {namespace}/{name}: serviceaccount \"{name}\" not \
             found"
        ))),
    }
}

/// The pod's wish counts before its account's.
fn automounts(spec: &PodSpec, account: &ServiceAccount) -> bool {
    let wish = spec.automount_service_account_token.or(account.automount_service_account_token);
    wish.unwrap_or(true)
}

/// Mounts the token into every container that has nothing of its own there.
fn mount_token(spec: &mut PodSpec, rng: &mut Rng) {
    let prefix = format!("{VOLUME}-");
    let mut volumes = spec.volumes.iter().flatten().map(|volume| &volume.name);
    let had = volumes.find(|name| name.starts_with(&prefix)).cloned();
    let name = had.clone().unwrap_or_else(|| names::generate_name(&prefix, rng));
    let mut needed = false;
    let inits = spec.init_containers.iter_mut().flatten();
    for container in inits.chain(&mut spec.containers) {
        let mounts = container.volume_mounts.get_or_insert_default();
        if !mounts.iter().any(|mount| mount.mount_path == MOUNT_PATH) {
            needed = true;
            mounts.reserve_exact(1);
            mounts.push(VolumeMount {
                name: name.clone(),
                read_only: Some(true),
                mount_path: MOUNT_PATH.to_owned(),
                ..VolumeMount::default()
            });
        }
    }
    if had.is_none() && needed {
        let projected = Some(token_source().into());
        let volumes = spec.volumes.get_or_insert_default();
        // A volume is large, and a list that grows by itself has room for four.
        volumes.reserve_exact(1);
        volumes.push(Volume { name, projected, ..Volume::default() });
    }
}

/// A token, the certificate of who signed the API server's, and the pod's namespace.
///
/// Upstream: `TokenVolumeSource`.
fn token_source() -> ProjectedVolumeSource {
    let token = VolumeProjection {
        service_account_token: Some(ServiceAccountTokenProjection {
            path: "token".to_owned(),
            expiration_seconds: Some(TOKEN_SECONDS),
            audience: None,
        }),
        ..VolumeProjection::default()
    };
    let authority = VolumeProjection {
        config_map: Some(ConfigMapProjection {
            name: "kube-root-ca.crt".to_owned(),
            items: Some(vec![KeyToPath {
                key: "ca.crt".to_owned(),
                path: "ca.crt".to_owned(),
                mode: None,
            }]),
            optional: None,
        }),
        ..VolumeProjection::default()
    };
    let namespace = VolumeProjection {
        downward_api: Some(DownwardAPIProjection {
            items: Some(vec![DownwardAPIVolumeFile {
                path: "namespace".to_owned(),
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".to_owned()),
                    field_path: "metadata.namespace".to_owned(),
                }),
                ..DownwardAPIVolumeFile::default()
            }]),
        }),
        ..VolumeProjection::default()
    };
    ProjectedVolumeSource {
        default_mode: Some(MODE),
        sources: Some(vec![token, authority, namespace]),
    }
}

/// A pod that only mirrors one of the kubelet's may not refer to what the kubelet cannot read.
fn check_mirror(admission: &Admission<'_>, spec: &PodSpec) -> ApiResult<()> {
    let refuse = |what: &str| Err(admission.forbidden(format!("a mirror pod may not {what}")));
    if !spec.service_account_name.as_deref().unwrap_or_default().is_empty() {
        return refuse("reference service accounts");
    }
    if refers_to_secrets(spec) {
        return refuse("reference secrets");
    }
    if projections(spec).any(|projection| projection.service_account_token.is_some()) {
        return refuse("use ServiceAccountToken volume projections");
    }
    Ok(())
}

fn projections(spec: &PodSpec) -> impl Iterator<Item = &VolumeProjection> {
    let volumes = spec.volumes.iter().flatten();
    let projected = volumes.filter_map(|volume| volume.projected.as_ref());
    projected.flat_map(|projected| projected.sources.iter().flatten())
}

/// Upstream: `VisitPodSecretNames`.
pub(super) fn refers_to_secrets(spec: &PodSpec) -> bool {
    spec.image_pull_secrets.as_ref().is_some_and(|all| !all.is_empty())
        || spec.volumes.iter().flatten().any(|volume| volume.secret.is_some())
        || projections(spec).any(|projection| projection.secret.is_some())
        || containers(spec).any(|(_, container)| secret_of_env(container).next().is_some())
}

/// Upstream: `VisitPodConfigmapNames`.
pub(super) fn refers_to_config_maps(spec: &PodSpec) -> bool {
    let in_env = |container: &Container| {
        let mut sources = container.env_from.iter().flatten();
        let mut variables = container.env.iter().flatten();
        sources.any(|source| source.config_map_ref.is_some())
            || variables.any(|variable| {
                let value = variable.value_from.as_ref();
                value.is_some_and(|value| value.config_map_key_ref.is_some())
            })
    };
    spec.volumes.iter().flatten().any(|volume| volume.config_map.is_some())
        || projections(spec).any(|projection| projection.config_map.is_some())
        || containers(spec).any(|(_, container)| in_env(container))
}

/// Every container and what messages call it.
fn containers(spec: &PodSpec) -> impl Iterator<Item = (&'static str, &Container)> {
    let inits = spec.init_containers.iter().flatten().map(|one| ("init container", one));
    inits.chain(spec.containers.iter().map(|one| ("container", one)))
}

/// The secrets in a container's environment: of which variable (`None`: of all), and their names.
fn secret_of_env(container: &Container) -> impl Iterator<Item = (Option<&str>, &str)> {
    env_secrets(container.env.as_deref(), container.env_from.as_deref())
}

fn env_secrets<'a>(
    env: Option<&'a [EnvVar]>,
    env_from: Option<&'a [EnvFromSource]>,
) -> impl Iterator<Item = (Option<&'a str>, &'a str)> {
    let of_variable = |variable: &'a EnvVar| {
        let secret = variable.value_from.as_ref()?.secret_key_ref.as_ref()?;
        Some((Some(variable.name.as_str()), secret.name.as_str()))
    };
    let of_source =
        |source: &'a EnvFromSource| Some((None, source.secret_ref.as_ref()?.name.as_str()));
    let sources = env_from.unwrap_or_default().iter().filter_map(of_source);
    env.unwrap_or_default().iter().filter_map(of_variable).chain(sources)
}

/// Whether an account lets its pods refer to its own secrets only.
fn enforces(account: &ServiceAccount) -> bool {
    let value = account.metadata.annotations.as_ref().and_then(|all| all.get(ENFORCE_SECRETS));
    value.is_some_and(|value| matches!(value.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True"))
}

fn check_secrets(
    admission: &Admission<'_>,
    spec: &PodSpec,
    account: &ServiceAccount,
) -> ApiResult<()> {
    if !enforces(account) {
        return Ok(());
    }
    let name = account.metadata.name.as_deref().unwrap_or_default();
    for volume in spec.volumes.iter().flatten() {
        let secret = volume.secret.as_ref().and_then(|secret| secret.secret_name.as_deref());
        if let Some(secret) = secret.filter(|secret| !mounts(account, secret)) {
            return Err(admission.forbidden(format!(
                "volume with secret.secretName=\"{secret}\" is not allowed because service \
                 account {name} does not reference that secret"
            )));
        }
    }
    for (what, container) in containers(spec) {
        let secrets = secret_of_env(container);
        check_env(admission, account, what, &container.name, secrets)?;
    }
    let pulls = account.image_pull_secrets.as_deref().unwrap_or_default();
    let wanted: &[LocalObjectReference] = spec.image_pull_secrets.as_deref().unwrap_or_default();
    for (index, secret) in wanted.iter().enumerate() {
        if !pulls.iter().any(|pull| pull.name == secret.name) {
            return Err(admission.forbidden(format!(
                "imagePullSecrets[{index}].name=\"{}\" is not allowed because service account \
                 {name} does not reference that imagePullSecret",
                secret.name
            )));
        }
    }
    Ok(())
}

fn check_ephemeral(
    admission: &Admission<'_>,
    spec: &PodSpec,
    account: &ServiceAccount,
) -> ApiResult<()> {
    if !enforces(account) {
        return Ok(());
    }
    for container in spec.ephemeral_containers.iter().flatten() {
        let secrets = env_secrets(container.env.as_deref(), container.env_from.as_deref());
        check_env(admission, account, "ephemeral container", &container.name, secrets)?;
    }
    Ok(())
}

fn check_env<'a>(
    admission: &Admission<'_>,
    account: &ServiceAccount,
    what: &str,
    container: &str,
    mut secrets: impl Iterator<Item = (Option<&'a str>, &'a str)>,
) -> ApiResult<()> {
    let Some((variable, secret)) = secrets.find(|(_, secret)| !mounts(account, secret)) else {
        return Ok(());
    };
    let place = match variable {
        Some(variable) => format!("envVar {variable}"),
        None => "envFrom".to_owned(),
    };
    let name = account.metadata.name.as_deref().unwrap_or_default();
    Err(admission.forbidden(format!(
        "{what} {container} with {place} referencing secret.secretName=\"{secret}\" is not allowed \
         because service account {name} does not reference that secret"
    )))
}

fn mounts(account: &ServiceAccount, secret: &str) -> bool {
    account.secrets.iter().flatten().any(|own| own.name.as_deref() == Some(secret))
}
