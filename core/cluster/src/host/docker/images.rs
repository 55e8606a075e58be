//! Images: `docker images`, `pull`, `push`, `tag`, `rmi`, `history`, `login`.

use super::super::{Ask, err, out, table};
use super::{familiar, flags, later, needs, refused, short, tabled};
use crate::Cluster;
use naru_node::{Image, ImageRef, RegistryError};
use naru_shell::{Answer, Next};
use naru_tools::flags::Known;
use std::time::Duration;

/// Bytes a second of the learner's line, and of an image's layers once they are unpacked, for each
/// byte that was sent.
const BYTES_PER_MICRO: u64 = 40;
const UNPACKED: f64 = 2.65;

/// The name with its tag, as `docker run` says it: `busybox:latest`.
pub fn whole(image: &str) -> String {
    ImageRef::parse(image)
        .map_or_else(|_| image.to_owned(), |it| familiar(&it.to_string()).to_owned())
}

/// Gets an image from its registry, in two questions. The error is the daemon's.
pub fn fetch(cluster: &mut Cluster, ask: &Ask<'_>, image: &str) -> Result<Answer, String> {
    let name = ImageRef::parse(image).map_err(|why| match image.contains(char::is_uppercase) {
        true => "invalid reference format: repository name must be lowercase".to_owned(),
        false => why,
    })?;
    let known = cluster.docker().user.is_some();
    let found = cluster.disks.registry.find(&name, known);
    let found = found.map_err(|why| not_found(&name, &why))?;
    let missing: Vec<_> =
        found.layers.iter().filter(|layer| !cluster.docker().has_layer(&layer.digest)).collect();
    let path = &name.path;
    if ask.state.is_empty() {
        let bytes: u64 = missing.iter().map(|layer| layer.bytes).sum();
        let time = Duration::from_micros(bytes / BYTES_PER_MICRO) + Duration::from_millis(1_400);
        let stdout = format!("{}: Pulling from {path}\n", name.tag);
        return Ok(later(out(stdout), time, "pulled"));
    }
    let mut stdout = String::new();
    for layer in &found.layers {
        let word = if missing.contains(&layer) { "Pull complete " } else { "Already exists " };
        stdout.push_str(&format!("{}: {word}\n", short(&layer.digest)));
    }
    stdout.push_str(&format!(
        "Digest: {}\nStatus: Downloaded newer image for {}\n",
        found.digest,
        whole(image)
    ));
    let now = cluster.now();
    cluster.docker().add_image(&name, found, now)?;
    Ok(out(stdout))
}

fn not_found(name: &ImageRef, why: &RegistryError) -> String {
    let said = familiar(&name.repository()).to_owned();
    match why {
        RegistryError::NoRepository => format!(
            "pull access denied for {said}, repository does not exist or may require 'docker \
             login': denied: requested access to the resource is denied"
        ),
        RegistryError::NoTag => format!(
            "manifest for {said}:{} not found: manifest unknown: manifest unknown",
            name.tag
        ),
        RegistryError::NoRegistry => {
            format!("Get \"https://{0}/v2/\": dial tcp: lookup {0}: no such host", name.registry)
        }
    }
}

/// `docker pull`
pub fn pull(cluster: &mut Cluster, ask: &Ask<'_>, args: &[String]) -> Answer {
    let known: [Known; 3] =
        [("quiet", "q", false), ("all-tags", "a", false), ("platform", "", true)];
    let flags = match flags("pull", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [image] = flags.words.as_slice() else {
        return needs("pull", "1 argument", "[OPTIONS] NAME[:TAG|@DIGEST]");
    };
    let first = ask.state.is_empty();
    let name = ImageRef::parse(image).ok();
    let untagged = !image.rsplit('/').next().unwrap_or_default().contains([':', '@']);
    let default = if untagged && first { "Using default tag: latest\n" } else { "" };
    if let (true, Some((here, found))) = (first, cluster.docker().image(image))
        && name.as_ref().is_some_and(|name| name.to_string() == here)
    {
        let name = name.map(|name| (name.tag.clone(), name.path.clone())).unwrap_or_default();
        return out(format!(
            "{default}{}: Pulling from {}\nDigest: {}\nStatus: Image is up to date for {}\n{here}\n",
            name.0,
            name.1,
            found.digest,
            whole(image)
        ));
    }
    match fetch(cluster, ask, image) {
        Ok(answer) => {
            let last = match (&answer.next, &name) {
                (None, Some(name)) => format!("{name}\n"),
                _ => String::new(),
            };
            Answer { stdout: format!("{default}{}{last}", answer.stdout), ..answer }
        }
        Err(why) => Answer { stdout: default.to_owned(), ..refused(&why) },
    }
}

/// `docker push`
pub fn push(cluster: &mut Cluster, ask: &Ask<'_>, args: &[String]) -> Answer {
    let known: [Known; 2] = [("quiet", "q", false), ("all-tags", "a", false)];
    let flags = match flags("push", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [image] = flags.words.as_slice() else {
        return needs("push", "1 argument", "[OPTIONS] NAME[:TAG]");
    };
    let Ok(name) = ImageRef::parse(image) else { return refused("invalid reference format") };
    let refers = format!("The push refers to repository [{}]\n", name.repository());
    let untagged = !image.rsplit('/').next().unwrap_or_default().contains(':');
    let default = if untagged { "Using default tag: latest\n" } else { "" };
    let quiet = flags.is_on("quiet");
    let stdout = if quiet { String::new() } else { format!("{default}{refers}") };
    let Some((_, found)) = cluster.docker().image(&name.to_string()) else {
        let said = familiar(&name.repository()).to_owned();
        let stderr = format!("An image does not exist locally with the tag: {said}\n");
        return Answer { stdout, stderr, code: 1, ..Answer::default() };
    };
    if ask.state.is_empty() {
        let registry = &cluster.disks.registry;
        let is_new = |digest: &str| registry.repository_with(&name, &found, digest).is_none();
        let sent = found.layers.iter().filter(|layer| is_new(&layer.digest));
        let bytes: u64 = sent.map(|layer| layer.bytes).sum();
        let time = Duration::from_micros(bytes / BYTES_PER_MICRO) + Duration::from_millis(1_800);
        return later(out(stdout), time, "pushed");
    }
    let owner = name.path.split('/').next().unwrap_or_default();
    let user = cluster.docker().user.clone();
    if name.registry == "docker.io" && user.as_deref() != Some(owner) {
        return err("denied: requested access to the resource is denied\n".to_owned());
    }
    let mut lines = String::new();
    for layer in found.layers.iter().rev() {
        let registry = &cluster.disks.registry;
        let word = match registry.repository_with(&name, &found, &layer.digest) {
            Some(path) if path == name.path => "Layer already exists".to_owned(),
            Some(path) => format!("Mounted from {path}"),
            None => "Pushed".to_owned(),
        };
        lines.push_str(&format!("{}: {word} \n", short(&layer.digest)));
    }
    let size = 500 + found.layers.len() * 209;
    lines.push_str(&format!("{}: digest: {} size: {size}\n", name.tag, found.digest));
    let image = Image::clone(&found).finished(&name);
    match cluster.disks.registry.push(&name, std::sync::Arc::new(image)) {
        Ok(()) if quiet => out(format!("{name}\n")),
        Ok(()) => out(lines),
        Err(why) => err(format!("{why}\n")),
    }
}

/// `docker login`, with flags or with questions. The sandbox's registries believe everybody.
pub fn login(cluster: &mut Cluster, ask: &Ask<'_>, args: &[String]) -> Answer {
    let known: [Known; 3] =
        [("username", "u", true), ("password", "p", true), ("password-stdin", "", false)];
    let flags = match flags("login", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let asks = |prompt: &str, state: String| {
        let next = Next { state, reads: true, ..Next::default() };
        Answer { next: Some(next), ..out(prompt.to_owned()) }
    };
    let input = ask.input.trim();
    let user = match (ask.state, flags.value("username")) {
        ("", Some(user)) => user.to_owned(),
        ("", None) => return asks("Username: ", "user".to_owned()),
        ("user", _) => input.to_owned(),
        (state, _) => state.trim_start_matches("password ").to_owned(),
    };
    let password = match ask.state.starts_with("password ") {
        true => Some(input),
        false => flags.value("password"),
    };
    match password {
        None if flags.is_on("password-stdin") => asks("", format!("password {user}")),
        None => asks("Password: ", format!("password {user}")),
        Some("") => err("Error: Password Required\n".to_owned()),
        Some(_) => {
            cluster.docker().user = Some(user);
            let warns = flags.value("password").is_some();
            let warning =
                "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n";
            let stderr = if warns { warning.to_owned() } else { String::new() };
            Answer { stderr, ..out("Login Succeeded\n".to_owned()) }
        }
    }
}

/// `docker tag`
pub fn tag(cluster: &mut Cluster, args: &[String]) -> Answer {
    let [source, target] = args else {
        return needs("tag", "2 arguments", "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]");
    };
    let Some((_, image)) = cluster.docker().image(source) else {
        return refused(&format!("No such image: {}", whole(source)));
    };
    let name = match ImageRef::parse(target) {
        Ok(name) => name,
        Err(_) => {
            return err(format!(
                "Error parsing reference: \"{target}\" is not a valid repository/tag: invalid \
                 reference format\n"
            ));
        }
    };
    let at = cluster.docker().images().find(|(_, it, _)| it.config_digest == image.config_digest);
    let at = at.map(|(_, _, at)| at);
    let now = cluster.now();
    match cluster.docker().add_image(&name, image, at.unwrap_or(now)) {
        Ok(()) => Answer::default(),
        Err(why) => refused(&why),
    }
}

/// `docker images`
pub fn list(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 4] = [
        ("quiet", "q", false),
        ("all", "a", false),
        ("no-trunc", "", false),
        ("digests", "", false),
    ];
    let flags = match flags("images", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let now = cluster.now();
    let wanted = flags.words.first().and_then(|name| ImageRef::parse(name).ok());
    let mut images: Vec<_> = cluster
        .docker()
        .images()
        .filter(|(name, ..)| {
            let of = |it: &ImageRef| name.starts_with(&format!("{}:", it.repository()));
            wanted.as_ref().is_none_or(of)
        })
        .map(|(name, image, at)| (name.to_owned(), image.clone(), at))
        .collect();
    // The newest first; then by name.
    images.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    if flags.is_on("quiet") {
        return out(images
            .iter()
            .map(|(_, it, _)| format!("{}\n", short(&it.config_digest)))
            .collect());
    }
    let mut rows = vec![["REPOSITORY", "TAG", "IMAGE ID", "CREATED", "SIZE"].map(str::to_owned)];
    for (name, image, at) in images {
        let (repository, tag) = name.rsplit_once(':').unwrap_or((&name, "<none>"));
        let created = made(&image, now.since(at));
        let number = if flags.is_on("no-trunc") {
            image.config_digest.clone()
        } else {
            short(&image.config_digest)
        };
        rows.push([familiar(repository).to_owned(), tag.to_owned(), number, created, size(&image)]);
    }
    out(tabled(&rows))
}

/// How much an image takes on disk.
fn size(image: &Image) -> String {
    three_digits(image.bytes() as f64 * UNPACKED)
}

/// Upstream: `units.HumanSizeWithPrecision`.
fn three_digits(bytes: f64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (bytes, 0);
    while value >= 1_000.0 && unit + 1 < units.len() {
        value /= 1_000.0;
        unit += 1;
    }
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    };
    format!("{text}{}", units.get(unit).copied().unwrap_or_default())
}

/// `docker rmi`
pub fn remove(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 2] = [("force", "f", false), ("no-prune", "", false)];
    let flags = match flags("rmi", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    if flags.words.is_empty() {
        return needs("rmi", "at least 1 argument", "[OPTIONS] IMAGE [IMAGE...]");
    }
    let mut answer = Answer::default();
    for text in &flags.words {
        match remove_one(cluster, text, flags.is_on("force")) {
            Ok(told) => answer.stdout.push_str(&told),
            Err(why) => {
                answer.stderr.push_str(&format!("Error response from daemon: {why}\n"));
                answer.code = 1;
            }
        }
    }
    answer
}

fn remove_one(cluster: &mut Cluster, text: &str, force: bool) -> Result<String, String> {
    let docker = cluster.docker();
    let (name, image) =
        docker.image(text).ok_or_else(|| format!("No such image: {}", whole(text)))?;
    let user = docker.containers().find(|it| it.image.config_digest == image.config_digest);
    if let (Some(container), false) = (user, force) {
        return Err(format!(
            "conflict: unable to remove repository reference \"{text}\" (must force) - container \
             {} is using its referenced image {}",
            short(&container.hex),
            short(&image.config_digest)
        ));
    }
    let mut told = format!("Untagged: {}\n", familiar(&name));
    if let Some(image) = docker.remove_image(&name) {
        told.push_str(&format!("Deleted: {}\n", image.config_digest));
        for layer in image.layers.iter().rev().filter(|layer| !docker.has_layer(&layer.digest)) {
            told.push_str(&format!("Deleted: {}\n", layer.digest));
        }
    }
    Ok(told)
}

/// `docker history`
pub fn history(cluster: &mut Cluster, args: &[String]) -> Answer {
    let known: [Known; 4] = [
        ("format", "", true),
        ("human", "H", false),
        ("no-trunc", "", false),
        ("quiet", "q", false),
    ];
    let flags = match flags("history", args, &known, false) {
        Ok(flags) => flags,
        Err(answer) => return *answer,
    };
    let [name] = flags.words.as_slice() else {
        return needs("history", "1 argument", "[OPTIONS] IMAGE");
    };
    let now = cluster.now();
    let docker = cluster.docker();
    let Some((_, image)) = docker.image(name) else {
        return refused(&format!("No such image: {}", whole(name)));
    };
    let at = docker.images().find(|(_, it, _)| it.config_digest == image.config_digest);
    let since =
        at.map_or_else(|| "4 weeks ago".to_owned(), |(_, _, at)| made(&image, now.since(at)));
    let rows = past(&image, &since, flags.is_on("no-trunc"));
    if flags.is_on("quiet") {
        return out(rows.iter().map(|[number, ..]| format!("{number}\n")).collect());
    }
    let Some(format) = flags.value("format") else {
        let title = ["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"].map(str::to_owned);
        let rows: Vec<[String; 5]> = std::iter::once(title).chain(rows).collect();
        return out(tabled(&rows));
    };
    let mut text = String::new();
    for [number, since, by, size, comment] in rows {
        let row = serde_json::json!({
            "ID": number, "CreatedSince": since, "CreatedBy": by, "Size": size, "Comment": comment,
        });
        match super::template::fill(format, &row) {
            Ok(line) => text.push_str(&line),
            Err(answer) => return *answer,
        }
    }
    out(text)
}

/// Characters of an instruction that are shown.
const BY_MAX: usize = 45;

/// The steps that made an image, the latest first: its number, when, by what, how large, by whom.
fn past(image: &Image, since: &str, whole: bool) -> Vec<[String; 5]> {
    let built =
        image.history.iter().map(|step| (step.by.clone(), step.bytes, "buildkit.dockerfile.v0"));
    // Of an image that was not built here, only the layers are known.
    let own = image.history.iter().filter(|step| step.by.ends_with("# buildkit")).count();
    let known = image.layers.len().saturating_sub(own);
    let layers = image.layers.iter().take(known).map(|it| (short(&it.digest), it.bytes, ""));
    let steps: Vec<(String, u64, &str)> = layers.chain(built).collect();
    let rows = steps.into_iter().rev().enumerate().map(|(index, (by, bytes, comment))| {
        let number = match (index, whole) {
            (0, true) => image.config_digest.clone(),
            (0, false) => short(&image.config_digest),
            _ => "<missing>".to_owned(),
        };
        let cut = !whole && by.chars().count() > BY_MAX;
        let by = if cut { by.chars().take(BY_MAX - 1).chain(['…']).collect() } else { by };
        let size = three_digits(bytes as f64 * if comment.is_empty() { UNPACKED } else { 1.0 });
        [number, since.to_owned(), by, size, comment.to_owned()]
    });
    rows.collect()
}

/// How long ago an image was made. When the catalogue's images were is not known: some weeks ago.
fn made(image: &Image, since: Duration) -> String {
    match Image::is_layer(image.layers.last().map_or("", |it| &it.digest)) {
        true => format!("{} weeks ago", 2 + image.config_digest.len() % 7),
        false => format!("{} ago", table::human(since)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_three_digits() {
        let told = [4_270_000.0, 192_400_000.0, 1_120_000_000.0, 77.0].map(three_digits);
        assert_eq!(told, ["4.27MB", "192MB", "1.12GB", "77B"]);
    }

    #[test]
    fn names_are_said_short() {
        assert_eq!(whole("busybox"), "busybox:latest");
        assert_eq!(whole("quay.io/a/b:1"), "quay.io/a/b:1");
    }
}
