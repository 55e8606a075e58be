//! From arguments and files to the objects that a command works on.
//!
//! Upstream: `k8s.io/cli-runtime/pkg/resource/builder.go` and `visitor.go`.

use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::flags::Parsed;
use crate::mapper;
use naru_api::gofmt::quote;
use naru_api::request::ListOptions;
use naru_api::{KindRef, Object};
use serde_json::{Map, Value};

/// Files with these names are read from a folder.
const EXTENSIONS: [&str; 3] = ["json", "yaml", "yml"];
/// Files that one command reads.
const FILES_MAX: usize = 10_000;
/// Lists within lists.
const NESTING_MAX: usize = 8;

/// What a command works on.
#[derive(Clone, Debug)]
pub enum Target {
    /// Every object of a kind that selectors choose.
    Selected {
        /// The kind.
        kind: KindRef,
        /// The namespace, or "" for all.
        namespace: String,
        /// Which of them.
        options: ListOptions,
    },
    /// One object, by name.
    Named {
        /// The kind.
        kind: KindRef,
        /// The namespace, or "".
        namespace: String,
        /// The name.
        name: String,
    },
    /// One object that a file describes.
    Manifest(Manifest),
}

/// An object that a file describes.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The kind.
    pub kind: KindRef,
    /// The namespace it goes to, or "".
    pub namespace: String,
    /// Its name; "" when the API server shall make one.
    pub name: String,
    /// The file: `app.yml`, `STDIN`.
    pub source: String,
    /// The object as it is written, with the namespace it goes to.
    pub object: Value,
}

impl Target {
    /// The kind.
    pub fn kind(&self) -> &KindRef {
        match self {
            Target::Selected { kind, .. } | Target::Named { kind, .. } => kind,
            Target::Manifest(manifest) => &manifest.kind,
        }
    }

    /// The file it comes from, or "".
    pub fn source(&self) -> &str {
        match self {
            Target::Manifest(manifest) => &manifest.source,
            _ => "",
        }
    }
}

/// What the arguments and files say, in their order; where one is not understood, why.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// What to work on.
    pub targets: Vec<Result<Target>>,
    /// Whether just one object is meant, so that it is printed without a list around it.
    pub single: bool,
}

impl Selection {
    /// Reads the objects from the API server, in order; a failure does not stop the others.
    pub fn fetch(self, cx: &mut Context<'_>) -> (Vec<Object>, Vec<Failure>) {
        let (mut objects, mut failures) = (Vec::new(), Vec::new());
        for target in self.targets {
            match target.and_then(|target| fetch(cx, &target)) {
                Ok(found) => objects.extend(found),
                Err(failure) => failures.push(failure),
            }
        }
        (objects, failures)
    }

    /// Reads the objects from the API server; the first failure is all there is.
    pub fn fetch_all(self, cx: &mut Context<'_>) -> Result<Vec<Object>> {
        let (objects, failures) = self.fetch(cx);
        Failure::from_many(failures)?;
        Ok(objects)
    }
}

/// Reads what a target means from the API server.
pub fn fetch(cx: &mut Context<'_>, target: &Target) -> Result<Vec<Object>> {
    match target {
        Target::Selected { kind, namespace, options } => {
            Ok(list_enhanced(cx, kind, namespace, options)?.items)
        }
        Target::Named { kind, namespace, name } => Ok(vec![cx.get(kind, namespace, name)?]),
        Target::Manifest(Manifest { kind, namespace, name, .. }) => {
            Ok(vec![cx.get(kind, namespace, name)?])
        }
    }
}

/// Lists; when a selector is refused, names the selector.
///
/// Upstream: `EnhanceListError`.
pub fn list_enhanced(
    cx: &mut Context<'_>,
    kind: &KindRef,
    namespace: &str,
    options: &ListOptions,
) -> Result<naru_api::request::ObjectList> {
    cx.list(kind, namespace, options).map_err(|failure| enhance(failure, kind, options))
}

/// Names the selector that the API server did not accept.
pub fn enhance(failure: Failure, kind: &KindRef, options: &ListOptions) -> Failure {
    let Failure::Api(error) = &failure else { return failure };
    if !matches!(error.reason(), "BadRequest" | "NotFound") {
        return failure;
    }
    let resource = match kind.group.as_ref() {
        "" => format!("/{}, Resource={}", kind.version, kind.plural),
        group => format!("{group}/{}, Resource={}", kind.version, kind.plural),
    };
    let resource = quote(&resource);
    let (labels, fields) = (&options.label_selector, &options.field_selector);
    let query = if labels.is_empty() && fields.is_empty() {
        format!("Unable to list {resource}")
    } else {
        let (labels, fields) = (quote(labels), quote(fields));
        format!(
            "Unable to find {resource} that match label selector {labels}, field selector {fields}"
        )
    };
    let message = format!("{query}: {}", error.message());
    Failure::Api(naru_api::ApiError::new(error.code(), error.reason(), message))
}

/// Where the machine has a copy of what is at a URL, if it has one: there is no internet.
fn copy_of(url: &str) -> Option<String> {
    let place = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    Some(format!("/usr/share/mirror/{place}"))
}

/// Whether the command reads standard input: `-f -`.
pub fn reads_stdin(flags: &Parsed) -> bool {
    flags.list("filename").iter().any(|name| name == "-")
        // Of `set env`: variables to set.
        || flags.has("resolve") && flags.list("env").iter().chain(&flags.args).any(|arg| arg == "-")
}

/// The objects that a text describes, each in its own namespace or that of the context.
pub fn manifests(cx: &mut Context<'_>, source: &str, text: &str) -> Result<Vec<Manifest>> {
    let builder = Builder { namespace: cx.namespace()?.0, ..Builder::default() };
    let (kinds, mut targets) = (cx.kinds()?, Vec::new());
    builder.read_text(&kinds, source, text, &mut targets);
    let manifest = |target: Result<Target>| match target {
        Ok(Target::Manifest(manifest)) => Some(Ok(manifest)),
        Ok(_) => None,
        Err(failure) => Some(Err(failure)),
    };
    targets.into_iter().filter_map(manifest).collect()
}

/// Says what a command works on.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    namespace: String,
    all_namespaces: bool,
    enforce_namespace: bool,
    label_selector: Option<String>,
    field_selector: Option<String>,
    select_all: bool,
    filenames: Vec<String>,
    /// `-k`: the folder of a kustomization.
    kustomize: String,
    recursive: bool,
    types: Vec<String>,
    names: Vec<String>,
    /// TYPE and NAME.
    tuples: Vec<(String, String)>,
    single_type: bool,
    local: bool,
    validate: bool,
    errors: Vec<Failure>,
}

impl Builder {
    /// With the namespace of the command line or the context, and `-f`, `-R`, `-A`, `-l`,
    /// `--field-selector`, `--all` where the command has these flags.
    pub fn new(cx: &mut Context<'_>) -> Result<Self> {
        let (namespace, explicit) = cx.namespace()?;
        let flags = cx.flags();
        let mut builder = Builder {
            namespace,
            enforce_namespace: explicit,
            all_namespaces: flags.is("all-namespaces"),
            recursive: flags.is("recursive"),
            filenames: flags.list("filename").to_vec(),
            ..Builder::default()
        };
        if builder.all_namespaces {
            builder.namespace.clear();
            builder.enforce_namespace = false;
        }
        builder.kustomize = flags.text("kustomize").to_owned();
        Ok(builder.selectors(flags.text("selector"), flags.text("field-selector")))
    }

    /// Only in this namespace.
    pub fn in_namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.to_owned();
        self
    }

    /// Chooses by labels and fields; "" does not choose.
    pub fn selectors(mut self, labels: &str, fields: &str) -> Self {
        let given = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        self.label_selector = given(labels);
        self.field_selector = given(fields);
        self
    }

    /// `--all`: every object of the types.
    pub fn select_all(mut self, all: bool) -> Self {
        if all && (self.label_selector.is_some() || self.field_selector.is_some()) {
            let text = "setting 'all' parameter but found a non empty selector. ";
            self.errors.push(Failure::message(text));
        }
        self.select_all = all;
        self
    }

    /// Only one type may be named.
    pub fn single_type(mut self) -> Self {
        self.single_type = true;
        self
    }

    /// Files are checked for `apiVersion` and `kind` first.
    ///
    /// Upstream: `Schema`, as far as the client checks what the API server checks better.
    pub fn validated(mut self, validate: bool) -> Self {
        self.validate = validate;
        self
    }

    /// `--local`: nothing is asked of the API server.
    pub fn local(mut self, local: bool) -> Self {
        self.local = local;
        self
    }

    /// `TYPE`, `TYPE NAME…`, `TYPE/NAME…`, `TYPE,TYPE`. A type alone means all of it, if
    /// `allow_bare_type`.
    pub fn types_or_names(
        mut self,
        cx: &mut Context<'_>,
        allow_bare_type: bool,
        args: &[String],
    ) -> Result<Self> {
        let args = multiply(args);
        let slashes = args.iter().filter(|arg| arg.contains('/')).count();
        if slashes > 0 {
            if slashes < args.len() {
                self.errors.push(Failure::message(
                    "there is no need to specify a resource type as a separate argument when \
                     passing arguments in resource/name form (e.g. 'kubectl get \
                     resource/<resource_name>' instead of 'kubectl get resource \
                     resource/<resource_name>'",
                ));
            } else {
                self.tuples_of(&args);
            }
            return Ok(self);
        }
        let Some((types, names)) = args.split_first() else { return Ok(self) };
        let types = mapper::expand_categories(&cx.kinds()?, types);
        self.types.extend(split_unique(&types));
        self.names.extend(names.iter().cloned());
        if names.is_empty() && allow_bare_type && self.label_selector.is_none() {
            self.label_selector = Some(String::new());
        }
        Ok(self)
    }

    /// Objects by name, of a type where the name does not say it.
    pub fn named(mut self, default_type: &str, names: &[String]) -> Self {
        for name in names {
            if name.contains('/') {
                self.tuples_of(std::slice::from_ref(name));
            } else if default_type.is_empty() {
                let text = format!("the argument {} must be RESOURCE/NAME", quote(name));
                self.errors.push(Failure::message(text));
            } else {
                self.tuples.push((default_type.to_owned(), name.clone()));
            }
        }
        self
    }

    /// All objects of a type, as selectors choose.
    pub fn of_type(mut self, kind: &str) -> Self {
        self.types.push(kind.to_owned());
        self
    }

    fn tuples_of(&mut self, args: &[String]) {
        for arg in args {
            let parts: Vec<&str> = arg.split('/').collect();
            let text = match parts.as_slice() {
                [kind, name] if !kind.is_empty() && !name.is_empty() && !kind.contains(',') => {
                    self.tuples.push(((*kind).to_owned(), (*name).to_owned()));
                    continue;
                }
                [_, _] => "arguments in resource/name form must have a single resource and name",
                _ => "arguments in resource/name form may not have more than one slash",
            };
            self.errors.push(Failure::message(text));
            return;
        }
    }

    /// Understands it all.
    pub fn build(mut self, cx: &mut Context<'_>) -> Result<Selection> {
        let files = self.files(cx);
        Failure::from_many(std::mem::take(&mut self.errors))?;
        if self.select_all {
            self.label_selector = Some(String::new());
        }
        if !self.filenames.is_empty() || !self.kustomize.is_empty() {
            return self.by_paths(cx, files);
        }
        if self.local {
            return Err(crate::cmd::set_change::needs_file());
        }
        if self.label_selector.is_some() || self.field_selector.is_some() {
            return self.by_selector(cx);
        }
        if !self.tuples.is_empty() {
            return self.by_tuples(cx);
        }
        if !self.names.is_empty() {
            return self.by_names(cx);
        }
        if self.types.is_empty() {
            return Err(Failure::message(
                "You must provide one or more resources by argument or filename.\nExample \
                 resource specifications include:\n   '-f rsrc.yaml'\n   '--filename=rsrc.json'\n   \
                 '<resource> <name>'\n   '<resource>'",
            ));
        }
        self.mappings(cx)?;
        Err(Failure::message("resource(s) were provided, but no name was specified"))
    }

    fn mappings(&self, cx: &mut Context<'_>) -> Result<Vec<KindRef>> {
        if self.types.len() > 1 && self.single_type {
            return Err(Failure::message("you may only specify a single resource type"));
        }
        let kinds = cx.kinds()?;
        let mut found: Vec<KindRef> = Vec::new();
        for name in &self.types {
            let kind = mapper::kind_for(&kinds, name)?;
            if !found.contains(&kind) {
                found.push(kind);
            }
        }
        Ok(found)
    }

    fn by_selector(&self, cx: &mut Context<'_>) -> Result<Selection> {
        let wrong = if !self.names.is_empty() {
            "name cannot be provided when a selector is specified"
        } else if !self.tuples.is_empty() {
            "selectors and the all flag cannot be used when passing resource/name arguments"
        } else if self.types.is_empty() {
            "at least one resource must be specified to use a selector"
        } else {
            ""
        };
        if !wrong.is_empty() {
            return Err(Failure::message(wrong));
        }
        let options = ListOptions {
            label_selector: self.label_selector.clone().unwrap_or_default(),
            field_selector: self.field_selector.clone().unwrap_or_default(),
            ..ListOptions::default()
        };
        let targets = self
            .mappings(cx)?
            .into_iter()
            .map(|kind| {
                let namespace =
                    if kind.namespaced { self.namespace.clone() } else { String::new() };
                Ok(Target::Selected { kind, namespace, options: options.clone() })
            })
            .collect();
        Ok(Selection { targets, single: false })
    }

    fn named_target(&self, kind: KindRef, name: &str) -> Result<Target> {
        let namespace = if kind.namespaced { self.namespace.clone() } else { String::new() };
        if kind.namespaced && namespace.is_empty() {
            return Err(Failure::message(if self.all_namespaces {
                "a resource cannot be retrieved by name across all namespaces"
            } else {
                "namespace may not be empty when retrieving a resource by name"
            }));
        }
        Ok(Target::Named { kind, namespace, name: name.to_owned() })
    }

    fn by_tuples(&self, cx: &mut Context<'_>) -> Result<Selection> {
        if !self.types.is_empty() {
            return Err(Failure::message(
                "you may not specify individual resources and bulk resources in the same call",
            ));
        }
        let kinds = cx.kinds()?;
        let mut targets: Vec<Result<Target>> = Vec::new();
        let mut seen: Option<KindRef> = None;
        for (kind, name) in &self.tuples {
            let kind = mapper::kind_for(&kinds, kind)?;
            if self.single_type && seen.as_ref().is_some_and(|seen| *seen != kind) {
                return Err(Failure::message("you may only specify a single resource type"));
            }
            seen = Some(kind.clone());
            targets.push(Ok(self.named_target(kind, name)?));
        }
        let single = targets.len() == 1;
        Ok(Selection { targets, single })
    }

    fn by_names(&self, cx: &mut Context<'_>) -> Result<Selection> {
        let kind = match self.types.as_slice() {
            [] => {
                let text = "you must provide a resource and a resource name together";
                return Err(Failure::message(text));
            }
            [_] => self.mappings(cx)?.into_iter().next(),
            _ => return Err(Failure::message("you must specify only one resource")),
        };
        let Some(kind) = kind else { return Ok(Selection::default()) };
        let targets = self
            .names
            .iter()
            .map(|name| self.named_target(kind.clone(), name).map(Ok))
            .collect::<Result<Vec<_>>>()?;
        Ok(Selection { single: targets.len() == 1, targets })
    }

    fn by_paths(&self, cx: &mut Context<'_>, files: Vec<String>) -> Result<Selection> {
        let wrong = if !self.types.is_empty() {
            "when paths, URLs, or stdin is provided as input, you may not specify resource \
             arguments as well"
        } else if !self.names.is_empty() {
            "name cannot be provided when a path is specified"
        } else if !self.tuples.is_empty() {
            "resource/name arguments cannot be provided when a path is specified"
        } else {
            ""
        };
        if !wrong.is_empty() {
            return Err(Failure::message(wrong));
        }
        let selector = match &self.label_selector {
            Some(text) => Some(naru_api::labels::Selector::parse(text).map_err(|why| {
                let text = quote(text);
                Failure::message(format!("the provided selector {text} is not valid: {why}"))
            })?),
            None => None,
        };
        let kinds = if self.local { naru_api::scheme::built_in() } else { cx.kinds()? };
        let single = files.len() == 1
            && self.kustomize.is_empty()
            && self.filenames.iter().all(|name| name != "-");
        let mut targets: Vec<Result<Target>> = Vec::new();
        for file in files {
            self.read_file(cx, &kinds, &file, &mut targets);
        }
        if !self.kustomize.is_empty() {
            for object in crate::kustomize::build(cx, &self.kustomize)? {
                self.flatten(&kinds, &self.kustomize, object, 0, &mut targets);
            }
        }
        if let Some(selector) = selector {
            targets.retain(|target| match target {
                Ok(Target::Manifest(manifest)) => {
                    selector.matches(labels_of(&manifest.object).as_ref())
                }
                _ => true,
            });
        }
        Ok(Selection { targets, single })
    }

    /// The files that `-f` means, in order.
    fn files(&mut self, cx: &mut Context<'_>) -> Vec<String> {
        let mut files = Vec::new();
        let mut stdin = false;
        for name in self.filenames.clone() {
            if name == "-" {
                if std::mem::replace(&mut stdin, true) {
                    let text = "standard input cannot be used for multiple arguments";
                    self.errors.push(Failure::message(text));
                }
                files.push(name);
            } else if copy_of(&name).is_some_and(|path| cx.sys.fs().stat(&path).is_ok()) {
                files.push(name);
            } else if copy_of(&name).is_some() {
                self.errors.push(Failure::message(format!(
                    "unable to read URL {}: the sandbox has no internet",
                    quote(&name)
                )));
            } else {
                self.walk(cx, &name, &mut files);
            }
        }
        files
    }

    fn walk(&mut self, cx: &mut Context<'_>, name: &str, files: &mut Vec<String>) {
        let path = cx.sys.absolute(name);
        match cx.sys.fs().stat(&path) {
            Err(naru_shell::Errno::NotFound) => {
                let text = format!("the path {} does not exist", quote(name));
                self.errors.push(Failure::message(text));
            }
            Err(errno) => {
                let why = errno.to_string().to_lowercase();
                let text =
                    format!("the path {} cannot be accessed: stat {name}: {why}", quote(name));
                self.errors.push(Failure::message(text));
            }
            Ok(stat) if !stat.is_dir() => files.push(name.to_owned()),
            Ok(_) => {
                let before = files.len();
                self.walk_folder(cx, name, files, 0);
                if files.len() == before && files.is_empty() {
                    self.errors.push(Failure::message(format!(
                        "error reading [{name}]: recognized file extensions are [.json .yaml .yml]"
                    )));
                }
            }
        }
    }

    fn walk_folder(&self, cx: &mut Context<'_>, name: &str, files: &mut Vec<String>, depth: usize) {
        let path = cx.sys.absolute(name);
        let Ok(mut entries) = cx.sys.fs().list(&path) else { return };
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        for entry in entries {
            if files.len() >= FILES_MAX || depth > NESTING_MAX {
                return;
            }
            let inside = naru_shell::join(name.trim_end_matches('/'), &entry.name);
            let absolute = cx.sys.absolute(&inside);
            if cx.sys.fs().is_dir(&absolute) {
                if self.recursive {
                    self.walk_folder(cx, &inside, files, depth + 1);
                }
            } else if entry.name.rsplit_once('.').is_some_and(|(_, ext)| EXTENSIONS.contains(&ext))
            {
                files.push(inside);
            }
        }
    }

    fn read_file(
        &self,
        cx: &mut Context<'_>,
        kinds: &[KindRef],
        file: &str,
        targets: &mut Vec<Result<Target>>,
    ) {
        let (source, text) = if file == "-" {
            ("STDIN", Ok(String::from_utf8_lossy(cx.stdin).into_owned()))
        } else {
            let path = copy_of(file).unwrap_or_else(|| cx.sys.absolute(file));
            (file, cx.sys.fs().read_text(&path))
        };
        let text = match text {
            Ok(text) => text,
            Err(errno) => {
                let why = errno.to_string().to_lowercase();
                targets.push(Err(Failure::message(format!("open {file}: {why}"))));
                return;
            }
        };
        self.read_text(kinds, source, &text, targets);
    }

    fn read_text(
        &self,
        kinds: &[KindRef],
        source: &str,
        text: &str,
        targets: &mut Vec<Result<Target>>,
    ) {
        for document in documents(text) {
            let object = match document {
                Ok(Value::Null) => continue,
                Ok(object) => object,
                Err(why) => {
                    let text = format!("error parsing {source}: {why}");
                    targets.push(Err(Failure::message(text)));
                    return;
                }
            };
            if self.validate
                && let Err(why) = check_kind(&object)
            {
                targets.push(Err(Failure::message(format!(
                    "error validating {}: error validating data: {why}; if you choose to ignore \
                     these errors, turn validation off with --validate=false",
                    quote(source)
                ))));
                return;
            }
            self.flatten(kinds, source, object, 0, targets);
        }
    }

    /// Takes lists apart.
    fn flatten(
        &self,
        kinds: &[KindRef],
        source: &str,
        object: Value,
        depth: usize,
        targets: &mut Vec<Result<Target>>,
    ) {
        let is_list = object["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
        match object {
            Value::Object(mut fields)
                if is_list && depth < NESTING_MAX && fields.contains_key("items") =>
            {
                let items = match fields.remove("items") {
                    Some(Value::Array(items)) => items,
                    _ => Vec::new(),
                };
                for item in items {
                    self.flatten(kinds, source, item, depth + 1, targets);
                }
            }
            object => targets.push(self.manifest(kinds, source, object, depth > 0)),
        }
    }

    fn manifest(
        &self,
        kinds: &[KindRef],
        source: &str,
        mut object: Value,
        in_list: bool,
    ) -> Result<Target> {
        check_decodable(&object).map_err(|why| {
            Failure::message(format!("unable to decode {}: {why}", quote(source)))
        })?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let name = text(&object["metadata"]["name"]);
        let mut namespace = text(&object["metadata"]["namespace"]);
        let (api_version, kind_name) = (text(&object["apiVersion"]), text(&object["kind"]));
        let kind = naru_api::scheme::by_kind(kinds, &api_version, &kind_name).ok_or_else(|| {
            let missing = format!(
                "no matches for kind {} in version {}",
                quote(&kind_name),
                quote(&api_version)
            );
            if in_list {
                return Failure::Plain(format!("unable to recognize {missing}"), 1);
            }
            Failure::message(format!(
                "resource mapping not found for name: {} namespace: {} from {}: {missing}\n\
                 ensure CRDs are installed first",
                quote(&name),
                quote(&namespace),
                quote(source)
            ))
        })?;
        if self.local {
            // As upstream: without the API server nothing says that the kind has a namespace.
        } else if !kind.namespaced {
            namespace.clear();
        } else if namespace.is_empty() {
            namespace.clone_from(&self.namespace);
        } else if self.enforce_namespace && namespace != self.namespace {
            return Err(Failure::message(format!(
                "the namespace from the provided object {} does not match the namespace {}. You \
                 must pass '--namespace={namespace}' to perform this operation.",
                quote(&namespace),
                quote(&self.namespace)
            )));
        }
        if !self.local {
            set_namespace(&mut object, &namespace);
        }
        let source = source.to_owned();
        Ok(Target::Manifest(Manifest { kind, namespace, name, source, object }))
    }
}

fn set_namespace(object: &mut Value, namespace: &str) {
    let Some(fields) = object.as_object_mut() else { return };
    let metadata = fields.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
    if metadata.is_null() {
        *metadata = Value::Object(Map::new());
    }
    let Some(metadata) = metadata.as_object_mut() else { return };
    if namespace.is_empty() {
        metadata.remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), Value::from(namespace));
    }
}

fn labels_of(object: &Value) -> Option<std::collections::BTreeMap<String, String>> {
    let labels = object["metadata"]["labels"].as_object()?;
    Some(
        labels
            .iter()
            .map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
            .collect(),
    )
}

/// Upstream: `getObjectKind` in `k8s.io/kubectl/pkg/validation/validation.go`.
pub fn check_kind(object: &Value) -> std::result::Result<(), String> {
    let Some(fields) = object.as_object() else {
        return Err("invalid object to validate".to_owned());
    };
    let mut wrong = Vec::new();
    for field in ["apiVersion", "kind"] {
        match fields.get(field) {
            None | Some(Value::Null) => wrong.push(format!("{field} not set")),
            Some(Value::String(_)) => {}
            Some(_) => wrong.push(format!("{field} isn't string type")),
        }
    }
    match wrong.as_slice() {
        [] => Ok(()),
        [one] => Err(one.clone()),
        several => Err(format!("[{}]", several.join(", "))),
    }
}

/// Upstream: `unstructuredJSONScheme` in `k8s.io/apimachinery`.
fn check_decodable(object: &Value) -> std::result::Result<(), String> {
    let shown = || serde_json::to_string(object).unwrap_or_default();
    if !object.is_object() {
        return Err(format!(
            "json: cannot unmarshal {} into Go value of type struct {{ Metadata struct {{ \
             Annotations map[string]string; Labels map[string]string }} }}",
            json_type(object)
        ));
    }
    if object["kind"].as_str().is_none_or(str::is_empty) {
        return Err(format!("Object 'Kind' is missing in '{}'", shown()));
    }
    if object["apiVersion"].as_str().is_none_or(str::is_empty) {
        return Err(format!("Object 'apiVersion' is missing in '{}'", shown()));
    }
    Ok(())
}

fn json_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `a,b c d` means `a/c a/d b/c b/d`.
fn multiply(args: &[String]) -> Vec<String> {
    if let Some((types, names)) = args.split_first()
        && !names.is_empty()
    {
        let types = split_unique(types);
        if types.len() > 1 {
            let pair = |kind: &String| -> Vec<String> {
                names.iter().map(|name| format!("{kind}/{name}")).collect()
            };
            return types.iter().flat_map(pair).collect();
        }
    }
    args.to_vec()
}

fn split_unique(list: &str) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for part in list.split(',') {
        if !out.iter().any(|known| known == part) {
            out.push(part.to_owned());
        }
    }
    out
}

/// The documents of a file, which is JSON when it begins with a brace.
///
/// Upstream: `yaml.NewYAMLOrJSONDecoder`.
fn documents(text: &str) -> Vec<std::result::Result<Value, String>> {
    if !text.trim_start().starts_with('{') {
        let document = |document: std::result::Result<Value, _>| document.map_err(to_text);
        return naru_api::yaml::documents(text).into_iter().map(document).collect();
    }
    let mut documents = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let document = document.map_err(|error| match error.is_eof() {
            true => "unexpected EOF".to_owned(),
            false => {
                naru_api::json::parse(text.as_bytes()).map_or_else(to_text, |_| error.to_string())
            }
        });
        let is_last = document.is_err();
        documents.push(document);
        if is_last {
            break;
        }
    }
    documents
}

fn to_text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
