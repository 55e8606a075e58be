//! The chain of causes as a conversation: who told whom what, because of what.

use crate::place::Place;
use crate::store::Store;
use naru_cluster::view::ActivityView;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Messages of one conversation at most.
const MESSAGES_MAX: usize = 240;

/// Something that a person (or a part by itself) began, and all that it led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// What began it.
    pub root: Rc<ActivityView>,
    /// How many things it led to.
    pub effects: usize,
}

/// A conversation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagram {
    /// Who takes part, from left to right.
    pub lanes: Vec<Lane>,
    /// What is said and done, oldest first.
    pub messages: Vec<Message>,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The learner's machine.
    Learner,
    /// kube-apiserver.
    ApiServer,
    /// etcd.
    Store,
    /// kube-scheduler.
    Scheduler,
    /// A controller, by name.
    Controller(String),
    /// A node's kubelet or another of its agents: the agent's name and the node's.
    Agent(String, String),
}

/// Something that is said or done.
#[derive(Clone, Debug, PartialEq)]
pub struct Message {
    /// Who, by its place among the lanes.
    pub from: usize,
    /// To whom; the same for what one does alone.
    pub to: usize,
    /// What it is.
    pub kind: Kind,
    /// What happened.
    pub activity: Rc<ActivityView>,
}

/// A kind of message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A command is typed.
    Command,
    /// The API server is asked to read.
    Reads,
    /// The API server is asked to write.
    Writes,
    /// It refuses.
    Refused,
    /// What it has written into the store.
    Stored,
    /// It tells of a change to who watches.
    Watch,
    /// Somebody thinks about what it was told.
    Thinks,
}

/// What was begun, the latest first.
pub fn stories(store: &Store) -> Vec<Story> {
    let known: BTreeSet<u64> = store.activity.iter().map(|it| it.id).collect();
    let roots = store.activity.iter().filter(|it| !known.contains(&it.parent));
    let mut stories: Vec<Story> = roots
        .map(|root| Story { root: root.clone(), effects: members(store, root.id).len() - 1 })
        .filter(|story| story.effects > 0 || story.root.verb == "run")
        .collect();
    stories.reverse();
    stories
}

/// What something led to, itself included, oldest first.
fn members(store: &Store, root: u64) -> Vec<Rc<ActivityView>> {
    let mut ids = BTreeSet::new();
    let mut members = Vec::new();
    for activity in &store.activity {
        if activity.id == root || ids.contains(&activity.parent) {
            ids.insert(activity.id);
            members.push(activity.clone());
        }
    }
    members
}

/// The conversation that something led to.
pub fn diagram(store: &Store, root: u64) -> Diagram {
    let mut spoken: Vec<(Lane, Lane, Kind, Rc<ActivityView>)> = Vec::new();
    let members = members(store, root);
    let mut lanes_of: BTreeMap<u64, Lane> = BTreeMap::new();
    for activity in &members {
        let mut lane = lane_of(activity, store);
        // What an agent does by itself is done where it was told to.
        if let (Lane::Agent(agent, node), Some(Lane::Agent(other, there))) =
            (&mut lane, lanes_of.get(&activity.parent))
            && node.is_empty()
            && agent == other
        {
            node.clone_from(there);
        }
        lanes_of.insert(activity.id, lane.clone());
        let alone = |kind| (lane.clone(), lane.clone(), kind, activity.clone());
        let kind = match activity.verb.as_str() {
            "run" => {
                spoken.push(alone(Kind::Command));
                continue;
            }
            "get" | "list" | "watch" => Kind::Reads,
            "create" | "update" | "patch" | "delete" | "deletecollection" => Kind::Writes,
            _ => {
                let told = members.iter().any(|it| it.id == activity.parent && is_write(it));
                if told {
                    let parent = members.iter().find(|it| it.id == activity.parent);
                    let parent = parent.unwrap_or(activity).clone();
                    spoken.push((Lane::ApiServer, lane.clone(), Kind::Watch, parent));
                }
                spoken.push(alone(Kind::Thinks));
                continue;
            }
        };
        let refused = activity.code >= 400;
        let kind = if refused { Kind::Refused } else { kind };
        spoken.push((lane, Lane::ApiServer, kind, activity.clone()));
        if kind == Kind::Writes {
            spoken.push((Lane::ApiServer, Lane::Store, Kind::Stored, activity.clone()));
        }
    }
    spoken.truncate(MESSAGES_MAX);
    let lanes: BTreeSet<Lane> =
        spoken.iter().flat_map(|(from, to, ..)| [from.clone(), to.clone()]).collect();
    let lanes: Vec<Lane> = lanes.into_iter().collect();
    let place = |lane: &Lane| lanes.iter().position(|it| it == lane).unwrap_or(0);
    let messages = spoken
        .into_iter()
        .map(|(from, to, kind, activity)| Message {
            from: place(&from),
            to: place(&to),
            kind,
            activity,
        })
        .collect();
    Diagram { lanes, messages }
}

fn is_write(activity: &ActivityView) -> bool {
    matches!(activity.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection")
}

fn lane_of(activity: &ActivityView, store: &Store) -> Lane {
    match (Place::of_activity(activity, store), activity.actor.as_str()) {
        (Some(Place::Terminal), _) => Lane::Learner,
        (Some(Place::ApiServer), _) => Lane::ApiServer,
        (Some(Place::Store), _) => Lane::Store,
        (Some(Place::Scheduler), _) => Lane::Scheduler,
        (Some(Place::Node(node)), agent) => Lane::Agent(agent.to_owned(), node),
        (None, agent @ ("kubelet" | "kube-proxy" | "kindnetd")) => {
            Lane::Agent(agent.to_owned(), String::new())
        }
        (_, actor) => Lane::Controller(actor.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naru_cluster::view::ViewDelta;

    fn store(lines: &[(u64, u64, &str, &str, &str, u16)]) -> Store {
        let activity = lines
            .iter()
            .map(|(id, parent, actor, verb, subject, code)| ActivityView {
                id: *id,
                parent: *parent,
                micros: *id,
                actor: (*actor).to_owned(),
                verb: (*verb).to_owned(),
                subject: (*subject).to_owned(),
                code: *code,
            })
            .collect();
        let mut store = Store::default();
        store.apply(ViewDelta { activity, ..ViewDelta::default() });
        store
    }

    fn example() -> Store {
        store(&[
            (1, 0, "kubectl", "run", "kubectl create deployment web", 0),
            (2, 1, "kubectl-create", "create", "deployments/default/web", 201),
            (3, 0, "kubelet", "patch", "nodes/worker", 200),
            (4, 2, "deployment-controller", "reconcile", "default/web", 0),
            (5, 4, "deployment-controller", "create", "replicasets/default/web-1", 201),
            (6, 1, "kubectl-create", "create", "deployments/default/web", 409),
        ])
    }

    #[test]
    fn what_led_to_something_is_a_story() {
        let stories = stories(&example());
        let told: Vec<_> = stories.iter().map(|it| (it.root.id, it.effects)).collect();
        assert_eq!(told, [(1, 4)]);
    }

    #[test]
    fn a_story_is_a_conversation() {
        let diagram = diagram(&example(), 1);
        assert_eq!(
            diagram.lanes,
            [
                Lane::Learner,
                Lane::ApiServer,
                Lane::Store,
                Lane::Controller("deployment-controller".to_owned()),
            ]
        );
        let told: Vec<_> = diagram.messages.iter().map(|it| (it.from, it.to, it.kind)).collect();
        assert_eq!(
            told,
            [
                (0, 0, Kind::Command),
                (0, 1, Kind::Writes),
                (1, 2, Kind::Stored),
                (1, 3, Kind::Watch),
                (3, 3, Kind::Thinks),
                (3, 1, Kind::Writes),
                (1, 2, Kind::Stored),
                (0, 1, Kind::Refused),
            ]
        );
    }
}
