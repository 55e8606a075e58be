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

    /// Whether a registry has this layer, so that it need not be sent.
    pub fn has_layer(&self, digest: &str) -> bool {
        let mut pushed = self.pushed.values().flat_map(|image| &image.layers);
        pushed.any(|layer| layer.digest == digest) || Image::is_layer(digest)
    }
}
