//! `node`, `python` and `go`: languages that the sandbox does not run. An image's source file says
//! in a comment, the `naru` block, what its program does; any other source is refused with words.
//! A compiled server, the program `web`, has the same description in a file beside it.

use super::files_server::FilesServer;
use super::packages::PackageManager;
use super::web::{Web, WebConfig};
use naru_shell::{Errno, Program, Step, Sys};

/// Looks for what the source does, and then does it.
#[derive(Clone, Debug, Default)]
pub struct Interpreter {
    application: Option<Web>,
    /// `python -m http.server`
    files: Option<FilesServer>,
    /// `python -m pip`
    pip: Option<PackageManager>,
}

impl Program for Interpreter {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(application) = &mut self.application {
            return application.resume(sys);
        }
        if let Some(files) = &mut self.files {
            return files.resume(sys);
        }
        if let Some(text) = version(sys) {
            let _ = sys.write(1, text.as_bytes());
            return Step::Exit(0);
        }
        if let [_, flag, module, ..] = sys.args()
            && flag == "-m"
            && module == "pip"
        {
            let args = sys.args().get(2..).unwrap_or_default().to_vec();
            return self.pip.get_or_insert_with(|| PackageManager::of(args)).resume(sys);
        }
        if let [_, flag, module, rest @ ..] = sys.args()
            && flag == "-m"
            && (module == "http.server" || module == "SimpleHTTPServer")
        {
            let rest = rest.to_vec();
            return match FilesServer::python(&rest, sys.cwd()) {
                Ok(server) => self.files.insert(server).resume(sys),
                Err(why) => {
                    let _ = sys.write(2, why.as_bytes());
                    Step::Exit(2)
                }
            };
        }
        match load(sys) {
            Ok(config) => self.application.insert(Web::new(config)).resume(sys),
            Err((message, code)) => {
                let _ = sys.write(2, format!("{message}\n").as_bytes());
                Step::Exit(code)
            }
        }
    }
}

/// A compiled server: what `/hello-app` does stands in `/hello-app.yaml`.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    application: Option<Web>,
}

impl Program for Compiled {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        if let Some(application) = &mut self.application {
            return application.resume(sys);
        }
        let name = sys.args().first().cloned().unwrap_or_default();
        let path = sys.absolute(&format!("{name}.yaml"));
        let config = sys.fs().read_text(&path).map_err(|errno| errno.to_string());
        let config = config.and_then(|text| {
            serde_yaml::from_str::<WebConfig>(&text).map_err(|error| error.to_string())
        });
        match config {
            Ok(config) => self.application.insert(Web::new(config)).resume(sys),
            Err(why) => {
                let _ = sys.write(2, format!("{name}: {path}: {why}\n").as_bytes());
                Step::Exit(1)
            }
        }
    }
}

/// What `--version` says; `None` where it is not asked.
fn version(sys: &mut dyn Sys) -> Option<String> {
    let args = sys.args().to_vec();
    let language = args.first().and_then(|name| name.rsplit('/').next()).unwrap_or_default();
    let asks =
        args.get(1).is_some_and(|arg| ["--version", "-V", "-v", "version"].contains(&arg.as_str()));
    let mut own = |name: &str| sys.env().get(name).cloned().unwrap_or_default();
    match language {
        _ if !asks || args.len() != 2 => None,
        name if name.starts_with("python") => Some(format!("Python {}\n", own("PYTHON_VERSION"))),
        "node" => Some(format!("v{}\n", own("NODE_VERSION"))),
        "go" => Some(format!("go version go{} linux/amd64\n", own("GOLANG_VERSION"))),
        _ => None,
    }
}

/// What the script named by the arguments does; else a message and an exit code.
fn load(sys: &mut dyn Sys) -> Result<WebConfig, (String, i32)> {
    let args = sys.args().to_vec();
    let language = args.first().map_or("node", |name| name.rsplit('/').next().unwrap_or(name));
    let script = match args.get(1).map(String::as_str) {
        Some("run") if language == "go" => args.get(2),
        _ => args.get(1),
    };
    let Some(script) = script else {
        return Err((format!("{language}: the sandbox has no interactive {language}"), 1));
    };
    let path = sys.absolute(script);
    let text = sys.fs().read_text(&path).map_err(|errno| missing(language, &path, errno))?;
    let Some(block) = naru_block(&text) else {
        let why = format!(
            "{language}: the sandbox does not run {path}: it holds no `naru` block that says what \
             the program does"
        );
        return Err((why, 1));
    };
    serde_yaml::from_str(block)
        .map_err(|error| (format!("{language}: {path}: the naru block: {error}"), 1))
}

fn missing(language: &str, path: &str, errno: Errno) -> (String, i32) {
    match (language, errno) {
        ("node", Errno::NotFound) => {
            let stack = "node:internal/modules/cjs/loader:1404\n  throw err;\n  ^\n";
            (format!("{stack}\nError: Cannot find module '{path}'"), 1)
        }
        ("go", _) => (format!("stat {path}: {}", errno.to_string().to_lowercase()), 1),
        _ => (format!("{language}: can't open file '{path}': {errno}"), 2),
    }
}

/// The lines between `naru` after the start of a block comment and that comment's end.
pub fn naru_block(source: &str) -> Option<&str> {
    let ends = [("/* naru\n", "*/"), ("\"\"\" naru\n", "\"\"\"")];
    ends.iter().find_map(|(start, end)| {
        let (_, rest) = source.split_once(start)?;
        rest.split_once(end).map(|(block, _)| block)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ImageRef;
    use crate::images::Image;

    #[test]
    fn the_block_is_what_the_comment_holds() {
        assert_eq!(naru_block("// a\n/* naru\nlisten: 1\n*/\n"), Some("listen: 1\n"));
        assert_eq!(naru_block("\"\"\" naru\nlisten: 2\n\"\"\""), Some("listen: 2\n"));
        assert_eq!(naru_block("console.log(1) /* naru"), None);
    }

    #[test]
    fn every_compiled_server_is_described() {
        for image in Image::all() {
            let fs = image.fs();
            for path in image.executables("web") {
                let text = fs.read_text(&format!("{path}.yaml")).unwrap();
                let config: WebConfig = serde_yaml::from_str(&text).unwrap();
                assert!(config.listen > 0, "{path} of {}", image.repository);
            }
        }
    }

    #[test]
    fn the_catalogues_sources_are_understood() {
        let table = [
            ("kim0lil/80700:v-1.0.0", "/app.js", 8080),
            ("kim0lil/80700:v-1.0.1", "/app.py", 8090),
            ("kim0lil/80700:v-2.0.0", "/app.js", 8080),
            ("luksa/kubia", "/app.js", 8080),
            ("luksa/kubia:v3", "/app.js", 8080),
            ("luksa/kubia-unhealthy", "/app.js", 8080),
            ("gihyodocker/echo", "/echo/main.go", 8080),
        ];
        for (name, path, port) in table {
            let image = Image::find(&ImageRef::parse(name).unwrap()).unwrap();
            let source = image.fs().read_text(path).unwrap();
            let config: WebConfig = serde_yaml::from_str(naru_block(&source).unwrap()).unwrap();
            assert_eq!(config.listen, port, "{name}");
        }
    }
}
