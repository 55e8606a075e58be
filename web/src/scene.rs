//! Where everything stands in the picture: a pure function of the store and the room there is.
//!
//! From top to bottom: the upper bank with the parts of the control plane; the pier, which is the
//! API server, because every part docks there and at no other; the river with the services, and
//! with the pods that wait for a node; the lower bank with a house for each node.

use crate::place::Place;
use crate::store::{Store, is_system};
use naru_cluster::view::{NodeView, PodView, ServiceView};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;

/// A point, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// From the left.
    pub x: f64,
    /// From the top.
    pub y: f64,
}

/// A rectangle, in pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Its left side.
    pub x: f64,
    /// Its top.
    pub y: f64,
    /// Its width.
    pub w: f64,
    /// Its height.
    pub h: f64,
}

impl Rect {
    /// Its right side.
    pub fn right(self) -> f64 {
        self.x + self.w
    }

    /// Its lower side.
    pub fn bottom(self) -> f64 {
        self.y + self.h
    }

    /// Its middle.
    pub fn middle(self) -> Point {
        Point { x: self.x + self.w / 2.0, y: self.y + self.h / 2.0 }
    }

    /// The middle of its top.
    pub fn top_middle(self) -> Point {
        Point { x: self.x + self.w / 2.0, y: self.y }
    }

    /// The middle of its lower side.
    pub fn bottom_middle(self) -> Point {
        Point { x: self.x + self.w / 2.0, y: self.bottom() }
    }
}

/// What pods stand together by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Group {
    /// Their node.
    #[default]
    Node,
    /// Their namespace.
    Namespace,
    /// The topmost object that owns them.
    Owner,
    /// The value of a label.
    Label(String),
}

impl Group {
    /// What a pod has in common with those that it stands together with; "" is nothing.
    pub(crate) fn title<'a>(&self, store: &'a Store, pod: &'a PodView) -> Cow<'a, str> {
        match self {
            Group::Node => Cow::Borrowed(pod.node.as_deref().unwrap_or_default()),
            Group::Namespace => Cow::Borrowed(&pod.namespace),
            Group::Owner => Cow::Owned(topmost_owner(store, pod)),
            Group::Label(key) => Cow::Borrowed(pod.labels.get(key).map_or("", String::as_str)),
        }
    }
}

/// The room, and what of the cluster is to be shown in it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Room {
    /// Width in pixels.
    pub width: f64,
    /// Height in pixels; the scene may become higher.
    pub height: f64,
    /// Whether the cluster's own parts are shown too.
    pub system: bool,
    /// The only namespace that is shown; "" when all are.
    pub namespace: String,
    /// What pods stand together by.
    pub group: Group,
}

impl Room {
    /// Whether what is in a namespace is shown.
    pub(crate) fn shows(&self, namespace: &str) -> bool {
        match self.namespace.as_str() {
            "" => self.system || !is_system(namespace),
            only => only == namespace,
        }
    }
}

/// Everything's place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scene {
    /// The room's width.
    pub width: f64,
    /// At least the room's height.
    pub height: f64,
    /// The parts of the control plane but the API server, from left to right.
    pub parts: Vec<(Place, Rect)>,
    /// The API server.
    pub pier: Rect,
    /// Services by uid.
    pub services: BTreeMap<String, Rect>,
    /// Deployments, ReplicaSets, DaemonSets by uid.
    pub workloads: BTreeMap<String, Rect>,
    /// Ingresses by uid.
    pub ingresses: BTreeMap<String, Rect>,
    /// Claims of volumes by uid.
    pub claims: BTreeMap<String, Rect>,
    /// Pods by uid.
    pub pods: BTreeMap<String, Rect>,
    /// There are so many pods that they stand elsewhere: see [`crate::crowd`].
    pub dense: bool,
    /// Uids of pods that stand on the river, for want of a node.
    pub afloat: Vec<String>,
    /// Houses, from left to right and from top to bottom.
    pub houses: Vec<House>,
    /// Lines from services to the pods behind them.
    pub wires: Vec<Wire>,
    /// The world outside of the cluster, where something in it can be reached from there.
    pub outside: Option<Rect>,
    /// Lines from ingresses to services, and from outside to both.
    pub roads: Vec<(Point, Point)>,
    /// Lines from claims to the pods that mount them.
    pub ropes: Vec<(Point, Point)>,
    /// Where to say what to do next, when there is nothing of the learner's own yet.
    pub hint: Option<Rect>,
    stations: BTreeMap<Place, Point>,
}

/// A node's house, or what else pods stand together in.
#[derive(Clone, Debug, PartialEq)]
pub struct House {
    /// The node's uid; of another group, a name that no object has.
    pub uid: String,
    /// The node's name, or what the pods have in common; "" where they have nothing.
    pub title: String,
    /// How many pods stand in it.
    pub count: usize,
    /// The whole of it, roof included.
    pub rect: Rect,
    /// Pods of the cluster's own that are folded away.
    pub folded: usize,
    /// Where the folded ones are told of.
    pub fold: Rect,
}

impl House {
    /// Whether it is a node's, and no other group's.
    pub fn is_node(&self) -> bool {
        !self.uid.starts_with(GROUP)
    }
}

/// What the names of groups that are no nodes begin with: no uid does.
const GROUP: &str = "group/";

/// A line from a service to a pod behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Wire {
    /// The service's uid.
    pub service: String,
    /// The pod's uid.
    pub pod: String,
    /// From here.
    pub from: Point,
    /// To here.
    pub to: Point,
    /// Whether the pod takes requests.
    pub ready: bool,
}

/// Room for the two lines of the hint, or three on a phone.
const HINT_H: f64 = 62.0;
/// Height of a roof.
pub const ROOF: f64 = 46.0;
const MARGIN: f64 = 20.0;
const GAP: f64 = 10.0;
/// Narrower than this is a phone.
const NARROW: f64 = 560.0;
const PART_H: f64 = 46.0;
const PART_W_MAX: f64 = 190.0;
const PIER_H: f64 = 34.0;
/// Between the upper bank and the pier.
const STAIRS: f64 = 22.0;
const CHIP_H: f64 = 44.0;
const CHIP_W: f64 = 176.0;
const POD_H: f64 = 42.0;
const POD_W: f64 = 118.0;
const HOUSE_W: f64 = 186.0;
/// How far a house's walls stand inside of its eaves.
pub const EAVES: f64 = 8.0;
/// From a house's eaves to what is in it: the same from the walls as pods are from the roof.
const INDOORS: f64 = EAVES + 8.0;
const HOUSE_W_MAX: f64 = 420.0;
/// How much higher than needed a house may become.
const TALLER_MAX: f64 = 220.0;
/// Where a house tells of folded pods and of its address.
const SILL: f64 = 30.0;
/// More pods than these are a crowd.
const PODS_LARGE_MAX: usize = 200;
/// Services, workloads and the like of a crowd that are drawn, of each kind.
const CHIPS_EACH_DENSE: usize = 6;
/// Between things on the river.
const WATER: f64 = 20.0;

impl Scene {
    /// Places everything.
    pub fn lay_out(store: &Store, room: &Room) -> Scene {
        let shown = store.pods.values().filter(|pod| room.shows(&pod.namespace)).count();
        let dense = shown > PODS_LARGE_MAX;
        let mut scene = Scene { width: room.width.max(320.0), dense, ..Scene::default() };
        let upper = scene.lay_upper_bank();
        if dense {
            scene.height = scene.lay_river(store, room, upper + WATER, 0.0) + WATER;
            scene.lay_wires(store);
            scene.note_stations(store);
            return scene;
        }
        let houses = HousePlan::of(store, room, scene.width);
        // First as low as can be; what room is left is given to the river and the houses.
        let river_end = scene.lay_river(store, room, upper + WATER, 0.0);
        let needed = river_end + WATER + houses.height() + MARGIN;
        let slack = (room.height - needed).max(0.0);
        let breath = (slack * 0.2).min(56.0);
        let top = scene.lay_river(store, room, upper + WATER + breath, breath) + WATER + breath;
        let left = (room.height - top - houses.height() - MARGIN).max(0.0);
        scene.lay_houses(&houses, top, (left / houses.rows.max(1) as f64).min(TALLER_MAX));
        scene.height = room.height.max(scene.lowest() + MARGIN);
        scene.lay_wires(store);
        scene.note_stations(store);
        scene
    }

    /// Where something that goes to a place is to be drawn.
    pub fn station(&self, place: &Place) -> Option<Point> {
        self.stations.get(place).copied()
    }

    /// All places and where they are.
    pub fn stations(&self) -> &BTreeMap<Place, Point> {
        &self.stations
    }

    /// Where an object stands, if it is in the picture.
    pub fn rect_of(&self, store: &Store, kind: &str, namespace: &str, name: &str) -> Option<Rect> {
        let is_it = |space: &str, known: &str| space == namespace && known == name;
        match kind {
            "Node" => {
                let node = store.nodes.values().find(|it| it.name == name)?;
                Some(self.houses.iter().find(|house| house.uid == node.uid)?.rect)
            }
            "Pod" => {
                let pod = store.pods.values().find(|it| is_it(&it.namespace, &it.name))?;
                self.pods.get(&pod.uid).copied()
            }
            "Service" => {
                let it = store.services.values().find(|it| is_it(&it.namespace, &it.name))?;
                self.services.get(&it.uid).copied()
            }
            "Ingress" => {
                let it = store.ingresses.values().find(|it| is_it(&it.namespace, &it.name))?;
                self.ingresses.get(&it.uid).copied()
            }
            "PersistentVolumeClaim" => {
                let it = store.claims.values().find(|it| is_it(&it.namespace, &it.name))?;
                self.claims.get(&it.uid).copied()
            }
            _ => {
                let mut all = store.workloads.values();
                let it = all.find(|it| it.kind == kind && is_it(&it.namespace, &it.name))?;
                self.workloads.get(&it.uid).copied()
            }
        }
    }

    fn lowest(&self) -> f64 {
        self.houses.iter().map(|house| house.rect.bottom()).fold(0.0, f64::max)
    }

    fn inner(&self) -> f64 {
        self.width - 2.0 * self.margin()
    }

    fn margin(&self) -> f64 {
        if self.width < NARROW { 12.0 } else { MARGIN }
    }

    /// The control plane's parts and the pier. Returns the pier's lower side.
    fn lay_upper_bank(&mut self) -> f64 {
        let places = [Place::Terminal, Place::Scheduler, Place::Controllers, Place::Store];
        let count = places.len() as f64;
        let gap = if self.width < NARROW { 6.0 } else { GAP };
        let w = ((self.inner() - gap * (count - 1.0)) / count).min(PART_W_MAX);
        // Spread from end to end of the pier.
        let stride = (self.inner() - w) / (count - 1.0);
        let margin = self.margin();
        self.parts = (0u32..)
            .zip(places)
            .map(|(i, place)| {
                let x = margin + f64::from(i) * stride;
                (place, Rect { x, y: 14.0, w, h: PART_H })
            })
            .collect();
        let y = 14.0 + PART_H + STAIRS;
        self.pier = Rect { x: margin, y, w: self.inner(), h: PIER_H };
        self.pier.bottom()
    }

    /// Services, workloads, and pods without a node. Returns where the river ends.
    fn lay_river(&mut self, store: &Store, room: &Room, top: f64, breath: f64) -> f64 {
        let shown = |namespace: &str| room.shows(namespace);
        let mut ingresses: Vec<_> =
            store.ingresses.values().filter(|it| shown(&it.namespace)).collect();
        ingresses.sort_by_key(|it| (&it.namespace, &it.name));
        let mut claims: Vec<_> = store.claims.values().filter(|it| shown(&it.namespace)).collect();
        claims.sort_by_key(|it| (&it.namespace, &it.name));
        let mut services: Vec<_> =
            store.services.values().filter(|it| shown(&it.namespace)).collect();
        services.sort_by_key(|it| (it.name != "kubernetes", &it.namespace, &it.name));
        let mut workloads: Vec<_> =
            store.workloads.values().filter(|it| shown(&it.namespace)).collect();
        workloads.sort_by_key(|it| (&it.namespace, &it.kind, &it.name));
        let uids: [Vec<&String>; 4] = [
            ingresses.iter().map(|it| &it.uid).collect(),
            services.iter().map(|it| &it.uid).collect(),
            workloads.iter().map(|it| &it.uid).collect(),
            claims.iter().map(|it| &it.uid).collect(),
        ];
        let most = if self.dense { CHIPS_EACH_DENSE } else { usize::MAX };
        let uids = uids.map(|uids| uids.into_iter().take(most).collect::<Vec<_>>());
        let exposed = !ingresses.is_empty() || services.iter().any(|it| is_exposed(it));
        let count = uids.iter().map(Vec::len).sum::<usize>() + usize::from(exposed);
        let chips = flow(self.margin(), top, self.inner(), (CHIP_W, CHIP_H), GAP, count);
        let chips_end = chips.last().map_or(top, |chip| chip.bottom());
        let mut chips = chips.into_iter();
        self.outside = exposed.then(|| chips.next()).flatten();
        let [ingresses, services, workloads, claims] = uids.map(|uids| {
            uids.into_iter().cloned().zip(chips.by_ref()).collect::<BTreeMap<String, Rect>>()
        });
        (self.ingresses, self.services) = (ingresses, services);
        (self.workloads, self.claims) = (workloads, claims);

        let mut afloat: Vec<&PodView> = store
            .pods
            .values()
            .map(Rc::as_ref)
            .filter(|pod| shown(&pod.namespace) && room.group == Group::Node && !self.dense)
            .filter(|pod| house_of(store, pod).is_none())
            .collect();
        afloat.sort_by_key(|pod| age_order(pod));
        let top = chips_end + WATER + breath;
        let boats =
            flow(self.margin() + 8.0, top, self.inner(), self.pod_size(), 2.0 * GAP, afloat.len());
        let mut end = boats.last().map_or(chips_end, |boat| boat.bottom() + 12.0);
        self.afloat = afloat.iter().map(|pod| pod.uid.clone()).collect();
        self.pods = self.afloat.iter().cloned().zip(boats).collect();

        self.hint = None;
        if !store.nodes.is_empty() && store.own_pods().next().is_none() {
            self.hint = Some(Rect { x: self.margin(), y: top, w: self.inner(), h: HINT_H });
            end = top + HINT_H;
        }
        end
    }

    fn pod_size(&self) -> (f64, f64) {
        (POD_W, POD_H)
    }

    fn lay_houses(&mut self, plan: &HousePlan<'_>, top: f64, taller: f64) {
        let columns = plan.columns.max(1);
        let used = plan.width * columns as f64 + GAP * (columns as f64 - 1.0);
        let left = (self.width - used) / 2.0;
        let mut y = top;
        let rows = plan.rooms.chunks(columns).zip(&plan.row_heights);
        for (row, height) in rows {
            for (i, HouseRoom { uid, title, pods, folded }) in row.iter().enumerate() {
                let x = left + i as f64 * (plan.width + GAP);
                let rect = Rect { x, y, w: plan.width, h: height + taller };
                let inside = plan.width - 2.0 * INDOORS;
                let size = ((inside + 6.0) / plan.beds as f64 - 6.0, POD_H);
                let beds = flow(x + INDOORS, y + ROOF + 6.0, inside, size, 6.0, pods.len());
                self.pods.extend(pods.iter().map(|pod| pod.uid.clone()).zip(beds));
                let fold = Rect {
                    x: x + INDOORS,
                    y: rect.bottom() - SILL + 2.0,
                    w: inside,
                    h: SILL - 8.0,
                };
                let (uid, title, count) = (uid.clone(), title.clone(), pods.len());
                self.houses.push(House { uid, title, count, rect, folded: *folded, fold });
            }
            y += height + taller + GAP;
        }
    }

    fn lay_wires(&mut self, store: &Store) {
        // A line to each of so many would hide what it leads to.
        if self.dense {
            return;
        }
        for (uid, chip) in &self.services {
            let Some(service) = store.services.get(uid) else { continue };
            for (pod, ready) in &service.endpoints {
                let Some(bed) = self.pods.get(pod) else { continue };
                let (from, to) = (chip.bottom_middle(), bed.top_middle());
                let (service, pod) = (uid.clone(), pod.clone());
                self.wires.push(Wire { service, pod, from, to, ready: *ready });
            }
        }
        for (uid, chip) in &self.ingresses {
            let Some(ingress) = store.ingresses.get(uid) else { continue };
            let behind = self.services.iter().filter(|(uid, _)| {
                store.services.get(*uid).is_some_and(|service| {
                    service.namespace == ingress.namespace
                        && ingress.services.contains(&service.name)
                })
            });
            self.roads
                .extend(behind.map(|(_, service)| (chip.bottom_middle(), service.bottom_middle())));
        }
        if let Some(outside) = self.outside {
            let exposed = self
                .services
                .iter()
                .filter(|(uid, _)| store.services.get(*uid).is_some_and(|it| is_exposed(it)));
            let reached = self.ingresses.iter().chain(exposed);
            self.roads
                .extend(reached.map(|(_, chip)| (outside.bottom_middle(), chip.bottom_middle())));
        }
        for (uid, chip) in &self.claims {
            let Some(claim) = store.claims.get(uid) else { continue };
            let users = self.pods.iter().filter(|(uid, _)| {
                store.pods.get(*uid).is_some_and(|pod| {
                    pod.namespace == claim.namespace && pod.claims.contains(&claim.name)
                })
            });
            self.ropes.extend(users.map(|(_, bed)| (chip.bottom_middle(), bed.top_middle())));
        }
    }

    fn note_stations(&mut self, store: &Store) {
        self.stations.extend(self.parts.iter().map(|(place, it)| (place.clone(), it.middle())));
        self.stations.insert(Place::ApiServer, self.pier.middle());
        for house in &self.houses {
            let Some(node) = store.nodes.get(&house.uid) else { continue };
            let eaves = Point { x: house.rect.middle().x, y: house.rect.y + ROOF * 0.5 };
            self.stations.insert(Place::Node(node.name.clone()), eaves);
        }
        for pod in store.pods.values() {
            let folded = || {
                let node =
                    store.nodes.values().find(|node| Some(&node.name) == pod.node.as_ref())?;
                let house = self.houses.iter().find(|house| house.uid == node.uid)?;
                Some(house.fold.middle())
            };
            let here = self.pods.get(&pod.uid).map(|bed| bed.middle()).or_else(folded);
            if let Some(point) = here {
                let place = Place::Pod { namespace: pod.namespace.clone(), name: pod.name.clone() };
                self.stations.insert(place, point);
            }
        }
    }
}

/// Whether a service can be reached from outside of the cluster.
fn is_exposed(service: &ServiceView) -> bool {
    matches!(service.service_type.as_str(), "NodePort" | "LoadBalancer")
}

/// What a house holds: the pods shown, and the number of those folded away.
struct HouseRoom<'a> {
    uid: String,
    title: String,
    pods: Vec<&'a PodView>,
    folded: usize,
}

/// How houses are built before it is known where they stand.
struct HousePlan<'a> {
    rooms: Vec<HouseRoom<'a>>,
    columns: usize,
    rows: usize,
    /// Of each house.
    width: f64,
    /// Of the houses of each row: all as high as the highest.
    row_heights: Vec<f64>,
    /// Pods beside one another.
    beds: usize,
}

/// A room for each node.
fn node_rooms<'a>(store: &'a Store, room: &Room, office_first: bool) -> Vec<HouseRoom<'a>> {
    let mut nodes: Vec<&NodeView> = store.nodes.values().map(Rc::as_ref).collect();
    nodes.sort_by_key(|node| (node.roles.is_empty() == office_first, &node.name));
    let mut by_node: BTreeMap<&str, Vec<&PodView>> = BTreeMap::new();
    for pod in store.pods.values() {
        if let Some(node) = &pod.node {
            by_node.entry(node).or_default().push(pod);
        }
    }
    let of_node = |node: &NodeView| {
        let pods = by_node.remove(node.name.as_str()).unwrap_or_default();
        let (mut pods, folded): (Vec<_>, Vec<_>) =
            pods.into_iter().partition(|pod| room.shows(&pod.namespace));
        pods.sort_by_key(|pod| age_order(pod));
        HouseRoom { uid: node.uid.clone(), title: node.name.clone(), pods, folded: folded.len() }
    };
    nodes.into_iter().map(of_node).collect()
}

/// A room for all pods that have something in common; those that have nothing come last.
fn groups<'a>(store: &'a Store, room: &Room, group: &Group) -> Vec<HouseRoom<'a>> {
    let mut found: BTreeMap<(bool, String), Vec<&PodView>> = BTreeMap::new();
    for pod in store.pods.values().filter(|pod| room.shows(&pod.namespace)) {
        let title = group.title(store, pod).into_owned();
        found.entry((title.is_empty(), title)).or_default().push(pod);
    }
    let of_group = |((_, title), mut pods): ((bool, String), Vec<&'a PodView>)| {
        pods.sort_by_key(|pod| age_order(pod));
        HouseRoom { uid: format!("{GROUP}{title}"), title, pods, folded: 0 }
    };
    found.into_iter().map(of_group).collect()
}

/// `Deployment/web`; "" for a pod that nobody owns.
fn topmost_owner(store: &Store, pod: &PodView) -> String {
    let Some(owner) = &pod.owner else { return String::new() };
    let above = store.workloads.get(&owner.uid).and_then(|it| it.owner.as_ref());
    let topmost = above.unwrap_or(owner);
    format!("{}/{}", topmost.kind, topmost.name)
}

impl<'a> HousePlan<'a> {
    fn of(store: &'a Store, room: &Room, width: f64) -> HousePlan<'a> {
        let inner = width - 2.0 * if width < NARROW { 12.0 } else { MARGIN };
        let fitting = ((inner + GAP) / (HOUSE_W + GAP)).floor().max(1.0) as usize;
        let mut groups = match &room.group {
            Group::Node => Vec::new(),
            group => groups(store, room, group),
        };
        let count = if room.group == Group::Node { store.nodes.len() } else { groups.len() };
        let columns = fitting.min(count).max(1);
        let house = ((inner - GAP * (columns as f64 - 1.0)) / columns as f64)
            .min(HOUSE_W_MAX.max(inner / 3.0));
        let (bed, layer, gap) = (POD_W - 16.0, POD_H, 6.0);
        let beds = ((house - 2.0 * INDOORS + gap) / (bed + gap)).floor().max(1.0) as usize;

        if room.group == Group::Node {
            // Beside one another the control plane comes first; one below the other it comes last,
            // so that the lines to the pods do not pass before its house.
            groups = node_rooms(store, room, columns > 1);
        }
        let rooms = groups;
        let height = |row: &[HouseRoom<'_>]| {
            let most = row.iter().map(|it| it.pods.len()).max().unwrap_or(0);
            let layers = most.div_ceil(beds).max(1);
            ROOF + 6.0 + layers as f64 * (layer + gap) + SILL
        };
        let row_heights: Vec<f64> = rooms.chunks(columns).map(height).collect();
        HousePlan { columns, rows: row_heights.len(), width: house, row_heights, beds, rooms }
    }

    fn height(&self) -> f64 {
        self.row_heights.iter().sum::<f64>() + GAP * self.rows.saturating_sub(1) as f64
    }
}

/// The node a pod is in, when there is such a node.
fn house_of<'a>(store: &'a Store, pod: &PodView) -> Option<&'a NodeView> {
    let name = pod.node.as_ref()?;
    store.nodes.values().map(Rc::as_ref).find(|node| &node.name == name)
}

/// Oldest first, and always the same order.
fn age_order(pod: &PodView) -> (u64, &str, &str) {
    (pod.created_micros, &pod.namespace, &pod.name)
}

/// So many boxes of a size, in rows from left to right, within a width.
fn flow(x: f64, y: f64, width: f64, size: (f64, f64), gap: f64, count: usize) -> Vec<Rect> {
    let (w, h) = size;
    let columns = ((width + gap) / (w + gap) + 1e-6).floor().max(1.0) as usize;
    (0..count)
        .map(|i| {
            let (row, column) = ((i / columns) as f64, (i % columns) as f64);
            Rect { x: x + column * (w + gap), y: y + row * (h + gap), w: w.min(width), h }
        })
        .collect()
}

/// A line that leaves downwards and arrives from above, as the `d` of an SVG path.
pub fn falling_line(from: Point, to: Point) -> String {
    let bend = ((to.y - from.y) / 2.0).abs().max(18.0);
    let (Point { x: x1, y: y1 }, Point { x: x2, y: y2 }) = (from, to);
    format!("M{x1:.1} {y1:.1}C{x1:.1} {:.1} {x2:.1} {:.1} {x2:.1} {y2:.1}", y1 + bend, y2 - bend)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::example_pod;
    use naru_cluster::view::{ResourcesView, ServiceView, ViewDelta};

    fn node(name: &str, roles: &[&str]) -> NodeView {
        NodeView {
            uid: format!("uid-{name}"),
            name: name.to_owned(),
            roles: roles.iter().map(|role| (*role).to_owned()).collect(),
            ready: true,
            unschedulable: false,
            internal_ip: String::new(),
            pod_cidr: String::new(),
            allocatable: ResourcesView::default(),
        }
    }

    fn pod(name: &str, namespace: &str, node: Option<&str>) -> PodView {
        PodView {
            uid: format!("uid-{name}"),
            namespace: namespace.to_owned(),
            node: node.map(str::to_owned),
            ..example_pod(name, "Running", (1, 1))
        }
    }

    fn store() -> Store {
        let mut store = Store::default();
        let pods = (0..7).map(|i| pod(&format!("web-{i}"), "default", Some("worker")));
        let others = [pod("dns", "kube-system", Some("worker")), pod("new", "default", None)];
        store.apply(ViewDelta {
            nodes: vec![
                node("worker", &[]),
                node("control-plane", &["control-plane"]),
                node("worker2", &[]),
            ],
            pods: pods.chain(others).collect(),
            services: vec![ServiceView {
                uid: "svc".to_owned(),
                namespace: "default".to_owned(),
                name: "web".to_owned(),
                service_type: "ClusterIP".to_owned(),
                cluster_ip: "10.96.0.9".to_owned(),
                ports: vec!["80/TCP".to_owned()],
                endpoints: vec![("uid-web-0".to_owned(), true), ("uid-moon".to_owned(), true)],
            }],
            ..ViewDelta::default()
        });
        store
    }

    fn rooms() -> [Room; 4] {
        [(360.0, 500.0), (390.0, 300.0), (760.0, 480.0), (1900.0, 1200.0)]
            .map(|(width, height)| Room { width, height, ..Room::default() })
    }

    #[test]
    fn everything_stands_inside_the_scene_and_nothing_on_another() {
        let store = store();
        for room in rooms() {
            let scene = Scene::lay_out(&store, &room);
            let mut boxes: Vec<Rect> = scene.parts.iter().map(|(_, rect)| *rect).collect();
            boxes.push(scene.pier);
            boxes.extend(scene.services.values());
            boxes.extend(scene.pods.values());
            for (i, a) in boxes.iter().enumerate() {
                assert!(a.x >= 0.0 && a.right() <= scene.width + 0.1, "{room:?} {a:?}");
                assert!(a.bottom() <= scene.height, "{room:?} {a:?}");
                for b in &boxes[i + 1..] {
                    let apart = a.right() <= b.x + 0.1
                        || b.right() <= a.x + 0.1
                        || a.bottom() <= b.y + 0.1
                        || b.bottom() <= a.y + 0.1;
                    assert!(apart, "{room:?} {a:?} {b:?}");
                }
            }
            for house in &scene.houses {
                assert!(house.rect.bottom() <= scene.height, "{room:?} {house:?}");
            }
        }
    }

    #[test]
    fn very_many_pods_stand_elsewhere() {
        let mut store = store();
        let pods =
            (0..PODS_LARGE_MAX).map(|i| pod(&format!("many-{i}"), "default", Some("worker")));
        store.apply(ViewDelta { pods: pods.collect(), ..ViewDelta::default() });
        for room in rooms() {
            let scene = Scene::lay_out(&store, &room);
            assert!(scene.dense && scene.wires.is_empty());
            assert!(scene.houses.is_empty() && scene.pods.is_empty());
            assert!(scene.height > scene.pier.bottom());
        }
    }

    #[test]
    fn pods_stand_together_by_what_they_have_in_common() {
        let mut store = store();
        let labelled = |name: &str, app: &str| PodView {
            labels: [("app".to_owned(), app.to_owned())].into(),
            ..pod(name, "default", None)
        };
        let pods = vec![labelled("a1", "a"), labelled("b1", "b"), labelled("a2", "a")];
        store.apply(ViewDelta { pods, ..ViewDelta::default() });
        let room = Room { width: 900.0, height: 600.0, ..Room::default() };
        let by_label = Room { group: Group::Label("app".to_owned()), ..room.clone() };
        let scene = Scene::lay_out(&store, &by_label);
        let houses: Vec<(&str, usize)> =
            scene.houses.iter().map(|it| (it.title.as_str(), it.count)).collect();
        assert_eq!(houses[..2], [("a", 2), ("b", 1)]);
        assert!(scene.afloat.is_empty(), "those without a node stand with the others");
        let by_namespace = Room { group: Group::Namespace, ..room };
        let scene = Scene::lay_out(&store, &by_namespace);
        assert!(scene.houses.iter().any(|it| it.title == "default"));
    }

    #[test]
    fn pods_are_in_their_nodes_house() {
        for room in rooms() {
            let scene = Scene::lay_out(&store(), &room);
            let house = scene.houses.iter().find(|house| house.uid == "uid-worker").unwrap().rect;
            let bed = scene.pods["uid-web-6"];
            let (left, right) = (house.x + EAVES, house.right() - EAVES);
            let first = scene.pods["uid-web-0"];
            assert!(first.x >= left + 6.0 && bed.right() <= right - 6.0, "{room:?}");
            assert!(bed.y >= house.y + ROOF && bed.bottom() <= house.bottom() - SILL + 6.1);
            assert_eq!(scene.afloat, ["uid-new"]);
        }
    }

    #[test]
    fn the_systems_pods_are_folded_but_have_a_station() {
        let store = store();
        let [.., room] = rooms();
        let place = Place::Pod { namespace: "kube-system".to_owned(), name: "dns".to_owned() };
        let scene = Scene::lay_out(&store, &room);
        assert!(!scene.pods.contains_key("uid-dns") && scene.station(&place).is_some());
        let scene = Scene::lay_out(&store, &Room { system: true, ..room.clone() });
        assert!(scene.pods.contains_key("uid-dns") && scene.station(&place).is_some());
    }

    #[test]
    fn wires_go_to_pods_that_are_there() {
        let [.., room] = rooms();
        let scene = Scene::lay_out(&store(), &room);
        let ends: Vec<&str> = scene.wires.iter().map(|wire| wire.pod.as_str()).collect();
        assert_eq!(ends, ["uid-web-0"]);
    }

    #[test]
    fn an_empty_cluster_has_a_scene() {
        for room in rooms() {
            let scene = Scene::lay_out(&Store::default(), &room);
            assert!(scene.houses.is_empty() && scene.hint.is_none());
            assert!(scene.height >= room.height);
        }
    }
}
