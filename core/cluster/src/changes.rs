//! How objects change: the store's history of one object, and what a single request changed.

use crate::Cluster;
use crate::view::{LineView, RevisionView};
use crate::viewer::activity_view;
use naru_api::Object;
use naru_apiserver::Change;
use naru_sim::{CauseId, CauseLog};
use serde_json::Value;

/// Changes of one object told at most, the latest ones.
const REVISIONS_MAX: usize = 30;
/// Lines of a text that are compared; what comes after is left out.
const LINES_MAX: usize = 1_000;
/// Lines told around a change.
const AROUND: usize = 2;

impl Cluster {
    /// How an object has changed, oldest first, as far back as the store keeps it.
    pub(crate) fn revisions(&mut self, object: &Object) -> Vec<RevisionView> {
        let uid = object.uid();
        let is_of = |change: &&Change| {
            change.after.as_ref().or(change.before.as_ref()).is_some_and(|it| it.uid() == uid)
        };
        self.changes(is_of)
    }

    /// What the request of this number changed.
    pub fn changes_by(&mut self, cause: u64) -> Vec<RevisionView> {
        self.changes(|change| change.cause == CauseId(cause))
    }

    pub(crate) fn changes(&mut self, fits: impl Fn(&&Change) -> bool) -> Vec<RevisionView> {
        let kept = self.api.store().compacted();
        let mut found: Vec<Change> = match self.changes_since(kept) {
            Some(changes) => changes.filter(fits).cloned().collect(),
            None => Vec::new(),
        };
        found.drain(..found.len().saturating_sub(REVISIONS_MAX));
        let causes = self.causes();
        found.iter().map(|change| revision_view(change, causes)).collect()
    }
}

fn revision_view(change: &Change, causes: &CauseLog) -> RevisionView {
    let text = |object: Option<&Object>| {
        let mut json = object.and_then(|object| object.content_json().ok())?;
        // That it differs is what makes this a change.
        if let Some(meta) = json.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.remove("resourceVersion");
        }
        Some(naru_api::yaml::print(&json))
    };
    let text = |object: Option<&Object>| text(object).unwrap_or_default();
    let subject = change.key.trim_start_matches("/registry/").to_owned();
    RevisionView {
        revision: change.revision,
        subject,
        cause: causes.get(change.cause).map(activity_view),
        lines: compare(&text(change.before.as_ref()), &text(change.after.as_ref())),
    }
}

/// What differs between two texts, line by line, with some lines around each difference.
fn compare(before: &str, after: &str) -> Vec<LineView> {
    let lines =
        |text: &str| -> Vec<String> { text.lines().take(LINES_MAX).map(str::to_owned).collect() };
    let (before, after) = (lines(before), lines(after));
    let all = merge(&before, &after);
    let differs = |line: &LineView| !matches!(line, LineView::Same(_));
    let near = |index: usize| {
        let from = index.saturating_sub(AROUND);
        all.iter().skip(from).take(index - from + AROUND + 1).any(differs)
    };
    let mut told = Vec::new();
    let mut skipped = 0;
    for (index, line) in all.iter().enumerate() {
        if !near(index) {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            told.push(LineView::Skipped(skipped));
            skipped = 0;
        }
        told.push(line.clone());
    }
    if skipped > 0 && !told.is_empty() {
        told.push(LineView::Skipped(skipped));
    }
    told
}

/// Both texts in one, by their longest common subsequence between what they begin and end with
/// alike.
fn merge(before: &[String], after: &[String]) -> Vec<LineView> {
    let same = |pair: &(&String, &String)| pair.0 == pair.1;
    let head = before.iter().zip(after).take_while(same).count();
    let rest = before.len().min(after.len()) - head;
    let tail = before.iter().rev().zip(after.iter().rev()).take(rest).take_while(same).count();
    let old = before.get(head..before.len() - tail).unwrap_or_default();
    let new = after.get(head..after.len() - tail).unwrap_or_default();

    let mut lines: Vec<LineView> = before.iter().take(head).cloned().map(LineView::Same).collect();
    lines.extend(differences(old, new));
    lines.extend(before.iter().skip(before.len() - tail).cloned().map(LineView::Same));
    lines
}

fn differences(old: &[String], new: &[String]) -> Vec<LineView> {
    let width = new.len() + 1;
    // common[i * width + j]: the length of the longest common subsequence of old[i..] and new[j..].
    let mut common = vec![0u32; (old.len() + 1) * width];
    let at = |common: &[u32], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or(0);
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let length = match line == other {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = length;
            }
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    loop {
        match (old.get(i), new.get(j)) {
            (Some(line), Some(other)) if line == other => {
                lines.push(LineView::Same(line.clone()));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other)
                if other.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) =>
            {
                lines.push(LineView::Gone(line.clone()));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(LineView::New(other.clone()));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn told(before: &str, after: &str) -> String {
        let mark = |line: &LineView| match line {
            LineView::Same(line) => format!(" {line}"),
            LineView::Gone(line) => format!("-{line}"),
            LineView::New(line) => format!("+{line}"),
            LineView::Skipped(count) => format!("@{count}"),
        };
        compare(before, after).iter().map(mark).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn differences_are_told_with_lines_around_them() {
        for (before, after, expected) in [
            ("a\nb", "a\nb", ""),
            ("", "a", "+a"),
            ("a", "", "-a"),
            ("a\nb\nc", "a\nx\nc", " a\n-b\n+x\n c"),
            ("1\n2\n3\n4\n5\n6", "1\n2\n3\n4\n5\n7", "@3\n 4\n 5\n-6\n+7"),
            ("0\n1\n2\n3\n4", "1\n2\n3\n4", "-0\n 1\n 2\n@2"),
            ("a\nb\nc", "b\nc\na", "-a\n b\n c\n+a"),
        ] {
            assert_eq!(told(before, after), expected, "{before:?} {after:?}");
        }
    }

    #[test]
    fn an_object_tells_how_it_became_what_it_is() {
        let mut cluster = Cluster::new("kind", 1).unwrap();
        cluster.exec("kubectl run web --image=nginx; sleep 10", Duration::from_secs(30));
        let inspection = cluster.inspect("Pod", "default", "web").unwrap();
        let verbs: Vec<String> = inspection
            .revisions
            .iter()
            .filter_map(|it| {
                Some(format!("{} {}", it.cause.as_ref()?.actor, it.cause.as_ref()?.verb))
            })
            .collect();
        assert_eq!(verbs.first().map(String::as_str), Some("kubectl-run create"), "{verbs:?}");
        assert!(verbs.iter().any(|verb| verb.starts_with("kube-scheduler ")), "{verbs:?}");
        assert!(verbs.iter().any(|verb| verb.starts_with("kubelet ")), "{verbs:?}");
        let bound = inspection.revisions.iter().find(|it| {
            it.lines
                .iter()
                .any(|line| matches!(line, LineView::New(text) if text.contains("nodeName: ")))
        });
        let cause = bound.and_then(|it| it.cause.clone()).unwrap();
        assert_eq!(cause.actor, "kube-scheduler");
        assert_eq!(cluster.changes_by(cause.id).len(), 1);
        assert!(inspection.conditions.iter().any(|it| it.kind == "Ready" && it.status == "True"));
        assert_eq!(inspection.decision.unwrap().filtered.len(), 1, "the control plane is tainted");
    }
}
