//! Every text of the page. A language is one file; a text that is missing there does not compile.

mod en;
mod ko;

use naru_lesson::Text;

/// A language of the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Language {
    /// 한국어.
    #[default]
    Korean,
    /// English.
    English,
}

impl Language {
    /// All of them, as they are offered.
    pub const ALL: [Language; 2] = [Language::Korean, Language::English];

    /// Its BCP 47 tag.
    pub fn tag(self) -> &'static str {
        match self {
            Language::Korean => "ko",
            Language::English => "en",
        }
    }

    /// The locale of a machine that speaks it.
    pub fn locale(self) -> &'static str {
        match self {
            Language::Korean => "ko_KR.UTF-8",
            Language::English => "en_US.UTF-8",
        }
    }

    /// Its name in itself.
    pub fn name(self) -> &'static str {
        match self {
            Language::Korean => "한국어",
            Language::English => "English",
        }
    }

    /// The language of a tag such as `en` or `en-GB`.
    pub fn of_tag(tag: &str) -> Option<Language> {
        let primary = tag.split('-').next()?;
        Language::ALL.into_iter().find(|it| it.tag().eq_ignore_ascii_case(primary))
    }

    /// Its texts.
    pub fn texts(self) -> &'static Texts {
        match self {
            Language::Korean => &ko::TEXTS,
            Language::English => &en::TEXTS,
        }
    }

    /// What a lesson says in it.
    pub fn of(self, text: &Text) -> &str {
        match self {
            Language::Korean => &text.ko,
            Language::English => &text.en,
        }
    }
}

/// The texts of the page. `{}` stands for what is put in by [`fill`].
#[derive(Debug)]
#[allow(missing_docs)] // Each is named by what it says.
pub struct Texts {
    pub title: &'static str,
    pub tagline: &'static str,
    pub loading: &'static str,
    pub failed: &'static str,
    pub restart: &'static str,
    pub restart_hint: &'static str,
    pub language: &'static str,
    pub theme_light: &'static str,
    pub theme_dark: &'static str,
    pub skip_to_terminal: &'static str,

    pub time: &'static str,
    pub pause: &'static str,
    pub step: &'static str,
    pub speed: &'static str,
    pub clock_title: &'static str,
    pub paused_notice: &'static str,
    pub resume: &'static str,

    pub tab_lesson: &'static str,
    pub tab_cluster: &'static str,
    pub tab_terminal: &'static str,
    pub tab_details: &'static str,
    pub split_lesson: &'static str,
    pub split_terminal: &'static str,

    pub lesson: &'static str,

    pub minutes: &'static str,
    pub progress: &'static str,
    pub run_this: &'static str,
    pub copy: &'static str,
    pub copied: &'static str,
    pub check: &'static str,
    pub check_holds: &'static str,
    pub check_waits: &'static str,
    pub hint: &'static str,
    pub next_step: &'static str,
    pub step_done: &'static str,
    pub lesson_done: &'static str,
    pub lesson_done_more: &'static str,
    pub forget_progress: &'static str,

    pub topology: &'static str,
    pub show_system: &'static str,
    pub api_server: &'static str,
    pub api_server_role: &'static str,
    pub revision: &'static str,
    pub terminal_role: &'static str,
    pub store_role: &'static str,
    pub scheduler_role: &'static str,
    pub controllers_role: &'static str,
    pub empty_cluster: &'static str,
    pub empty_cluster_hint: &'static str,
    pub no_nodes: &'static str,
    pub no_nodes_hint: &'static str,
    pub folded: &'static str,
    pub node: &'static str,
    pub node_ready: &'static str,
    pub node_not_ready: &'static str,
    pub cordoned: &'static str,
    pub waits_for_node: &'static str,
    pub pod: &'static str,
    pub service: &'static str,
    pub workload: &'static str,
    pub endpoints: &'static str,
    pub legend: &'static str,
    pub look_waiting: &'static str,
    pub look_starting: &'static str,
    pub look_ready: &'static str,
    pub look_unready: &'static str,
    pub look_done: &'static str,
    pub look_broken: &'static str,
    pub look_leaving: &'static str,

    pub details: &'static str,
    pub inspector: &'static str,
    pub activity: &'static str,
    pub packets: &'static str,
    pub close: &'static str,
    pub nothing_selected: &'static str,
    pub object_gone: &'static str,
    pub owner: &'static str,
    pub events: &'static str,
    pub no_events: &'static str,
    pub why: &'static str,
    pub yaml: &'static str,
    pub no_activity: &'static str,
    pub no_packets: &'static str,
    pub replay: &'static str,
    pub packet_travels: &'static str,

    pub terminal: &'static str,
    pub terminal_hint: &'static str,
    pub screen_reader: &'static str,
    pub text_smaller: &'static str,
    pub text_larger: &'static str,

    pub resuming: &'static str,
    pub kept_is_old: &'static str,
    pub keep_and_share: &'static str,
    pub share_link: &'static str,
    pub share_link_hint: &'static str,
    pub export: &'static str,
    pub export_hint: &'static str,
    pub import: &'static str,
    pub import_hint: &'static str,
    pub export_manifests: &'static str,
    pub export_manifests_hint: &'static str,
    pub mark_before: &'static str,
    pub mark_after: &'static str,
    pub speed_choice: &'static str,
    pub time_line: &'static str,
    pub to_present: &'static str,
    pub past_notice: &'static str,
    pub branches: &'static str,
    pub branch: &'static str,
    pub branch_end: &'static str,
    pub faults: &'static str,
    pub fault_stop: &'static str,
    pub fault_cut: &'static str,
    pub fault_program: &'static str,
    pub fault_mend: &'static str,
    pub fault_crash: &'static str,
    pub fault_of: &'static str,
    pub fault_fill: &'static str,
    pub open_shell: &'static str,
    pub stage_picture: &'static str,
    pub stage_objects: &'static str,
    pub stage_flow: &'static str,
    pub stage_resources: &'static str,
    pub overview: &'static str,
    pub history: &'static str,
    pub conditions: &'static str,
    pub decision: &'static str,
    pub decided: &'static str,
    pub undecided: &'static str,
    pub filtered: &'static str,
    pub scores: &'static str,
    pub total: &'static str,
    pub no_changes: &'static str,
    pub revision_of: &'static str,
    pub lines_skipped: &'static str,
    pub loading_objects: &'static str,
    pub search_objects: &'static str,
    pub all_namespaces: &'static str,
    pub wide: &'static str,
    pub kinds: &'static str,
    pub no_objects: &'static str,
    pub no_objects_here: &'static str,
    pub none_found: &'static str,
    pub more_objects: &'static str,
    pub owned_by: &'static str,
    pub stories: &'static str,
    pub effects: &'static str,
    pub no_stories: &'static str,
    pub tell: &'static str,
    pub message_before: &'static str,
    pub message_after: &'static str,
    pub of_messages: &'static str,
    pub says_watch: &'static str,
    pub says_stored: &'static str,
    pub says_refused: &'static str,
    pub says_asks: &'static str,
    pub look_at_object: &'static str,
    pub means_command: &'static str,
    pub means_reads: &'static str,
    pub means_writes: &'static str,
    pub means_refused: &'static str,
    pub means_stored: &'static str,
    pub means_watch: &'static str,
    pub means_thinks: &'static str,
    pub search_packets: &'static str,
    pub all_packets: &'static str,
    pub resources_hint: &'static str,
    pub memory: &'static str,
    pub asked_of: &'static str,
    pub limits_of: &'static str,
    pub terminal_number: &'static str,
    pub new_terminal: &'static str,
    pub editor: &'static str,
    pub files: &'static str,
    pub file_name: &'static str,
    pub save: &'static str,
    pub saved: &'static str,
    pub apply: &'static str,
    pub all_lessons: &'static str,
    pub playground: &'static str,
    pub playground_hint: &'static str,
    pub part: &'static str,
    /// What the parts of the course are about, from the first on.
    pub parts: [&'static str; 17],
    pub learned: &'static str,
    pub next_lesson: &'static str,
    pub reset_step: &'static str,
    pub reset_step_hint: &'static str,
    pub look_in: &'static str,
    pub right: &'static str,
    pub wrong: &'static str,
    pub solution: &'static str,
    pub show_solution: &'static str,
    pub profile: &'static str,
    pub seed: &'static str,
    pub presets: &'static str,
    pub start_profile: &'static str,
    pub profile_kind: &'static str,
    pub profile_minikube: &'static str,
    pub profile_kubeadm: &'static str,
    pub profile_gke: &'static str,
    pub profile_ha: &'static str,
    pub search: &'static str,
    pub zoom_in: &'static str,
    pub zoom_out: &'static str,
    pub zoom_fit: &'static str,
    pub every_namespace: &'static str,
    pub namespace: &'static str,
    pub ingress: &'static str,
    pub claim: &'static str,
    pub many_objects: &'static str,
    pub rollout: &'static str,
    pub ready_of: &'static str,
    pub explain: &'static str,
    pub go_on: &'static str,
    pub report: &'static str,
    pub stage_registry: &'static str,
    pub stage_rights: &'static str,
    pub stage_rules: &'static str,
    pub registry_hint: &'static str,
    pub registry_path: &'static str,
    pub registry_keys: &'static str,
    pub registry_revision: &'static str,
    pub choose_key: &'static str,
    pub key_created: &'static str,
    pub key_modified: &'static str,
    pub key_version: &'static str,
    pub key_expires: &'static str,
    pub key_gone: &'static str,
    pub key_value: &'static str,
    pub key_changes: &'static str,
    pub rights_who: &'static str,
    pub rights_where: &'static str,
    pub rights_cluster: &'static str,
    pub rights_search: &'static str,
    pub rights_only: &'static str,
    pub rights_groups: &'static str,
    pub rights_allowed: &'static str,
    pub rights_denied: &'static str,
    pub rights_none: &'static str,
    pub rights_choose: &'static str,
    pub rights_can: &'static str,
    pub rights_cannot: &'static str,
    pub rights_names: &'static str,
    pub rights_super: &'static str,
    pub rules_service: &'static str,
    pub rules_node: &'static str,
    pub rules_none: &'static str,
    pub rules_hint: &'static str,
    pub rules_others: &'static str,
    pub rules_of_service: &'static str,
    pub chain_services: &'static str,
    pub chain_nodeports: &'static str,
    pub chain_service: &'static str,
    pub chain_endpoint: &'static str,
    pub chain_external: &'static str,
    pub chain_firewall: &'static str,
    pub chart_replicas: &'static str,
    pub chart_metric: &'static str,
    pub chart_sets: &'static str,
    pub chart_wanted: &'static str,
    pub conditions_over_time: &'static str,
    pub condition_since: &'static str,
    pub used_of: &'static str,
    pub usage_waits: &'static str,
    pub busiest: &'static str,
    pub until: &'static str,
    pub until_ready: &'static str,
    pub until_done: &'static str,
    pub until_gone: &'static str,
    pub until_free: &'static str,
    pub until_go: &'static str,
    pub until_running: &'static str,
    pub until_met: &'static str,
    pub until_missed: &'static str,
    pub cancel: &'static str,
    pub goal: &'static str,
    pub goal_has: &'static str,
    pub goal_loading: &'static str,
    pub group_by: &'static str,
    pub group_node: &'static str,
    pub group_namespace: &'static str,
    pub group_owner: &'static str,
    pub group_label: &'static str,
    pub group_none: &'static str,
    pub fault_drag: &'static str,
    pub crowd: &'static str,
    pub split_beside: &'static str,
    pub split_close: &'static str,
    pub split_pane: &'static str,
    pub outside: &'static str,
    pub write_lesson: &'static str,
    pub write_lesson_hint: &'static str,
    pub author_text: &'static str,
    pub author_preview: &'static str,
    pub author_check: &'static str,
    pub author_checking: &'static str,
    pub author_stop: &'static str,
    pub author_good: &'static str,
    pub author_played: &'static str,
    pub author_try: &'static str,
    pub author_download: &'static str,
    pub author_slug: &'static str,
    pub author_problems: &'static str,
    pub author_ran: &'static str,
}

/// Puts values in for each `{}`, in order.
pub fn fill(text: &str, values: &[&str]) -> String {
    let mut parts = text.split("{}");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    let mut values = values.iter();
    for part in parts {
        filled.push_str(values.next().unwrap_or(&"{}"));
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_find_languages() {
        for (tag, language) in [
            ("ko", Some(Language::Korean)),
            ("ko-KR", Some(Language::Korean)),
            ("EN-us", Some(Language::English)),
            ("fr", None),
            ("", None),
        ] {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }

    #[test]
    fn values_are_filled_in() {
        for (text, values, filled) in [
            ("a", &[][..], "a"),
            ("{}분", &["10"][..], "10분"),
            ("{} of {}", &["1", "2"][..], "1 of 2"),
            ("{} {}", &["1"][..], "1 {}"),
        ] {
            assert_eq!(fill(text, values), filled);
        }
    }
}
