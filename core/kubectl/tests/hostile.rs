//! Random command lines and files: whatever is typed, kubectl ends or waits, and never panics.

mod support;

use naru_sim::Rng;
use support::Machine;

/// Words that lead into every part of kubectl, and into what surrounds them.
const WORDS: &[&str] = &[
    "get",
    "describe",
    "create",
    "delete",
    "apply",
    "run",
    "logs",
    "exec",
    "attach",
    "label",
    "annotate",
    "scale",
    "expose",
    "patch",
    "replace",
    "rollout",
    "status",
    "history",
    "undo",
    "set",
    "image",
    "taint",
    "drain",
    "cordon",
    "wait",
    "events",
    "config",
    "view",
    "set-context",
    "use-context",
    "api-resources",
    "version",
    "top",
    "pod",
    "options",
    "help",
    "deployment",
    "configmap",
    "secret",
    "generic",
    "service",
    "clusterip",
    "namespace",
    "pods",
    "po",
    "pod/web",
    "svc,pods",
    "all",
    "nodes",
    "worker",
    "web",
    "a=b",
    "a-",
    "a=b:NoSchedule",
    "deploy/web",
    "-",
    "--",
    "---",
    "--=",
    "-o",
    "-oyaml",
    "-ojson",
    "-owide",
    "-n",
    "-A",
    "-l",
    "a in (b)",
    "-f",
    "app.yml",
    "bad.yml",
    "--all",
    "--image=nginx",
    "--image",
    "--dry-run",
    "--dry-run=client",
    "--dry-run=server",
    "-o=jsonpath={.items[*]..name}",
    "-o=jsonpath={range .x}{end}",
    "-o=jsonpath={.a[?(@.b==1)]}",
    "-o=custom-columns=A:.b,C:{.d}",
    "--template={{.}}",
    "--sort-by=.x",
    "--sort-by={",
    "--field-selector=a=b",
    "--field-selector=,,",
    "--for=delete",
    "--for=condition=Ready",
    "--for=jsonpath={.a}=b",
    "--timeout=0",
    "--timeout=1s",
    "--force",
    "--grace-period=0",
    "--replicas=3",
    "--replicas=99999999999999999999",
    "-p",
    "{\"a\":1}",
    "[1]",
    "--type=json",
    "--type=merge",
    "--port=80",
    "--port=x",
    "--tcp=80:90",
    "--tcp=:",
    "-w",
    "--show-labels",
    "-Lx",
    "-h",
    "--help",
    "-it",
    "--rm",
    "-c",
    "--since=1h",
    "--tail=-5",
    "-v=9",
    "--from-literal=a=b",
    "--from-file=.",
    "--from-env-file=app.yml",
    "--overrides={",
    "나루",
    "\u{1b}[2J",
    "",
    " ",
    "=",
    "/",
    "a/b/c",
    "a,b,,c",
    "-nnnn",
    "--to-revision=-1",
    "--chunk-size=x",
];

const BAD: &str = "a: [\n---\n- 1\n---\nkind: List\nitems: [1, {kind: Pod}, null]\n---\nnull\n";

fn machine() -> Machine {
    let mut machine = Machine::new();
    let app = "apiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\nspec: \
               {containers: [{name: c, image: nginx}]}\n";
    machine.write("/root/app.yml", app);
    machine.write("/root/bad.yml", BAD);
    machine
}

#[test]
fn random_lines_never_panic() {
    let mut rng = Rng::new(20_250_602);
    for round in 0..40 {
        let mut machine = machine();
        for _ in 0..75 {
            let count = 1 + rng.below(7);
            let mut argv = vec!["kubectl".to_owned()];
            argv.extend((0..count).map(|_| word(&mut rng)));
            let stdin = (rng.below(3) == 0).then_some(BAD);
            let mut job = machine.start_argv(argv, stdin);
            machine.poll(&mut job);
            machine.interrupt(&job);
            assert!(machine.poll(&mut job).code.is_some(), "round {round}");
        }
    }
}

fn word(rng: &mut Rng) -> String {
    let pick = |rng: &mut Rng| WORDS[rng.below(WORDS.len() as u64) as usize];
    let mut word = pick(rng).to_owned();
    // Now and then something that nobody would type.
    match rng.below(12) {
        0 => word.push_str(pick(rng)),
        1 => word = word.chars().rev().collect(),
        2 => word.truncate(word.char_indices().nth(2).map_or(word.len(), |(at, _)| at)),
        _ => {}
    }
    word
}
