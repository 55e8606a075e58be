//! Which parts of objects somebody looks at, so that nothing else need be made of them.

use std::collections::BTreeMap;

/// Parts that are told apart; who looks at more is given everything.
const PARTS_MAX: usize = 10_000;

/// A part of an object. Of a list, what is wanted is wanted of each item.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    all: bool,
    /// Of each field, whatever its name.
    each: Option<Box<Wanted>>,
    fields: BTreeMap<String, Wanted>,
}

impl Wanted {
    /// The whole object.
    pub fn everything() -> Self {
        Wanted { all: true, ..Wanted::default() }
    }

    /// All that there is of these, each the names of fields with dots between.
    pub fn of_paths(paths: &[&str]) -> Self {
        let mut wanted = Wanted::default();
        for path in paths {
            path.split('.').fold(&mut wanted, |part, name| part.field(name)).want_all();
        }
        wanted
    }

    /// Wants all that there is here.
    pub fn want_all(&mut self) {
        self.all = true;
    }

    /// What is wanted of this field, to want more.
    pub fn field(&mut self, name: &str) -> &mut Wanted {
        self.fields.entry(name.to_owned()).or_default()
    }

    /// What is wanted of every field, to want more.
    pub fn each(&mut self) -> &mut Wanted {
        self.each.get_or_insert_default()
    }

    /// Adds all that another wants.
    pub fn add(&mut self, other: &Wanted) {
        self.all |= other.all;
        if let Some(each) = &other.each {
            self.each().add(each);
        }
        for (name, wanted) in &other.fields {
            self.field(name).add(wanted);
        }
    }

    /// What is wanted of this field; `None`: nothing.
    pub fn of(&self, name: &str) -> Option<&Wanted> {
        if self.all {
            return Some(self);
        }
        self.fields.get(name).or(self.each.as_deref())
    }

    /// Puts what is wanted of every field with what is wanted of some. To be called when all is said, so that
    /// [`Wanted::of`] finds it.
    pub fn settle(&mut self) {
        let mut room = PARTS_MAX;
        if self.settle_within(&mut room).is_none() {
            *self = Wanted::everything();
        }
    }

    fn settle_within(&mut self, room: &mut usize) -> Option<()> {
        *room = room.checked_sub(1)?;
        if let Some(each) = self.each.clone() {
            *room = room.checked_sub(each.parts().checked_mul(self.fields.len())?)?;
            self.fields.values_mut().for_each(|wanted| wanted.add(&each));
        }
        let each = self.each.as_deref_mut();
        self.fields.values_mut().chain(each).try_for_each(|wanted| wanted.settle_within(room))
    }

    fn parts(&self) -> usize {
        let each = self.each.as_deref();
        1 + self.fields.values().chain(each).map(Wanted::parts).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{encode, gotemplate::Template, jsonpath::JsonPath};
    use k8s_openapi::api::core::v1::Pod;
    use serde_json::{Value, json};

    fn list() -> Value {
        let item = |name: &str| {
            json!({"metadata": {"name": name, "labels": {"a": "1", "b": "2"}},
                "spec": {"containers": [{"name": "c", "image": "i", "ports": [{"port": 80}, {"port": 81}]}]}})
        };
        json!({"kind": "List", "items": [item("x"), item("y")]})
    }

    fn picked(wanted: &Wanted) -> Value {
        encode::to_part(&list(), wanted).unwrap()
    }

    #[test]
    fn only_what_is_wanted_is_made() {
        let wanted = JsonPath::parse("{.items[*].metadata.name}", false).unwrap().wanted();
        assert_eq!(
            picked(&wanted),
            json!({"items": [{"metadata": {"name": "x"}}, {"metadata": {"name": "y"}}]})
        );
        let template =
            Template::parse("t", "{{range .items}}{{.metadata.name}}{{end}}", true).unwrap();
        // What a range goes over may be a map too, and its values are fields.
        let item = |name: &str| json!({"metadata": {"name": name}, "spec": {}});
        assert_eq!(picked(&template.wanted()), json!({"items": [item("x"), item("y")]}));
        assert_eq!(picked(&Wanted::everything()), list());
        assert_eq!(picked(&Wanted::default()), json!({}));
    }

    #[test]
    fn long_and_branching_ones_want_everything() {
        let everything = Wanted::everything();
        for path in [
            format!("{{{}}}", ".a".repeat(100_000)),
            format!("{{{}}}", ".*".repeat(100)),
            format!("{{{}}}", "['a','b']".repeat(20)),
        ] {
            assert_eq!(JsonPath::parse(&path, true).unwrap().wanted(), everything);
        }
        let fields = |name: &str| -> String {
            (0..2_000).map(|number| format!("{{{{.{name}{number}}}}}")).collect()
        };
        for text in [
            format!("{{{{{}}}}}", ".a".repeat(10_000)),
            format!("{}{{{{range .}}}}{}{{{{end}}}}", fields("a"), fields("b")),
            format!("{}{}", "{{range .a}}".repeat(20), "{{end}}".repeat(20)),
        ] {
            assert_eq!(Template::parse("t", &text, true).unwrap().wanted(), everything);
        }
    }

    #[test]
    fn a_part_is_the_same_whether_the_rest_was_told_or_passed_over() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "web", "labels": {"a": "1"}, "ownerReferences": []},
            "spec": {"nodeName": "worker", "volumes": [{"name": "v", "emptyDir": {}}],
                "containers": [{"name": "a", "resources": {"limits": {"cpu": "1"}}}, {"name": "b"}]},
            "status": {"phase": "Running", "podIPs": [{"ip": "10.0.0.1"}]}});
        let pod = crate::Object::new(serde_json::from_value::<Pod>(pod).unwrap());
        let whole = pod.content_json().unwrap();
        for paths in [
            &["kind"][..],
            &["apiVersion", "metadata.name", "status.phase"],
            &["metadata.creationTimestamp", "spec.containers.resources"],
            &["metadata.labels", "metadata.none", "spec.volumes", "status"],
            &["spec.containers.name", "spec.nodeName", "status.podIPs.ip"],
            &["none"],
        ] {
            let wanted = Wanted::of_paths(paths);
            let part = pod.content_part(&wanted).unwrap();
            assert_eq!(part, encode::to_part(&whole, &wanted).unwrap(), "{paths:?}");
        }
        assert_eq!(pod.content_part(&Wanted::everything()).unwrap(), whole);
    }

    #[test]
    fn several_are_put_together() {
        let mut both = JsonPath::parse("{.items[*].*.name}", true).unwrap().wanted();
        both.add(&JsonPath::parse("{.items[*].metadata.labels}", true).unwrap().wanted());
        both.settle();
        let item = |name: &str| json!({"metadata": {"name": name, "labels": {"a": "1", "b": "2"}}, "spec": {}});
        assert_eq!(picked(&both), json!({"items": [item("x"), item("y")]}));
    }

    #[test]
    fn paths_find_the_same_in_what_they_want() {
        for path in [
            "{.kind}{.items[0].metadata}",
            "{.items[*].spec.containers[*].ports[1].port}",
            "{.items[*].spec.containers[0]['image','name']}",
            "{range .items[*]}{.metadata.name}{\"\\t\"}{.spec.containers[*].image}{\"\\n\"}{end}",
            "{.items[?(@.metadata.name==\"y\")].spec.containers[0].image}",
            "{.items[?(@.metadata.nothing)].kind}",
            "{.items[0].metadata.labels.*}",
            "{.items[0].*.containers[0].name}",
            "{.items[0].metadata['labels','name']}",
            "{..port}",
            "{.items[-1:].metadata.labels}",
            "{$.kind}",
        ] {
            let path_ = JsonPath::parse(path, true).unwrap();
            let part = picked(&path_.wanted());
            assert_eq!(path_.print(&part), path_.print(&list()), "{path}: {part}");
        }
    }

    #[test]
    fn templates_make_the_same_of_what_they_want() {
        for text in [
            "{{.kind}}{{len .items}}",
            "{{range .items}}{{.metadata.name}} {{range .spec.containers}}{{.image}}{{end}}{{end}}",
            "{{range $i, $e := .items}}{{$i}}{{$e.metadata.name}}{{end}}",
            "{{with .nothing}}{{.x}}{{else}}{{.kind}}{{end}}",
            "{{range .items}}{{range $k, $v := .metadata.labels}}{{$k}}={{$v}}{{end}}{{end}}",
            "{{range .items}}{{with .metadata}}{{.name}}{{$.kind}}{{end}}{{end}}",
            "{{(index .items 1).metadata.name}}",
            "{{if eq .kind \"List\"}}{{.items}}{{end}}",
            "{{define \"a\"}}{{.kind}}{{end}}{{template \"a\" .}}",
            "{{.}}",
            "{{range .items}}{{.metadata.labels | len}}{{range .metadata.labels}}{{.}}{{end}}{{end}}",
        ] {
            let template = Template::parse("t", text, true).unwrap();
            let part = picked(&template.wanted());
            assert_eq!(template.execute(&part), template.execute(&list()), "{text}: {part}");
        }
    }
}
