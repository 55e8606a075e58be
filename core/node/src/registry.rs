//! The registries of the simulated world: what the catalogue has, and what was pushed.

use crate::{Image, ImageRef, RegistryError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Most images that may be pushed.
const PUSHED_MAX: usize = 200;

/// All registries.
#[derive(Clone, Debug, Default)]
pub struct Registry {
    pushed: BTreeMap<String, Arc<Image>>,
}

impl Registry {
    /// Looks for an image. `known` tells whether who asks has said who they are.
    pub fn find(&self, name: &ImageRef, known: bool) -> Result<Arc<Image>, RegistryError> {
        let found = match self.pushed.get(&name.to_string()) {
            Some(image) => Arc::clone(image),
            None => Image::find(name)?,
        };
        match found.private && !known {
            true => Err(RegistryError::NoRepository),
            false => Ok(found),
        }
    }

    /// Takes an image in under this name. The error is a registry's text.
    pub fn push(&mut self, name: &ImageRef, image: Arc<Image>) -> Result<(), String> {
        if self.pushed.len() >= PUSHED_MAX {
            return Err(format!("the sandbox's registries take at most {PUSHED_MAX} images"));
        }
        self.pushed.insert(name.to_string(), image);
        Ok(())
    }

    /// In which repository the registry of `name` has a layer of this image, so that it need not be sent:
    /// that of `name`, if it is there.
    pub fn repository_with(&self, name: &ImageRef, image: &Image, digest: &str) -> Option<String> {
        let has = |image: &Image| image.layers.iter().any(|layer| layer.digest == digest);
        let pushed = self.pushed.iter().filter(|(_, image)| has(image));
        let base = image.base().filter(|base| has(base)).map(|base| &base.repository);
        let repositories: Vec<String> = pushed
            .map(|(name, _)| name)
            .chain(base)
            .filter_map(|name| ImageRef::parse(name).ok())
            .filter(|holder| holder.registry == name.registry)
            .map(|holder| holder.path)
            .collect();
        let own = repositories.iter().find(|path| **path == name.path);
        own.or(repositories.last()).cloned()
    }
}
