//! Where very many pods stand: houses of one size in a grid, so that what is seen, and what is
//! pointed at, follows by arithmetic however many there are.

use crate::scene::{Group, Room};
use crate::store::{Look, Store};
use naru_cluster::view::PodView;
use std::collections::HashMap;
use std::rc::Rc;

/// A pod's side, in pixels.
pub const TILE: f64 = 12.0;
/// From one pod to the next.
pub const STRIDE: f64 = 15.0;
/// Room for a house's name.
pub const EAVES: f64 = 24.0;
const PAD: f64 = 7.0;
const GAP: f64 = 12.0;
/// The fewest pods beside one another.
const ACROSS_MIN: usize = 7;
/// How many looks there are.
pub const LOOKS: usize = 7;

/// Very many pods.
#[derive(Clone, Debug, Default)]
pub struct Crowd {
    /// Houses, row by row.
    pub houses: Vec<CrowdHouse>,
    /// Every pod, house by house.
    pub pods: Vec<CrowdPod>,
    /// Houses beside one another.
    pub columns: usize,
    /// Pods beside one another.
    pub across: usize,
    /// A house's width and height.
    pub size: (f64, f64),
}

/// A house.
#[derive(Clone, Debug, PartialEq)]
pub struct CrowdHouse {
    /// A node's name, or what its pods have in common.
    pub title: String,
    /// It is a node that is not ready.
    pub dark: bool,
    /// It is a node.
    pub node: bool,
    /// Where its pods begin among all.
    pub first: usize,
    /// How many of them look how.
    pub counts: [u32; LOOKS],
}

/// A pod.
#[derive(Clone, Debug, PartialEq)]
pub struct CrowdPod {
    /// What it looks like, as a place in [`ALL_LOOKS`].
    pub look: usize,
    /// It has nothing to do with what is searched for.
    pub back: bool,
    /// The pod.
    pub pod: Rc<PodView>,
}

/// Every look, those last that must be seen before others.
pub const ALL_LOOKS: [Look; LOOKS] = [
    Look::Done,
    Look::Leaving,
    Look::Ready,
    Look::Waiting,
    Look::Starting,
    Look::Unready,
    Look::Broken,
];

impl Crowd {
    /// Places everything in a grid of about the room's shape.
    pub fn lay_out(store: &Store, room: &Room, fits: impl Fn(&PodView) -> bool) -> Crowd {
        let mut houses: Vec<(CrowdHouse, Vec<CrowdPod>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        if room.group == Group::Node {
            let mut nodes: Vec<_> = store.nodes.values().collect();
            nodes.sort_by_key(|node| (node.roles.is_empty(), &node.name));
            for node in nodes {
                places.insert(node.name.clone(), houses.len());
                houses.push((house(&node.name, true, !node.ready), Vec::new()));
            }
        }
        for pod in store.pods.values().filter(|pod| room.shows(&pod.namespace)) {
            let title = room.group.title(store, pod);
            let place = match places.get(&*title) {
                Some(place) => *place,
                None => {
                    places.insert(title.to_string(), houses.len());
                    houses.push((house(&title, false, false), Vec::new()));
                    houses.len() - 1
                }
            };
            let Some((house, pods)) = houses.get_mut(place) else { continue };
            let look = Look::of(pod);
            let look = ALL_LOOKS.iter().position(|it| *it == look).unwrap_or(0);
            if let Some(count) = house.counts.get_mut(look) {
                *count += 1;
            }
            pods.push(CrowdPod { look, back: !fits(pod), pod: pod.clone() });
        }
        Crowd::of(houses, room)
    }

    fn of(houses: Vec<(CrowdHouse, Vec<CrowdPod>)>, room: &Room) -> Crowd {
        let most = houses.iter().map(|(_, pods)| pods.len()).max().unwrap_or(0);
        let across = ((most as f64).sqrt().ceil() as usize).max(ACROSS_MIN);
        let layers = most.div_ceil(across).max(1);
        let size = (across as f64 * STRIDE + 2.0 * PAD, layers as f64 * STRIDE + EAVES + 2.0 * PAD);
        let shape = (room.width / room.height.max(1.0)) * (size.1 + GAP) / (size.0 + GAP);
        let columns = ((houses.len() as f64 * shape).sqrt().round() as usize).max(1);
        // A few of them stand as large as they are.
        let fitting = ((room.width - GAP) / (size.0 + GAP)).floor().max(1.0) as usize;
        let columns = columns.max(fitting.min(houses.len().max(1)));
        let mut crowd = Crowd { columns, across, size, ..Crowd::default() };
        for (mut house, mut pods) in houses {
            house.first = crowd.pods.len();
            pods.sort_by_key(|pod| std::cmp::Reverse(pod.look));
            crowd.pods.append(&mut pods);
            crowd.houses.push(house);
        }
        crowd
    }

    /// The width of all.
    pub fn width(&self) -> f64 {
        self.columns as f64 * (self.size.0 + GAP) + GAP
    }

    /// The height of all.
    pub fn height(&self) -> f64 {
        self.houses.len().div_ceil(self.columns.max(1)) as f64 * (self.size.1 + GAP) + GAP
    }

    /// The upper left corner of a house.
    pub fn corner(&self, index: usize) -> (f64, f64) {
        let columns = self.columns.max(1);
        let (column, row) = ((index % columns) as f64, (index / columns) as f64);
        (GAP + column * (self.size.0 + GAP), GAP + row * (self.size.1 + GAP))
    }

    /// The upper left corner of a house's pod, seen from the house.
    pub fn bed(&self, index: usize) -> (f64, f64) {
        let across = self.across.max(1);
        let (column, layer) = ((index % across) as f64, (index / across) as f64);
        (PAD + column * STRIDE, EAVES + PAD + layer * STRIDE)
    }

    /// The pods of a house.
    pub fn pods_of(&self, index: usize) -> &[CrowdPod] {
        let first = self.houses.get(index).map_or(0, |house| house.first);
        let end = self.houses.get(index + 1).map_or(self.pods.len(), |house| house.first);
        self.pods.get(first..end).unwrap_or_default()
    }

    /// The houses that are seen in a window.
    pub fn seen(&self, left: f64, top: f64, right: f64, bottom: f64) -> Vec<usize> {
        let step = (self.size.0 + GAP, self.size.1 + GAP);
        let cell = |at: f64, step: f64| ((at - GAP) / step).floor().max(0.0) as usize;
        let (first, last) = (cell(left, step.0), cell(right, step.0).min(self.columns.max(1) - 1));
        let rows = cell(top, step.1)..=cell(bottom, step.1);
        rows.flat_map(|row| (first..=last).map(move |column| row * self.columns + column))
            .take_while(|index| *index < self.houses.len())
            .collect()
    }

    /// What stands at a point: a house, and perhaps one of its pods.
    pub fn at(&self, x: f64, y: f64) -> Option<(&CrowdHouse, Option<&CrowdPod>)> {
        let index = *self.seen(x, y, x, y).first()?;
        let (left, top) = self.corner(index);
        let (x, y) = (x - left, y - top);
        if x < 0.0 || y < 0.0 || x > self.size.0 || y > self.size.1 {
            return None;
        }
        let column = ((x - PAD) / STRIDE).floor();
        let layer = ((y - EAVES - PAD) / STRIDE).floor();
        let inside = column >= 0.0 && layer >= 0.0 && column < self.across as f64;
        let place = inside.then(|| layer as usize * self.across + column as usize);
        let pod = place.and_then(|place| self.pods_of(index).get(place));
        Some((self.houses.get(index)?, pod))
    }
}

fn house(title: &str, node: bool, dark: bool) -> CrowdHouse {
    CrowdHouse { title: title.to_owned(), dark, node, first: 0, counts: [0; LOOKS] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::example_pod;
    use naru_cluster::view::ViewDelta;

    fn crowd(count: usize) -> Crowd {
        let mut store = Store::default();
        let pods = (0..count)
            .map(|i| PodView {
                node: Some(format!("node-{}", i % 30)),
                ..example_pod(
                    &format!("pod-{i:05}"),
                    if i == 7 { "Error" } else { "Running" },
                    (1, 1),
                )
            })
            .collect();
        store.apply(ViewDelta { pods, ..ViewDelta::default() });
        let room = Room { width: 900.0, height: 500.0, ..Room::default() };
        Crowd::lay_out(&store, &room, |_| true)
    }

    #[test]
    fn what_stands_at_a_point_is_what_is_drawn_there() {
        let crowd = crowd(1000);
        assert_eq!((crowd.houses.len(), crowd.pods.len()), (30, 1000));
        for house in [0, 11, 29] {
            let (x, y) = crowd.corner(house);
            for place in [0, 5, 20] {
                let (dx, dy) = crowd.bed(place);
                let (found, pod) = crowd.at(x + dx + 1.0, y + dy + 1.0).unwrap();
                assert_eq!(found.title, crowd.houses[house].title);
                assert_eq!(pod, crowd.pods_of(house).get(place));
            }
            assert!(crowd.at(x + 2.0, y + 2.0).unwrap().1.is_none());
            assert!(crowd.at(x - 2.0, y - 2.0).is_none());
        }
        assert_eq!(crowd.seen(0.0, 0.0, crowd.width(), crowd.height()).len(), 30);
    }

    #[test]
    fn trouble_stands_first() {
        let crowd = crowd(1000);
        let broken = crowd.houses.iter().position(|it| it.counts[LOOKS - 1] == 1).unwrap();
        assert_eq!(ALL_LOOKS[crowd.pods_of(broken)[0].look], Look::Broken);
    }

    #[test]
    fn the_grid_has_about_the_rooms_shape() {
        let crowd = crowd(9000);
        let shape = crowd.width() / crowd.height();
        assert!((0.9..3.6).contains(&shape), "{shape}");
    }
}
