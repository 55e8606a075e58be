//! `helm repo`, `helm search`, `helm show`, and where a chart comes from.

use super::charts::{self, Chart};
use super::table::table;
use super::{Done, error};
use crate::batch::Output;
use crate::flags::Flags;
use naru_api::yaml;
use naru_shell::Sys;
use serde_json::{Value, json};

fn path(sys: &mut dyn Sys) -> String {
    let home = sys.env().get("HOME").cloned().unwrap_or_else(|| "/root".to_owned());
    format!("{home}/.config/helm/repositories.yaml")
}

/// Names and addresses.
fn load(sys: &mut dyn Sys) -> Vec<(String, String)> {
    let path = path(sys);
    let read = sys.fs().read_text(&path).ok().and_then(|text| yaml::parse(&text).ok());
    let read = read.unwrap_or_default();
    let entries = read["repositories"].as_array().into_iter().flatten();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    entries.map(|entry| (text(entry, "name"), text(entry, "url"))).collect()
}

fn store(sys: &mut dyn Sys, all: &[(String, String)]) -> Result<(), Output> {
    let path = path(sys);
    let entries: Vec<Value> =
        all.iter().map(|(name, url)| json!({"name": name, "url": url})).collect();
    let text = yaml::print(&json!({"apiVersion": "", "repositories": entries}));
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
    let written = sys.fs().mkdir_all(&folder).and_then(|()| sys.fs().write(&path, text.as_bytes()));
    written.map_err(|errno| error(format!("open {path}: {errno}")))
}

/// `helm repo add|list|update|remove`
pub fn run(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let words: Vec<&str> = flags.words.iter().skip(1).map(String::as_str).collect();
    match words.as_slice() {
        ["add", name, url] => add(sys, name, url, flags.is_on("force-update")),
        ["add", ..] => Err(error(
            "\"helm repo add\" requires 2 arguments\n\nUsage:  helm repo add [NAME] [URL] [flags]",
        )),
        ["list" | "ls"] => list(sys),
        ["update" | "up", names @ ..] => update(sys, names),
        ["remove" | "rm", names @ ..] if !names.is_empty() => remove(sys, names),
        _ => {
            let mut output = Output::default();
            output.line(
                "This command consists of multiple subcommands to interact with chart \
                 repositories.\n\nUsage:\n  helm repo [command]\n\nAvailable Commands:\n  \
                 add         add a chart repository\n  list        list chart repositories\n  \
                 remove      remove one or more chart repositories\n  \
                 update      update information of available charts locally from chart repositories",
            );
            Ok(output)
        }
    }
}

fn add(sys: &mut dyn Sys, name: &str, url: &str, force: bool) -> Done {
    let mut all = load(sys);
    let mut output = Output::default();
    if let Some((_, old)) = all.iter().find(|(own, _)| own == name)
        && !force
    {
        if old != url {
            return Err(error(format!(
                "repository name ({name}) already exists, please specify a different name"
            )));
        }
        output.line(format!("\"{name}\" already exists with the same configuration, skipping"));
        return Ok(output);
    }
    if charts::of_repository(url).is_none() {
        let host = url.split("://").last().unwrap_or(url).split('/').next().unwrap_or_default();
        return Err(error(format!(
            "looks like \"{url}\" is not a valid chart repository or cannot be reached: Get \
             \"{}/index.yaml\": dial tcp: lookup {host}: no such host",
            url.trim_end_matches('/')
        )));
    }
    all.retain(|(own, _)| own != name);
    all.push((name.to_owned(), url.to_owned()));
    store(sys, &all)?;
    output.line(format!("\"{name}\" has been added to your repositories"));
    Ok(output)
}

fn list(sys: &mut dyn Sys) -> Done {
    let all = load(sys);
    if all.is_empty() {
        return Err(error("no repositories to show"));
    }
    let mut rows = vec![["NAME".to_owned(), "URL".to_owned()]];
    rows.extend(all.into_iter().map(|(name, url)| [name, url]));
    let mut output = Output::default();
    output.put(table(&rows));
    Ok(output)
}

fn update(sys: &mut dyn Sys, names: &[&str]) -> Done {
    let all = load(sys);
    if all.is_empty() {
        return Err(error("no repositories found. You must add one before updating"));
    }
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|(own, _)| own == *name)) {
        return Err(error(format!(
            "no repositories found matching '{unknown}'.  Nothing will be updated"
        )));
    }
    let mut output = Output::default();
    output.line("Hang tight while we grab the latest from your chart repositories...");
    for (name, _) in all.iter().filter(|(own, _)| names.is_empty() || names.contains(&own.as_str()))
    {
        output.line(format!("...Successfully got an update from the \"{name}\" chart repository"));
    }
    output.line("Update Complete. ⎈Happy Helming!⎈");
    Ok(output)
}

fn remove(sys: &mut dyn Sys, names: &[&str]) -> Done {
    let mut all = load(sys);
    let mut output = Output::default();
    if all.is_empty() {
        return Err(error("no repositories configured"));
    }
    for name in names {
        if !all.iter().any(|(own, _)| own == name) {
            return Err(error(format!("no repo named \"{name}\" found")));
        }
        all.retain(|(own, _)| own != name);
        output.line(format!("\"{name}\" has been removed from your repositories"));
    }
    store(sys, &all)?;
    Ok(output)
}

/// `helm search repo [WORD]`
pub fn search(sys: &mut dyn Sys, flags: &Flags) -> Done {
    if flags.words.get(1).map(String::as_str) != Some("repo") {
        return Err(error("this sandbox has no Artifact Hub: use helm search repo"));
    }
    let all = load(sys);
    if all.is_empty() {
        return Err(error("no repositories configured"));
    }
    let word = flags.words.get(2).map(|word| word.to_lowercase()).unwrap_or_default();
    let names = ["NAME", "CHART VERSION", "APP VERSION", "DESCRIPTION"];
    let mut rows = vec![names.map(str::to_owned)];
    for (repository, url) in &all {
        for chart in charts::of_repository(url).unwrap_or_default() {
            let name = format!("{repository}/{}", chart.name());
            let field = |key: &str| chart.metadata[key].as_str().unwrap_or_default().to_owned();
            let description = field("description");
            if name.contains(&word) || description.to_lowercase().contains(&word) {
                rows.push([name, field("version"), field("appVersion"), description]);
            }
        }
    }
    let mut output = Output::default();
    match rows.len() {
        1 => output.line("No results found"),
        _ => output.put(table(&rows)),
    }
    Ok(output)
}

/// The chart of this name: `REPOSITORY/CHART`, or a folder.
pub fn find(sys: &mut dyn Sys, name: &str, version: Option<&str>) -> Result<Chart, String> {
    if let Some(chart) = charts::of_folder(sys, name) {
        return chart;
    }
    let Some((repository, wanted)) = name.split_once('/').filter(|_| !name.starts_with(['.', '/']))
    else {
        return Err(match name.starts_with(['.', '/']) {
            true => format!("path {name:?} not found"),
            false => {
                "non-absolute URLs should be in form of repo_name/path_to_chart, got: ".to_owned()
                    + name
            }
        });
    };
    let all = load(sys);
    let Some((_, url)) = all.iter().find(|(own, _)| own == repository) else {
        return Err(format!("repo {repository} not found"));
    };
    let charts = charts::of_repository(url).unwrap_or_default();
    let found = charts.into_iter().find(|chart| {
        chart.name() == wanted
            && version.is_none_or(|version| {
                chart.version() == version || super::functions::satisfies(version, chart.version())
            })
    });
    found.ok_or_else(|| {
        format!(
            "chart {wanted:?} matching {} not found in {repository} index. (try 'helm repo \
             update'): no chart name found",
            version.unwrap_or_default()
        )
    })
}

/// `helm show values|chart|all CHART`
pub fn show(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let [_, what, name] = flags.words.as_slice() else {
        return Err(error("\"helm show\" requires a subcommand and a chart"));
    };
    let chart = find(sys, name, flags.value("version")).map_err(error)?;
    let mut output = Output::default();
    match what.as_str() {
        "values" => output.line(&chart.values_text),
        "chart" => output.line(&chart.metadata_text),
        "all" => output.line(format!("{}\n---\n{}", chart.metadata_text, chart.values_text)),
        what => return Err(error(format!("unknown command {what:?} for \"helm show\""))),
    }
    Ok(output)
}

/// `helm create NAME`
pub fn create(sys: &mut dyn Sys, flags: &Flags) -> Done {
    let [_, path] = flags.words.as_slice() else {
        return Err(error(
            "\"helm create\" requires 1 argument\n\nUsage:  helm create NAME [flags]",
        ));
    };
    let name = path.rsplit('/').next().unwrap_or(path).to_owned();
    let root = sys.absolute(path);
    let mut output = Output::default();
    for (file, text) in charts::scaffold(&name) {
        let file = format!("{root}/{file}");
        let folder = file.rsplit_once('/').map_or("/", |(folder, _)| folder).to_owned();
        let written =
            sys.fs().mkdir_all(&folder).and_then(|()| sys.fs().write(&file, text.as_bytes()));
        written.map_err(|errno| error(format!("{file}: {errno}")))?;
    }
    output.line(format!("Creating {path}"));
    Ok(output)
}
