//! The kubeconfig: which cluster, as whom, in which namespace.
//!
//! Upstream: `k8s.io/client-go/tools/clientcmd`.

use crate::failure::{Failure, Result};
use crate::flags::Parsed;
use naru_shell::Sys;
use serde_json::{Map, Value, json};

/// A kubeconfig file as it was read, and where it lies.
#[derive(Clone, Debug)]
pub struct Config {
    /// Its path.
    pub path: String,
    /// Its content; the fields of an empty configuration when there is no such file.
    pub value: Value,
}

impl Config {
    /// Reads the file that `--kubeconfig`, `KUBECONFIG` or the home directory names.
    pub fn load(sys: &mut dyn Sys, flags: &Parsed) -> Result<Self> {
        let explicit = flags.text("kubeconfig").to_owned();
        let from_env = sys
            .env()
            .get("KUBECONFIG")
            .and_then(|list| list.split(':').find(|path| !path.is_empty()).map(str::to_owned));
        let home = sys.env().get("HOME").cloned().unwrap_or_else(|| "/root".to_owned());
        let path = if !explicit.is_empty() {
            explicit.clone()
        } else {
            from_env.unwrap_or_else(|| format!("{home}/.kube/config"))
        };
        let path = sys.absolute(&path);
        let text = match sys.fs().read_text(&path) {
            Ok(text) => text,
            Err(errno) if !explicit.is_empty() => {
                let why = errno.to_string().to_lowercase();
                return Err(Failure::message(format!("stat {explicit}: {why}")));
            }
            Err(_) => String::new(),
        };
        let value = naru_api::yaml::parse(&text).map_err(|why| {
            let why = crate::generate::yaml_reason(&why.to_string()).to_owned();
            Failure::message(format!("error loading config file \"{path}\": {why}"))
        })?;
        let value = if value.is_object() { value } else { Self::empty() };
        Ok(Config { path, value })
    }

    /// A configuration of nothing.
    pub fn empty() -> Value {
        json!({
            "apiVersion": "v1",
            "clusters": [],
            "contexts": [],
            "current-context": "",
            "kind": "Config",
            "preferences": {},
            "users": [],
        })
    }

    /// Writes the file back; entries stand in it by their names.
    pub fn save(&mut self, sys: &mut dyn Sys) -> Result<()> {
        for list in ["clusters", "contexts", "users"] {
            if let Some(entries) = self.value.get_mut(list).and_then(Value::as_array_mut) {
                entries.sort_by(|a, b| a["name"].as_str().cmp(&b["name"].as_str()));
            }
        }
        let text = crate::printers::yaml::to_yaml(&self.value)?;
        let folder = self.path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let saved =
            sys.fs().mkdir_all(folder).and_then(|()| sys.fs().write(&self.path, text.as_bytes()));
        saved.map_err(|errno| {
            Failure::message(format!("open {}: {}", self.path, errno.to_string().to_lowercase()))
        })
    }

    /// The name of the context that `--context` or the file chooses.
    pub fn context_name<'a>(&'a self, flags: &'a Parsed) -> &'a str {
        match flags.text("context") {
            "" => self.value["current-context"].as_str().unwrap_or_default(),
            name => name,
        }
    }

    /// The entry of this name in `contexts`, `clusters` or `users`: `entry("contexts", "kind")`.
    pub fn entry(&self, list: &str, name: &str) -> Option<&Map<String, Value>> {
        let field = list.strip_suffix('s')?;
        let named = |entry: &&Value| entry["name"].as_str() == Some(name);
        self.value[list].as_array()?.iter().find(named)?[field].as_object()
    }

    /// Puts an entry into `contexts`, `clusters` or `users`, in the place of the one of its name.
    pub fn set_entry(&mut self, list: &str, name: &str, entry: Map<String, Value>) {
        let field = list.trim_end_matches('s');
        if !self.value[list].is_array() {
            self.value[list] = json!([]);
        }
        let Some(entries) = self.value[list].as_array_mut() else { return };
        match entries.iter_mut().find(|entry| entry["name"] == json!(name)) {
            Some(there) => there[field] = Value::Object(entry),
            None => entries.push(json!({ field: entry, "name": name })),
        }
    }

    /// Takes an entry out of `contexts`, `clusters` or `users`.
    pub fn remove_entry(&mut self, list: &str, name: &str) {
        if let Some(entries) = self.value[list].as_array_mut() {
            entries.retain(|entry| entry["name"] != json!(name));
        }
    }

    /// The namespace to work in, and whether the command line names it.
    pub fn namespace(&self, flags: &Parsed) -> Result<(String, bool)> {
        let name = self.context_name(flags);
        let context = self.entry("contexts", name);
        if context.is_none() && !flags.text("context").is_empty() {
            return Err(Failure::Plain(
                format!(
                    "Error in configuration: context was not found for specified context: {name}"
                ),
                1,
            ));
        }
        match flags.text("namespace") {
            "" => {}
            explicit => return Ok((explicit.to_owned(), true)),
        }
        let namespace = context.and_then(|context| context.get("namespace")?.as_str());
        Ok((namespace.filter(|n| !n.is_empty()).unwrap_or("default").to_owned(), false))
    }

    /// `https://127.0.0.1:6443`: the server of the context's cluster.
    pub fn server(&self, flags: &Parsed) -> String {
        self.known_server(flags).unwrap_or(crate::unconfigured::SERVER).to_owned()
    }

    /// The same, where there is one.
    pub fn known_server(&self, flags: &Parsed) -> Option<&str> {
        let cluster = self
            .entry("contexts", self.context_name(flags))
            .and_then(|context| self.entry("clusters", context.get("cluster")?.as_str()?));
        cluster.and_then(|cluster| cluster.get("server")?.as_str())
    }
}
