//! Where the chains of a service's rules stand, and what is said of a rule in few words.

use naru_cluster::view::{ChainRule, ChainView};

/// Width of a chain.
pub const CHAIN_W: f64 = 252.0;
/// Between two columns.
const GAP_X: f64 = 62.0;
const GAP_Y: f64 = 14.0;
/// Height of a chain's name.
pub const HEAD_H: f64 = 40.0;
/// Height of a rule.
pub const RULE_H: f64 = 38.0;
const MARGIN: f64 = 14.0;

/// Everything's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels.
    pub height: f64,
    /// The upper left corner of each chain, in the order in which they were told.
    pub chains: Vec<(f64, f64)>,
    /// Lines from a rule (its chain and its place there) to a chain.
    pub lines: Vec<GraphLine>,
}

/// A line from a rule to the chain that it leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct GraphLine {
    /// From here.
    pub from: (f64, f64),
    /// To here.
    pub to: (f64, f64),
    /// The share of packets that go here.
    pub share: f64,
}

impl Graph {
    /// Places chains in columns, by how far they are from where packets come in.
    pub fn lay_out(chains: &[ChainView]) -> Graph {
        let mut ends: Vec<f64> = Vec::new();
        let mut graph = Graph::default();
        for chain in chains {
            let column = chain.depth as usize;
            ends.resize(ends.len().max(column + 1), MARGIN);
            let y = ends.get(column).copied().unwrap_or(MARGIN);
            let x = MARGIN + column as f64 * (CHAIN_W + GAP_X);
            graph.chains.push((x, y));
            if let Some(end) = ends.get_mut(column) {
                *end = y + height(chain) + GAP_Y;
            }
        }
        graph.width = ends.len() as f64 * (CHAIN_W + GAP_X) - GAP_X + 2.0 * MARGIN;
        graph.height = ends.iter().copied().fold(0.0, f64::max) + MARGIN;
        for (chain, (x, y)) in chains.iter().zip(&graph.chains) {
            for (row, rule) in chain.rules.iter().enumerate().filter(|(_, rule)| rule.jumps) {
                let is_it = |it: &ChainView| it.table == chain.table && it.name == rule.target;
                let target = chains.iter().position(is_it);
                let Some((to_x, to_y)) = target.and_then(|it| graph.chains.get(it)) else {
                    continue;
                };
                graph.lines.push(GraphLine {
                    from: (x + CHAIN_W, y + HEAD_H + RULE_H * (row as f64 + 0.5)),
                    to: (*to_x, to_y + HEAD_H / 2.0),
                    share: rule.share.unwrap_or(1.0),
                });
            }
        }
        graph
    }
}

/// The height of a chain.
pub fn height(chain: &ChainView) -> f64 {
    let more = if chain.others > 0 { 22.0 } else { 0.0 };
    HEAD_H + RULE_H * chain.rules.len() as f64 + more + 4.0
}

/// What a rule asks for, without its chain, its comment and its target.
pub fn condition(rule: &ChainRule) -> String {
    let mut words: Vec<&str> = Vec::new();
    let text = rule.text.split_once(" --comment ").map_or(rule.text.clone(), |(before, after)| {
        let before = before.trim_end_matches("-m comment").trim_end();
        let rest = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').map_or("", |(_, rest)| rest),
            None => after.split_once(' ').map_or("", |(_, rest)| rest),
        };
        format!("{before} {rest}")
    });
    let mut parts = text.split_whitespace();
    while let Some(word) = parts.next() {
        match word {
            "-A" | "-m" => drop(parts.next()),
            "-j" | "-g" => break,
            "--mode" => drop(parts.next()),
            "--probability" => drop(parts.next()),
            word => words.push(word),
        }
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_asks_for() {
        for (text, asked) in [
            (
                "-A KUBE-SERVICES -d 10.96.0.1/32 -p tcp -m comment --comment \"default/web cluster IP\" -m tcp --dport 80 -j KUBE-SVC-A",
                "-d 10.96.0.1/32 -p tcp --dport 80",
            ),
            (
                "-A KUBE-SVC-A -m comment --comment \"default/web -> 10.0.0.1:80\" -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A",
                "",
            ),
            (
                "-A KUBE-SEP-A -s 10.0.0.1/32 -m comment --comment default/web -j KUBE-MARK-MASQ",
                "-s 10.0.0.1/32",
            ),
            ("-A KUBE-EXT-A -j KUBE-SVC-A", ""),
        ] {
            let rule = ChainRule { text: text.to_owned(), ..ChainRule::default() };
            assert_eq!(condition(&rule), asked);
        }
    }

    #[test]
    fn a_chain_stands_beside_the_rule_that_leads_to_it() {
        let rule = |target: &str| ChainRule {
            target: target.to_owned(),
            jumps: true,
            ..ChainRule::default()
        };
        let chain = |name: &str, depth, rules| ChainView {
            name: name.to_owned(),
            depth,
            rules,
            ..ChainView::default()
        };
        let chains = [
            chain("A", 0, vec![rule("B")]),
            chain("B", 1, vec![rule("C"), rule("D")]),
            chain("C", 2, Vec::new()),
            chain("D", 2, Vec::new()),
        ];
        let graph = Graph::lay_out(&chains);
        assert_eq!(graph.lines.len(), 3);
        assert!(graph.lines.iter().all(|line| line.from.0 < line.to.0));
        assert_eq!(graph.chains[2].0, graph.chains[3].0);
        assert!(graph.chains[2].1 < graph.chains[3].1);
        assert!(graph.width > 3.0 * CHAIN_W && graph.height > HEAD_H);
    }
}
