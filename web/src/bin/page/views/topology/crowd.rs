//! Very many pods on a canvas: only what is seen is drawn, and from afar less of it.

use crate::context::{Action, use_page};
use naru_web::crowd::{ALL_LOOKS, Crowd, CrowdPod, EAVES, LOOKS, TILE};
use naru_web::i18n::fill;
use naru_web::protocol::ObjectRef;
use naru_web::store::Look;
use std::rc::Rc;
use wasm_bindgen::prelude::*;
use web_sys::{CanvasRenderingContext2d, Element, HtmlCanvasElement};
use yew::prelude::*;

/// A pod smaller than this is not drawn by itself, in pixels.
const TILE_MIN: f64 = 3.0;
/// A pod larger than this bears its name.
const NAME_MIN: f64 = 52.0;
/// A house narrower than this bears no name.
const TITLE_MIN: f64 = 64.0;

#[derive(Clone, Properties)]
pub struct CrowdViewProps {
    pub crowd: Rc<Crowd>,
    /// The element that scrolls.
    pub host: NodeRef,
    pub zoom: f64,
    /// The size of what is seen of it, in pixels.
    pub size: (f64, f64),
    pub selected: Option<ObjectRef>,
    /// Another theme has other colours.
    pub dark: bool,
    /// What pods are called that have nothing in common.
    pub nameless: &'static str,
}

/// Two crowds are the same when they are one: to compare all pods would take longer than to draw.
impl PartialEq for CrowdViewProps {
    fn eq(&self, other: &CrowdViewProps) -> bool {
        Rc::ptr_eq(&self.crowd, &other.crowd)
            && self.host == other.host
            && (self.zoom, self.size, self.dark) == (other.zoom, other.size, other.dark)
            && self.nameless == other.nameless
            && self.selected == other.selected
    }
}

/// The canvas stays where it is while what is before it scrolls.
#[component]
pub fn CrowdView(props: &CrowdViewProps) -> Html {
    let page = use_page();
    let texts = page.texts();
    let canvas = use_node_ref();
    {
        let canvas = canvas.clone();
        use_effect_with(props.clone(), move |props| {
            let props = props.clone();
            draw(&canvas, &props);
            let host = props.host.clone();
            let again = Closure::<dyn FnMut()>::new(move || draw(&canvas, &props));
            let element = host.cast::<Element>();
            if let Some(element) = &element {
                let listener = again.as_ref().unchecked_ref();
                let _ = element.add_event_listener_with_callback("scroll", listener);
            }
            move || {
                if let Some(element) = element {
                    let listener = again.as_ref().unchecked_ref();
                    let _ = element.remove_event_listener_with_callback("scroll", listener);
                }
            }
        });
    }
    let onclick = {
        let (props, act) = (props.clone(), page.act.clone());
        Callback::from(move |event: MouseEvent| {
            if let Some(object) = object_at(&event, &props) {
                act.emit(Action::Select(Some(object)));
            }
        })
    };
    let Crowd { pods, houses, .. } = &*props.crowd;
    let label = fill(texts.crowd, &[&pods.len().to_string(), &houses.len().to_string()]);
    let (width, height) = (props.crowd.width() * props.zoom, props.crowd.height() * props.zoom);
    html! {
        <div
            class="crowd"
            style={format!("width: {width:.0}px; height: {height:.0}px")}
            data-testid="crowd"
            data-pods={pods.len().to_string()}
            data-zoom={props.zoom.to_string()}
            data-house={props.crowd.size.0.to_string()}
            {onclick}
        >
            <canvas ref={canvas} role="img" aria-label={label} />
        </div>
    }
}

fn object_at(event: &MouseEvent, props: &CrowdViewProps) -> Option<ObjectRef> {
    let host = props.host.cast::<Element>()?;
    let frame = host.get_bounding_client_rect();
    let at = |client: i32, frame: f64, scroll: i32| {
        (f64::from(client) - frame + f64::from(scroll)) / props.zoom
    };
    let x = at(event.client_x(), frame.x(), host.scroll_left());
    let y = at(event.client_y(), frame.y(), host.scroll_top());
    let (house, pod) = props.crowd.at(x, y)?;
    match pod {
        Some(CrowdPod { pod, .. }) => Some(ObjectRef {
            kind: "Pod".to_owned(),
            namespace: pod.namespace.clone(),
            name: pod.name.clone(),
        }),
        None if house.node => Some(ObjectRef {
            kind: "Node".to_owned(),
            namespace: String::new(),
            name: house.title.clone(),
        }),
        None => None,
    }
}

/// What the canvas is drawn with.
struct Brush {
    context: CanvasRenderingContext2d,
    zoom: f64,
    looks: [String; LOOKS],
    wall: String,
    line: String,
    roof: String,
    roof_ink: String,
    accent: String,
    nameless: &'static str,
}

fn draw(canvas: &NodeRef, props: &CrowdViewProps) {
    let (Some(canvas), Some(host)) =
        (canvas.cast::<HtmlCanvasElement>(), props.host.cast::<Element>())
    else {
        return;
    };
    let ratio = web_sys::window().map_or(1.0, |window| window.device_pixel_ratio());
    let (width, height) = props.size;
    let pixels = |length: f64| (length * ratio).round().max(1.0) as u32;
    if canvas.width() != pixels(width) || canvas.height() != pixels(height) {
        canvas.set_width(pixels(width));
        canvas.set_height(pixels(height));
        let style = format!("width: {width}px; height: {height}px");
        let _ = canvas.set_attribute("style", &style);
    }
    let context = canvas.get_context("2d").ok().flatten();
    let Some(context) = context.and_then(|it| it.dyn_into::<CanvasRenderingContext2d>().ok())
    else {
        return;
    };
    let (left, top) = (f64::from(host.scroll_left()), f64::from(host.scroll_top()));
    let zoom = props.zoom;
    let _ = context.set_transform(ratio, 0.0, 0.0, ratio, 0.0, 0.0);
    context.clear_rect(0.0, 0.0, width, height);
    let brush = Brush::new(&canvas, context, props);
    let crowd = &props.crowd;
    let seen = crowd.seen(left / zoom, top / zoom, (left + width) / zoom, (top + height) / zoom);
    for index in seen {
        let (x, y) = crowd.corner(index);
        brush.house(crowd, index, (x * zoom - left, y * zoom - top), props.selected.as_ref());
    }
}

impl Brush {
    fn new(
        canvas: &HtmlCanvasElement,
        context: CanvasRenderingContext2d,
        props: &CrowdViewProps,
    ) -> Brush {
        let colours = Colours::of(canvas);
        let var = |name: &str| colours.read(&format!("var({name})"));
        Brush {
            context,
            zoom: props.zoom,
            nameless: props.nameless,
            looks: ALL_LOOKS.map(|look| var(&format!("--look-{}", look.class()))),
            wall: var("--wall"),
            line: var("--line-strong"),
            roof: var("--tile"),
            roof_ink: var("--tile-ink"),
            accent: var("--accent"),
        }
    }

    fn fill(&self, colour: &str, (x, y): (f64, f64), (w, h): (f64, f64)) {
        self.context.set_fill_style_str(colour);
        self.context.fill_rect(x, y, w, h);
    }

    fn look(&self, look: usize) -> &str {
        self.looks.get(look).map_or("", String::as_str)
    }

    fn house(&self, crowd: &Crowd, index: usize, at: (f64, f64), selected: Option<&ObjectRef>) {
        let Some(house) = crowd.houses.get(index) else { return };
        let (x, y) = at;
        let (w, h) = (crowd.size.0 * self.zoom, crowd.size.1 * self.zoom);
        let eaves = (EAVES - 4.0) * self.zoom;
        self.fill(&self.wall, at, (w, h));
        self.context.set_global_alpha(if house.dark { 0.45 } else { 1.0 });
        self.fill(&self.roof, at, (w, eaves.max(1.5)));
        self.context.set_global_alpha(1.0);
        if w >= TITLE_MIN && eaves >= 8.0 {
            let title = if house.title.is_empty() { self.nameless } else { house.title.as_str() };
            self.title(title, (x + 6.0, y + eaves / 2.0), w - 12.0, eaves);
        }
        if w >= 12.0 {
            self.context.set_stroke_style_str(&self.line);
            self.context.set_line_width(1.0);
            self.context.stroke_rect(x + 0.5, y + 0.5, w - 1.0, h - 1.0);
        }
        if TILE * self.zoom < TILE_MIN {
            let body = ((x + 1.0, y + eaves.max(1.5)), (w - 2.0, h - eaves.max(1.5) - 1.0));
            return self.shares(&house.counts, body);
        }
        self.tiles(crowd, index, at, selected);
    }

    fn title(&self, text: &str, (x, y): (f64, f64), room: f64, eaves: f64) {
        self.context.set_fill_style_str(&self.roof_ink);
        self.context.set_font(&format!("600 {:.1}px sans-serif", (eaves * 0.62).clamp(7.0, 15.0)));
        self.context.set_text_baseline("middle");
        let _ = self.context.fill_text_with_max_width(text, x, y, room);
    }

    /// From afar: how many of the house's pods look how, from below.
    fn shares(&self, counts: &[u32; LOOKS], ((x, y), (w, h)): ((f64, f64), (f64, f64))) {
        let all: u32 = counts.iter().sum();
        let mut top = y + h;
        for (look, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let part = h * f64::from(*count) / f64::from(all.max(1));
            // What is broken is seen from afar too.
            let part =
                if ALL_LOOKS.get(look) == Some(&Look::Broken) { part.max(2.0) } else { part };
            top = (top - part).max(y);
            self.fill(self.look(look), (x, top), (w, part));
        }
    }

    fn tiles(&self, crowd: &Crowd, index: usize, (x, y): (f64, f64), selected: Option<&ObjectRef>) {
        let side = TILE * self.zoom;
        let pods = crowd.pods_of(index);
        let bed = |place: usize| {
            let (dx, dy) = crowd.bed(place);
            (x + dx * self.zoom, y + dy * self.zoom)
        };
        // Those that look alike come in a row: so the canvas is told few colours.
        let mut last = None;
        for (place, pod) in pods.iter().enumerate() {
            if last != Some((pod.look, pod.back)) {
                last = Some((pod.look, pod.back));
                self.context.set_global_alpha(if pod.back { 0.2 } else { 1.0 });
                self.context.set_fill_style_str(self.look(pod.look));
            }
            let at = bed(place);
            self.context.fill_rect(at.0, at.1, side, side);
        }
        self.context.set_fill_style_str(&self.wall);
        for (place, pod) in pods.iter().enumerate() {
            let at = bed(place);
            let is_it = selected.is_some_and(|it| {
                it.kind == "Pod" && it.name == pod.pod.name && it.namespace == pod.pod.namespace
            });
            let has_shape = self.has_shape(pod.look, side);
            if !has_shape && !is_it && side < NAME_MIN {
                continue;
            }
            self.context.set_global_alpha(if pod.back { 0.2 } else { 1.0 });
            if has_shape {
                self.shape(pod.look, at, side);
            }
            if is_it {
                self.context.set_stroke_style_str(&self.accent);
                self.context.set_line_width(3.0);
                self.context.stroke_rect(at.0 - 2.0, at.1 - 2.0, side + 4.0, side + 4.0);
            }
            if side >= NAME_MIN {
                self.context.set_font("600 10px sans-serif");
                self.context.set_text_baseline("middle");
                let (x, y) = (at.0 + 3.0, at.1 + side - 9.0);
                let _ = self.context.fill_text_with_max_width(&pod.pod.name, x, y, side - 6.0);
            }
        }
        self.context.set_global_alpha(1.0);
    }

    fn has_shape(&self, look: usize, side: f64) -> bool {
        let plain = matches!(ALL_LOOKS.get(look), Some(Look::Done | Look::Leaving | Look::Ready));
        side >= 6.0 && !plain
    }

    /// What tells looks apart without colours: a cross is broken, a hole waits. The colour of the wall
    /// is set.
    fn shape(&self, look: usize, (x, y): (f64, f64), side: f64) {
        match ALL_LOOKS.get(look) {
            Some(Look::Broken) => {
                self.context.set_stroke_style_str(&self.wall);
                self.context.set_line_width((side / 7.0).max(1.0));
                let inset = side * 0.25;
                self.context.begin_path();
                self.context.move_to(x + inset, y + inset);
                self.context.line_to(x + side - inset, y + side - inset);
                self.context.move_to(x + side - inset, y + inset);
                self.context.line_to(x + inset, y + side - inset);
                self.context.stroke();
            }
            Some(Look::Waiting | Look::Starting | Look::Unready) => {
                let inset = side * 0.28;
                let hole = side - 2.0 * inset;
                self.context.fill_rect(x + inset, y + inset, hole, hole);
            }
            _ => {}
        }
    }
}

/// Reads colours as the stylesheet has them now.
struct Colours {
    probe: Option<web_sys::HtmlElement>,
}

impl Colours {
    fn of(canvas: &HtmlCanvasElement) -> Colours {
        let probe = crate::dom::document().and_then(|it| it.create_element("span").ok());
        let probe = probe.and_then(|it| it.dyn_into::<web_sys::HtmlElement>().ok());
        if let (Some(probe), Some(parent)) = (&probe, canvas.parent_element()) {
            let _ = parent.append_child(probe);
        }
        Colours { probe }
    }

    fn read(&self, colour: &str) -> String {
        let read = || {
            let probe = self.probe.as_ref()?;
            probe.style().set_property("color", colour).ok()?;
            let style = web_sys::window()?.get_computed_style(probe).ok()??;
            style.get_property_value("color").ok()
        };
        read().unwrap_or_default()
    }
}

impl Drop for Colours {
    fn drop(&mut self) {
        if let Some(probe) = &self.probe {
            probe.remove();
        }
    }
}
