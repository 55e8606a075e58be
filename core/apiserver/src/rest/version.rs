//! `/version`.

use serde::Serialize;

/// Upstream: `version.Info` in `apimachinery/pkg/version/types.go`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info {
    major: &'static str,
    minor: &'static str,
    emulation_major: &'static str,
    emulation_minor: &'static str,
    min_compatibility_major: &'static str,
    min_compatibility_minor: &'static str,
    git_version: &'static str,
    git_commit: &'static str,
    git_tree_state: &'static str,
    build_date: &'static str,
    go_version: &'static str,
    compiler: &'static str,
    platform: &'static str,
}

/// The version is that of the nodes and of kubectl; Naru's own build has no commit to tell.
const INFO: Info = Info {
    major: "1",
    minor: "33",
    emulation_major: "1",
    emulation_minor: "33",
    min_compatibility_major: "1",
    min_compatibility_minor: "32",
    git_version: "v1.33.1",
    git_commit: "",
    git_tree_state: "",
    build_date: "1970-01-01T00:00:00Z",
    go_version: "",
    compiler: "rustc",
    platform: "linux/amd64",
};

/// The answer, with two spaces before each field.
pub(crate) fn version() -> Vec<u8> {
    // A value of texts can be written.
    serde_json::to_vec_pretty(&INFO).unwrap_or_default()
}

/// The same as labels of a metric.
pub(crate) fn labels() -> String {
    let Info { build_date, compiler, git_commit, git_tree_state, git_version, .. } = INFO;
    let Info { go_version, major, minor, platform, .. } = INFO;
    format!(
        "build_date=\"{build_date}\",compiler=\"{compiler}\",git_commit=\"{git_commit}\",\
         git_tree_state=\"{git_tree_state}\",git_version=\"{git_version}\",\
         go_version=\"{go_version}\",major=\"{major}\",minor=\"{minor}\",platform=\"{platform}\""
    )
}
