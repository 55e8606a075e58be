//! What was seen of an object over time, remembered for longer than the store keeps its history.

use naru_cluster::view::{ChartView, ConditionLine, Inspection};

/// Points of a line that are kept; the oldest go first.
const POINTS_MAX: usize = 600;

/// The lines of one object.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chronicle {
    /// The object's uid.
    pub uid: String,
    /// Numbers over time.
    pub charts: Vec<ChartView>,
    /// Conditions over time.
    pub conditions: Vec<ConditionLine>,
}

impl Chronicle {
    /// Takes in what is told of an object at the moment `now`. What was seen of another object, and
    /// what came after that moment before somebody went back to it, is forgotten.
    pub fn take(&mut self, found: &Inspection, now: u64) {
        if self.uid != found.uid {
            *self = Chronicle { uid: found.uid.clone(), ..Chronicle::default() };
        }
        let charts = std::mem::take(&mut self.charts);
        self.charts = found.charts.iter().map(|chart| continued(&charts, chart, now)).collect();
        let old = std::mem::take(&mut self.conditions);
        self.conditions = found
            .condition_lines
            .iter()
            .map(|line| {
                let before = old.iter().find(|it| it.kind == line.kind);
                let before = before.map(|it| it.spans.as_slice()).unwrap_or_default();
                let spans = joined(before, &line.spans, |span| span.0, now);
                ConditionLine { kind: line.kind.clone(), spans }
            })
            .collect();
    }

    /// The first moment that is remembered.
    pub fn start(&self) -> Option<u64> {
        let points = self.charts.iter().flat_map(|chart| &chart.lines);
        let points = points.filter_map(|line| line.points.first()).map(|point| point.0);
        let spans = self.conditions.iter().filter_map(|line| line.spans.first());
        points.chain(spans.map(|span| span.0)).min()
    }
}

/// A chart with what was known of it before.
fn continued(old: &[ChartView], new: &ChartView, now: u64) -> ChartView {
    let mut chart = new.clone();
    let Some(old) = old.iter().find(|it| it.of == new.of) else { return chart };
    for line in &mut chart.lines {
        let before = old.lines.iter().find(|it| it.name == line.name && it.wanted == line.wanted);
        if let Some(before) = before {
            line.points = joined(&before.points, &line.points, |point| point.0, now);
        }
    }
    let is_known = |name: &str, wanted: bool| {
        new.lines.iter().any(|line| line.name == name && line.wanted == wanted)
    };
    let gone = old.lines.iter().filter(|line| !is_known(&line.name, line.wanted));
    for line in gone.filter(|line| line.points.first().is_some_and(|point| point.0 <= now)) {
        let mut line = line.clone();
        line.points.retain(|point| point.0 <= now);
        chart.lines.insert(0, line);
    }
    chart
}

/// The old points that come before the new ones, and the new ones, which know their time wholly.
fn joined<T: Clone>(old: &[T], new: &[T], at: impl Fn(&T) -> u64, now: u64) -> Vec<T> {
    let first = new.first().map_or(u64::MAX, &at);
    let kept = old.iter().filter(|point| at(point) < first && at(point) <= now);
    let mut all: Vec<T> = kept.chain(new).cloned().collect();
    all.drain(..all.len().saturating_sub(POINTS_MAX));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_cluster::view::LineOf;

    fn seen(uid: &str, points: &[(u64, f64)]) -> Inspection {
        let line = LineOf { name: "a".to_owned(), points: points.to_vec(), ..LineOf::default() };
        let chart = ChartView { lines: vec![line], ..ChartView::default() };
        Inspection { uid: uid.to_owned(), charts: vec![chart], ..Inspection::default() }
    }

    #[test]
    fn the_past_is_kept_until_somebody_goes_back_before_it() {
        let mut chronicle = Chronicle::default();
        let points = |it: &Chronicle| it.charts[0].lines[0].points.clone();
        chronicle.take(&seen("u", &[(1, 1.0), (5, 2.0)]), 6);
        chronicle.take(&seen("u", &[(5, 2.0), (9, 3.0)]), 10);
        assert_eq!(points(&chronicle), [(1, 1.0), (5, 2.0), (9, 3.0)]);
        assert_eq!(chronicle.start(), Some(1));
        chronicle.take(&seen("u", &[(1, 1.0)]), 2);
        assert_eq!(points(&chronicle), [(1, 1.0)]);
        chronicle.take(&seen("other", &[(7, 1.0)]), 8);
        assert_eq!(points(&chronicle), [(7, 1.0)]);
    }
}
