//! The schemas of the built-in types, as the build script has written them.

use flate2::read::GzDecoder;
use naru_apiserver::rest::Schemas;
use std::error::Error;
use std::sync::Arc;

static COMPRESSED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/schemas.json.gz"));

/// Unpacks them.
pub fn schemas() -> Result<Arc<Schemas>, Box<dyn Error>> {
    let json = serde_json::from_reader(GzDecoder::new(COMPRESSED))?;
    Ok(Arc::new(Schemas::new(json)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_kind_has_a_schema() {
        let schemas = schemas().unwrap();
        let missing: Vec<String> = naru_api::scheme::built_in()
            .iter()
            // Of what the metrics server serves, nothing is built in upstream either.
            .filter(|kind| kind.group != "metrics.k8s.io" && !schemas.describes(kind))
            .map(|kind| kind.group_kind())
            .collect();
        assert_eq!(missing, [""; 0]);
    }
}
