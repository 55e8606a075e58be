//! The schemas of the built-in types.

use naru_apiserver::rest::Schemas;

/// Unpacks them.
pub fn schemas() -> Result<Schemas, String> {
    Schemas::new(naru_schemas::json()?)
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
