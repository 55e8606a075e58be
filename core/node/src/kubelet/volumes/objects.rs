//! Volumes that are made from objects of the API.
//!
//! Upstream: `pkg/volume/{configmap,secret,projected,downwardapi}`.

use super::payload::{Data, File, Payload};
use super::token::Tokens;
use super::{Sources, ownership};
use crate::kubelet::env::{field_value, resource_value};
use k8s_openapi::api::core::v1::{
    ConfigMap, ConfigMapProjection, Container, DownwardAPIVolumeFile, KeyToPath,
    ObjectFieldSelector, Secret, Volume, VolumeProjection,
};
use naru_api::Object;
use std::collections::BTreeMap;

/// The files of a volume that is made from objects; `None` for another kind of volume.
pub(super) fn payload_of(
    volume: &Volume,
    sources: &mut Sources<'_, '_>,
    tokens: &mut Tokens,
) -> Result<Option<Payload>, String> {
    let group = sources.pod.spec.as_deref().and_then(ownership::fs_group);
    if let Some(source) = &volume.config_map {
        let mut payload = Payload::new(source.default_mode, group);
        add_config_map(
            &mut payload,
            sources,
            &source.name,
            source.items.as_deref(),
            source.optional,
        )?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.secret {
        let mut payload = Payload::new(source.default_mode, group);
        let name = source.secret_name.clone().unwrap_or_default();
        add_secret(&mut payload, sources, &name, source.items.as_deref(), source.optional)?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.downward_api {
        let mut payload = Payload::new(source.default_mode, group);
        add_fields(&mut payload, sources, source.items.as_deref())?;
        return Ok(Some(payload));
    }
    if let Some(source) = &volume.projected {
        let mut payload = Payload::new(source.default_mode, group);
        let mut errors = Vec::new();
        for projection in source.sources.iter().flatten() {
            let added = add_projection(&mut payload, sources, tokens, projection);
            // Upstream: `utilerrors.NewAggregate`, which says alike ones once.
            errors.extend(added.err().filter(|error| !errors.contains(error)));
        }
        return match errors.as_slice() {
            [] => Ok(Some(payload)),
            [one] => Err(one.clone()),
            many => Err(format!("[{}]", many.join(", "))),
        };
    }
    Ok(None)
}

fn add_projection(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    tokens: &mut Tokens,
    projection: &VolumeProjection,
) -> Result<(), String> {
    if let Some(ConfigMapProjection { name, items, optional }) = &projection.config_map {
        add_config_map(payload, sources, name, items.as_deref(), *optional)?;
    }
    if let Some(source) = &projection.secret {
        add_secret(payload, sources, &source.name, source.items.as_deref(), source.optional)?;
    }
    if let Some(source) = &projection.downward_api {
        add_fields(payload, sources, source.items.as_deref())?;
    }
    if let Some(source) = &projection.service_account_token {
        let token = tokens.get(source, sources)?;
        payload.add_token(&source.path, token, ownership::fs_user(sources.pod));
    }
    Ok(())
}

fn add_config_map(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<(), String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let found = match sources.client.get::<ConfigMap>(&namespace, name) {
        Ok(found) => found,
        Err(error) if error.is_not_found() && optional == Some(true) => return Ok(()),
        Err(error) if error.is_not_found() => {
            return Err(format!("configmap \"{name}\" not found"));
        }
        Err(error) => return Err(error.message().to_owned()),
    };
    let text = found.data.iter().flatten().map(|(key, text)| (key, text.as_bytes()));
    let binary = found.binary_data.iter().flatten().map(|(key, bytes)| (key, bytes.0.as_slice()));
    let data: BTreeMap<&String, &[u8]> = text.chain(binary).collect();
    let missing = "configmap references non-existent config key";
    payload.add_keys(&data, items, optional == Some(true), missing)
}

fn add_secret(
    payload: &mut Payload,
    sources: &mut Sources<'_, '_>,
    name: &str,
    items: Option<&[KeyToPath]>,
    optional: Option<bool>,
) -> Result<(), String> {
    let namespace = sources.pod.metadata.namespace.clone().unwrap_or_default();
    let found = match sources.client.get::<Secret>(&namespace, name) {
        Ok(found) => found,
        Err(error) if error.is_not_found() && optional == Some(true) => return Ok(()),
        Err(error) if error.is_not_found() => return Err(format!("secret \"{name}\" not found")),
        Err(error) => return Err(error.message().to_owned()),
    };
    let data: BTreeMap<&String, &[u8]> =
        found.data.iter().flatten().map(|(key, bytes)| (key, bytes.0.as_slice())).collect();
    let missing = "references non-existent secret key";
    payload.add_keys(&data, items, optional == Some(true), missing)
}

fn add_fields(
    payload: &mut Payload,
    sources: &Sources<'_, '_>,
    items: Option<&[DownwardAPIVolumeFile]>,
) -> Result<(), String> {
    let host_ip = sources.config.internal_ip.to_string();
    for item in items.into_iter().flatten() {
        let text = if let Some(field) = &item.field_ref {
            let field = ObjectFieldSelector::clone(field);
            field_value(sources.pod, &field, &sources.pod_ip, &host_ip)?
        } else if let Some(resource) = &item.resource_field_ref {
            let own = Container::default();
            resource_value(&own, sources.pod, resource, sources.node)?
        } else {
            String::new()
        };
        payload.add(&item.path, Data::Bytes(text.into_bytes()), item.mode);
    }
    Ok(())
}

impl Payload {
    /// Adds keys under the paths that items say, or all under their own names.
    fn add_keys(
        &mut self,
        data: &BTreeMap<&String, &[u8]>,
        items: Option<&[KeyToPath]>,
        optional: bool,
        missing: &str,
    ) -> Result<(), String> {
        let Some(items) = items.filter(|items| !items.is_empty()) else {
            for (key, bytes) in data {
                self.add(key, Data::Bytes(bytes.to_vec()), None);
            }
            return Ok(());
        };
        for item in items {
            match data.get(&item.key) {
                Some(bytes) => self.add(&item.path, Data::Bytes(bytes.to_vec()), item.mode),
                None if optional => {}
                None => return Err(format!("{missing}: {}", item.key)),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &str, data: Data, mode: Option<i32>) {
        let mode = mode.unwrap_or(self.default_mode);
        let mode = u16::try_from(mode & 0o777).unwrap_or(0o644);
        self.files.insert(path.to_owned(), File { data, mode, uid: 0 });
    }

    /// A token is its user's alone, where the pod tells who that is.
    ///
    /// Upstream: `collectData` in `pkg/volume/projected/projected.go`.
    fn add_token(&mut self, path: &str, token: Object, user: Option<u32>) {
        let private = user.is_some() || self.group.is_some();
        self.add(path, Data::Token(token), private.then_some(0o600));
        if let Some(file) = self.files.get_mut(path) {
            file.uid = user.unwrap_or(0);
        }
    }
}
