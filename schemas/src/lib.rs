//! The OpenAPI schemas of the built-in types, as the build script has written them.
//!
//! Native programs link this crate. The page does not: it loads what `naru-schemas FILE` writes,
//! when `kubectl explain` first asks for it.

use flate2::read::GzDecoder;
use serde_json::Value;

static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.json.gz"));

/// Unpacks them: a JSON object, by the names of the types. The error says why that failed.
pub fn json() -> Result<Value, String> {
    serde_json::from_reader(GzDecoder::new(COMPRESSED)).map_err(|error| error.to_string())
}
