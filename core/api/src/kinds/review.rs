//! What the kinds share that are asked and answered, and never stored: reviews and token requests.

use super::{decode_as, read_as};
use crate::decode::DecodeError;
use crate::{FieldError, Kube, Object, Strategy};
use serde_json::Value;

/// The strategy of a kind that can only be created, and answers at once.
pub(super) struct Review<K: Kube> {
    /// Fills in defaults.
    pub(super) default: fn(&mut K),
    /// Tells what is wrong.
    pub(super) validate: fn(&K) -> Vec<FieldError>,
}

impl<K: Kube> Review<K> {
    /// Without defaults.
    pub(super) const fn new(validate: fn(&K) -> Vec<FieldError>) -> Self {
        Review { default: |_| {}, validate }
    }
}

impl<K: Kube> Strategy for Review<K> {
    fn decode(&self, json: Value) -> Result<Object, String> {
        decode_as::<K>(json)
    }

    fn read(&self, json: Value) -> Result<(Object, Vec<String>), DecodeError> {
        read_as::<K>(json)
    }

    fn default(&self, object: &mut Object) {
        if let Some(object) = object.edit() {
            (self.default)(object);
        }
    }

    fn validate(&self, object: &Object) -> Vec<FieldError> {
        object.get().map(self.validate).unwrap_or_default()
    }
}
