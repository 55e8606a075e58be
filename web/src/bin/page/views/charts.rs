//! Numbers over time: an autoscaler's replicas and metric, a rollout ReplicaSet by ReplicaSet.

use crate::context::use_page;
use naru_cluster::view::{ChartOf, ChartView, LineOf};
use naru_web::clock;
use naru_web::i18n::{Texts, fill};
use std::rc::Rc;
use yew::prelude::*;

const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 132.0;
/// Room for the numbers on the left, above, on the right, and for the moments below.
const LEFT: f64 = 34.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 8.0;
const BELOW: f64 = 20.0;
/// Colours that are told apart; the lines differ by their strokes too.
const COLOURS: usize = 6;

#[derive(Clone, PartialEq, Properties)]
pub struct ChartsProps {
    pub charts: Rc<Vec<ChartView>>,
    /// The first moment that is drawn, in microseconds.
    pub start: u64,
    /// The present.
    pub now: u64,
}

/// A chart for each thing that is measured.
#[component]
pub fn Charts(props: &ChartsProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    html! {
        <>
            { for props.charts.iter().map(|chart| {
                let title = title(chart.of, texts);
                html! {
                    <figure class="chart" data-testid="chart">
                        <figcaption>{ title }</figcaption>
                        { drawing(chart, props, title, texts) }
                        { legend(chart, texts) }
                    </figure>
                }
            }) }
        </>
    }
}

fn title(of: ChartOf, texts: &'static Texts) -> &'static str {
    match of {
        ChartOf::Replicas => texts.chart_replicas,
        ChartOf::Metric => texts.chart_metric,
        ChartOf::ReplicaSets => texts.chart_sets,
    }
}

/// From moments and values to places.
struct Field {
    start: f64,
    span: f64,
    most: f64,
}

impl Field {
    fn of(chart: &ChartView, props: &ChartsProps) -> Field {
        let values = chart.lines.iter().flat_map(|line| &line.points).map(|point| point.1);
        let most = round_up(values.fold(1.0, f64::max));
        let span = props.now.saturating_sub(props.start).max(1) as f64;
        Field { start: props.start as f64, span, most }
    }

    /// The shares of the height that are marked: the middle only where its number is a whole one.
    fn ticks(&self) -> Vec<f64> {
        let middle = (self.most / 2.0).fract() == 0.0;
        [0.0, 0.5, 1.0].into_iter().filter(|share| *share != 0.5 || middle).collect()
    }

    fn x(&self, micros: u64) -> f64 {
        let share = ((micros as f64 - self.start) / self.span).clamp(0.0, 1.0);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let room = HEIGHT - TOP - BELOW;
        TOP + room * (1.0 - value / self.most)
    }

    /// A staircase: each value holds until the next.
    fn path(&self, line: &LineOf, now: u64) -> String {
        let mut path = String::new();
        for (index, (micros, value)) in line.points.iter().enumerate() {
            let (x, y) = (self.x(*micros), self.y(*value));
            let piece = match index {
                0 => format!("M{x:.1} {y:.1}"),
                _ => format!("H{x:.1}V{y:.1}"),
            };
            path.push_str(&piece);
        }
        path.push_str(&format!("H{:.1}", self.x(now)));
        path
    }
}

/// The next number that is easy to read.
fn round_up(value: f64) -> f64 {
    let unit = 10f64.powf(value.log10().floor());
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0]
        .into_iter()
        .map(|step| step * unit)
        .find(|step| *step >= value)
        .unwrap_or(value)
}

fn drawing(chart: &ChartView, props: &ChartsProps, title: &str, texts: &'static Texts) -> Html {
    let field = Field::of(chart, props);
    let floor = HEIGHT - BELOW;
    let unit = chart.lines.first().map_or("", |line| line.unit.as_str());
    let label = chart.lines.iter().map(|line| said(line, texts)).collect::<Vec<_>>().join(", ");
    html! {
        <svg
            viewBox={format!("0 0 {WIDTH} {HEIGHT}")}
            role="img"
            aria-label={format!("{title}: {label}")}
        >
            { for field.ticks().into_iter().map(|share| {
                let y = field.y(share * field.most);
                html! {
                    <>
                        <line class="grid" x1={LEFT.to_string()} x2={(WIDTH - RIGHT).to_string()} y1={y.to_string()} y2={y.to_string()} />
                        <text class="tick" x={(LEFT - 5.0).to_string()} y={(y + 3.5).to_string()}>
                            { format!("{}{unit}", number(share * field.most)) }
                        </text>
                    </>
                }
            }) }
            <text class="moment-tick" x={LEFT.to_string()} y={(HEIGHT - 5.0).to_string()}>{ clock::moment(props.start) }</text>
            <text class="moment-tick end" x={(WIDTH - RIGHT).to_string()} y={(HEIGHT - 5.0).to_string()}>{ clock::moment(props.now) }</text>
            { for chart.lines.iter().map(|line| {
                let class = class_of(chart, line);
                let path = field.path(line, props.now);
                let start = line.points.first().map_or(LEFT, |point| field.x(point.0));
                html! {
                    <>
                        if !line.wanted {
                            <path class={classes!("area", class.clone())} d={format!("{path}V{floor}H{start:.1}z")} />
                        }
                        <path class={classes!("curve", class, line.wanted.then_some("wanted"))} d={path} />
                    </>
                }
            }) }
        </svg>
    }
}

/// A line and the line of what is wanted of the same have the same colour.
fn class_of(chart: &ChartView, line: &LineOf) -> String {
    let mut names: Vec<&str> = Vec::new();
    for it in &chart.lines {
        let name = it.name.trim_end_matches(" target");
        if !names.contains(&name) {
            names.push(name);
        }
    }
    let name = line.name.trim_end_matches(" target");
    let place = names.iter().position(|it| *it == name).unwrap_or(0);
    format!("series-{}", place % COLOURS)
}

fn legend(chart: &ChartView, texts: &'static Texts) -> Html {
    html! {
        <ul class="chart-legend">
            { for chart.lines.iter().map(|line| html! {
                <li class={class_of(chart, line)}>
                    <svg width="22" height="8" aria-hidden="true">
                        <line class={classes!("curve", line.wanted.then_some("wanted"))} x1="1" x2="21" y1="4" y2="4" />
                    </svg>
                    { said(line, texts) }
                </li>
            }) }
        </ul>
    }
}

/// A line's name and its last value.
fn said(line: &LineOf, texts: &'static Texts) -> String {
    let value = line.points.last().map_or(0.0, |point| point.1);
    let name =
        match line.wanted && !line.name.ends_with("target") && !line.name.ends_with("Replicas") {
            true => fill(texts.chart_wanted, &[&line.name]),
            false => line.name.clone(),
        };
    format!("{name} {}{}", number(value), line.unit)
}

fn number(value: f64) -> String {
    if value.fract() == 0.0 { format!("{value:.0}") } else { format!("{value:.1}") }
}
