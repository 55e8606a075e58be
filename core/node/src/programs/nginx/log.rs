//! nginx's logs: to the container's output, as the image's links have it, unless something is mounted
//! over them.

use super::conf::{AccessLog, Actions, Config};
use super::variables::Scope;
use naru_shell::Sys;

const FOLDER: &str = "/var/log/nginx";

/// Whether the image's links are hidden by a volume.
fn hidden(sys: &mut dyn Sys) -> bool {
    sys.fs().mounts().any(|(path, _)| path == FOLDER || path == "/var/log")
}

/// A line of the error log.
pub fn error(sys: &mut dyn Sys, line: &str) {
    if hidden(sys) {
        let path = format!("{FOLDER}/error.log");
        // What cannot be written is lost.
        let _ = sys.fs().append(&path, line.as_bytes());
        return;
    }
    let _ = sys.write(2, line.as_bytes());
}

/// A line of the access log.
pub fn access(sys: &mut dyn Sys, config: &Config, actions: &Actions, scope: &Scope) {
    let (file, format) = match &actions.access_log {
        Some(AccessLog::Off) => return,
        Some(AccessLog::To(file, format)) => (scope.fill(file), format.as_str()),
        None => (format!("{FOLDER}/access.log"), "combined"),
    };
    let format = config.formats.get(format).map_or("", String::as_str);
    // Where there is nothing to say, a log has a dash.
    let mut dashed = scope.clone();
    for name in super::variables::names(format) {
        let value = scope.fill(&format!("${{{name}}}"));
        if value.is_empty() {
            dashed.maps.retain(|map| map.name != name);
            dashed.set(&name, "-");
        }
    }
    let line = dashed.fill(format) + "\n";
    let to_output = file == "/dev/stdout" || file.starts_with("/proc/self/fd/1");
    let by_link = file.starts_with(FOLDER) && file.ends_with("/access.log") && !hidden(sys);
    match file.as_str() {
        "/dev/null" => {}
        "/dev/stderr" => drop(sys.write(2, line.as_bytes())),
        _ if to_output || by_link => drop(sys.write(1, line.as_bytes())),
        path => drop(sys.fs().append(path, line.as_bytes())),
    }
}
