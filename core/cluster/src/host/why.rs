//! `naru why`: why an object is there, and why a pod is on its node.

use super::{Language, err, out};
use crate::view::ActivityView;
use crate::{Cluster, Explanation};
use naru_scheduler::{Decision, NodeScores};
use naru_shell::Answer;
use naru_sim::Time;
use std::fmt::Write as _;

/// Does a command line.
pub fn run(cluster: &mut Cluster, args: &[String], language: Language) -> Answer {
    let Some((kind, name, namespace)) = object(args) else {
        return err(usage(language).to_owned());
    };
    match cluster.explain(kind, namespace, name) {
        Some(explanation) => out(text(&explanation, language)),
        None => {
            let what = format!("{kind}/{name}");
            let korean = format!("naru: {what}: {namespace} 네임스페이스에 없습니다\n");
            err(language.pick(korean, format!("naru: no {what} in namespace {namespace}\n")))
        }
    }
}

/// `pod/web`, `pod web`, with `-n NAMESPACE` anywhere.
fn object(args: &[String]) -> Option<(&str, &str, &str)> {
    let mut namespace = "default";
    let mut plain = Vec::new();
    let mut words = args.iter().map(String::as_str);
    while let Some(word) = words.next() {
        match word {
            "-n" | "--namespace" => namespace = words.next()?,
            option if option.starts_with('-') => return None,
            word => plain.push(word),
        }
    }
    match plain.as_slice() {
        [kind, name] => Some((kind, name, namespace)),
        [both] => both.split_once('/').map(|(kind, name)| (kind, name, namespace)),
        _ => None,
    }
}

fn text(explanation: &Explanation, language: Language) -> String {
    let mut text = format!("{} {}\n", explanation.kind, explanation.key);
    if let Some(decision) = &explanation.decision {
        text.push_str(&decided(decision, language));
    }
    let title = language.pick("원인 (결과부터 거슬러 올라갑니다)", "causes (the effect first)");
    let _ = writeln!(text, "\n{title}:");
    if explanation.chain.is_empty() {
        let korean =
            "남아 있는 기록이 없습니다: 클러스터가 처음부터 가지고 있었거나, 너무 오래되었습니다";
        let english = "nothing is kept: it was there from the start, or it is too long ago";
        let _ = writeln!(text, "  {}", language.pick(korean, english));
    }
    for cause in &explanation.chain {
        let _ = writeln!(text, "  {}", line(cause));
    }
    text
}

/// `1m2.003s  kube-scheduler  schedule  pods/default/web`
fn line(cause: &ActivityView) -> String {
    let at = moment(Time::from_micros(cause.micros));
    format!("{at:>10}  {:<24} {:<10} {}", cause.actor, cause.verb, cause.subject)
}

/// Since the start of the cluster.
fn moment(at: Time) -> String {
    let (seconds, millis) = (at.as_secs(), at.as_millis() % 1000);
    format!("{}m{:02}.{millis:03}s", seconds / 60, seconds % 60)
}

fn decided(decision: &Decision, language: Language) -> String {
    let at = moment(decision.at);
    let mut text = match &decision.chosen {
        Some(node) => language.pick(
            format!("스케줄러가 {at}에 {node} 노드를 골랐습니다\n"),
            format!("the scheduler chose node {node} at {at}\n"),
        ),
        None => language.pick(
            format!("스케줄러가 {at}에 노드를 찾지 못했습니다: {}\n", decision.message),
            format!("the scheduler found no node at {at}: {}\n", decision.message),
        ),
    };
    if !decision.filtered.is_empty() {
        let title = language.pick("필터가 뺀 노드", "nodes that filters took out");
        let _ = writeln!(text, "\n{title}:");
        for (node, plugin, why) in &decision.filtered {
            let _ = writeln!(text, "  {node:<16} {plugin:<18} {why}");
        }
    }
    let scores = decision.scores.nodes();
    text.push_str(&scored(&scores, language));
    if let Some(node) = &decision.chosen {
        let _ = writeln!(text, "\n{}", reason(node, &scores, language));
    }
    text
}

/// A table: a row for each plugin, a column for each node.
fn scored(scores: &[NodeScores], language: Language) -> String {
    let Some(first) = scores.first() else { return String::new() };
    let title = language
        .pick("플러그인이 준 점수 (가중치를 곱한 값)", "points by plugin (times its weight)");
    let mut text = format!("\n{title}:\n");
    let width = |node: &NodeScores| node.node.chars().count().max(5);
    let mut head = format!("  {:<32}", "");
    scores.iter().for_each(|node| {
        let _ = write!(head, "  {:>width$}", node.node, width = width(node));
    });
    let _ = writeln!(text, "{head}");
    let mut row = |name: &str, points: &dyn Fn(&NodeScores) -> i64| {
        let _ = write!(text, "  {name:<32}");
        for node in scores {
            let _ = write!(text, "  {:>width$}", points(node), width = width(node));
        }
        text.push('\n');
    };
    for (index, (plugin, _)) in first.plugins.iter().enumerate() {
        row(plugin, &|node| node.plugins.get(index).map_or(0, |(_, points)| *points));
    }
    row(language.pick("합계", "total"), &|node| node.total);
    text
}

fn reason(winner: &str, scores: &[NodeScores], language: Language) -> String {
    let Some(best) = scores.iter().map(|node| node.total).max() else {
        return language.pick(
            format!("{winner}: 남은 노드가 하나뿐이었습니다"),
            format!("{winner}: the only node that was left"),
        );
    };
    match scores.iter().filter(|node| node.total == best).count() {
        1 => language.pick(
            format!("{winner}: 점수가 가장 높습니다 ({best})"),
            format!("{winner}: the most points ({best})"),
        ),
        equal => language.pick(
            format!(
                "{winner}: 점수가 가장 높은 노드 {equal}개 가운데 무작위로 골랐습니다 ({best})"
            ),
            format!("{winner}: one of {equal} nodes with the most points ({best}), at random"),
        ),
    }
}

fn usage(language: Language) -> &'static str {
    language.pick(
        "사용법 (이 샌드박스의 명령입니다): naru why 종류/이름 [-n 네임스페이스]\n",
        "Usage (a command of this sandbox): naru why KIND/NAME [-n NAMESPACE]\n",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_named_as_kubectl_names_them() {
        let parse = |line: &str| {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            object(&words).map(|(a, b, c)| format!("{a} {b} {c}"))
        };
        assert_eq!(parse("pod/web").as_deref(), Some("pod web default"));
        assert_eq!(parse("-n shop deploy web").as_deref(), Some("deploy web shop"));
        assert_eq!(parse("pod"), None);
        assert_eq!(parse("pod/web -n"), None);
        assert_eq!(parse("pod/web --all"), None);
    }
}
