//! What replaces what old texts have one type: one line of the sandbox's own after kubectl's
//! answer, for a person at a terminal only. What kubectl itself prints stays as it is.

use super::Language;
use naru_shell::{Errno, Program, Step, Sys};

/// Bytes of a manifest that are looked through for old versions.
const MANIFEST_BYTES_MAX: usize = 256 << 10;

/// kubectl, and after it the hint if there is one.
pub fn kubectl() -> Box<dyn Program> {
    Box::new(Hinted { kubectl: naru_kubectl::program(), code: None, hint: Vec::new() })
}

#[derive(Clone, Debug)]
struct Hinted {
    kubectl: Box<dyn Program>,
    /// The exit code, once kubectl has ended.
    code: Option<i32>,
    /// What is not written of the hint.
    hint: Vec<u8>,
}

impl Program for Hinted {
    fn resume(&mut self, sys: &mut dyn Sys) -> Step {
        let code = match self.code {
            Some(code) => code,
            None => match self.kubectl.resume(sys) {
                Step::Exit(code) if sys.is_tty(2) && is_typed(sys) => {
                    self.hint = hint(sys, code).unwrap_or_default().into_bytes();
                    *self.code.insert(code)
                }
                step => return step,
            },
        };
        while !self.hint.is_empty() {
            match sys.write(2, &self.hint) {
                Ok(0) | Err(Errno::Again) => return Step::Block { until: None },
                Ok(taken) => drop(self.hint.drain(..taken.min(self.hint.len()))),
                // The terminal is gone.
                Err(_) => break,
            }
        }
        Step::Exit(code)
    }
}

/// Generations of processes that are looked through for the shell of a terminal.
const GENERATIONS_MAX: usize = 64;

/// Whether a person's shell is above this process, and not that of a script of the cluster's owner.
fn is_typed(sys: &mut dyn Sys) -> bool {
    let all = sys.processes();
    let mut pid = sys.pid();
    for _ in 0..GENERATIONS_MAX {
        let Some(own) = all.iter().find(|process| process.pid == pid) else { return false };
        if own.ppid == 0 {
            return own.argv == ["bash"];
        }
        pid = own.ppid;
    }
    false
}

/// The line for this command, dim and marked as the sandbox's own.
fn hint(sys: &mut dyn Sys, code: i32) -> Option<String> {
    let args: Vec<String> = sys.args().iter().skip(1).cloned().collect();
    let (korean, english) = by_arguments(&args).or_else(|| {
        let failed = code != 0;
        failed.then(|| by_files(sys, &args)).flatten()
    })?;
    let locale = ["LC_ALL", "LC_MESSAGES", "LANG"]
        .into_iter()
        .find_map(|name| sys.env().get(name).filter(|value| !value.is_empty()).cloned());
    let text = Language::of(&locale.unwrap_or_default()).pick(korean, english);
    Some(format!("\x1b[2m[naru] {text}\x1b[0m\n"))
}

type Texts = (&'static str, &'static str);

/// What an old command line consists of: words that must be there, in this order, and one of these
/// flags unless there are none.
struct Old {
    words: &'static [&'static str],
    flags: &'static [&'static str],
    texts: Texts,
}

const fn old(
    words: &'static [&'static str],
    flags: &'static [&'static str],
    korean: &'static str,
    english: &'static str,
) -> Old {
    Old { words, flags, texts: (korean, english) }
}

const OLD: &[Old] = &[
    old(
        &["rolling-update"],
        &[],
        "rolling-update는 v1.18에서 없어졌습니다. 디플로이먼트에 kubectl set image를 쓰고 kubectl \
         rollout status로 지켜보세요.",
        "rolling-update was removed in v1.18. Use kubectl set image on a deployment and watch it \
         with kubectl rollout status.",
    ),
    old(
        &["run"],
        &["--generator", "--replicas"],
        "kubectl run은 v1.18부터 파드 하나만 만듭니다. 디플로이먼트는 kubectl create deployment 이름 \
         --image=이미지 --replicas=개수로 만드세요.",
        "Since v1.18 kubectl run makes a single pod. Make a deployment with kubectl create deployment \
         NAME --image=IMAGE --replicas=N.",
    ),
    old(
        &["run"],
        &["--schedule"],
        "정해진 시각에 도는 잡은 kubectl create cronjob 이름 --image=이미지 --schedule=...로 만드세요.",
        "Make a job that runs on a schedule with kubectl create cronjob NAME --image=IMAGE \
         --schedule=...",
    ),
    old(
        &["run"],
        &["--requests", "--limits", "--serviceaccount"],
        "run의 --requests, --limits, --serviceaccount는 v1.24에서 없어졌습니다. --overrides를 쓰거나 \
         매니페스트에 적으세요.",
        "--requests, --limits and --serviceaccount of run were removed in v1.24. Use --overrides, or \
         write a manifest.",
    ),
    old(
        &["expose"],
        &["--generator"],
        "--generator는 없어졌습니다. kubectl expose에 --type과 --port만 주면 됩니다.",
        "--generator was removed. kubectl expose needs only --type and --port.",
    ),
    old(
        &["autoscale"],
        &["--generator"],
        "--generator는 없어졌습니다. kubectl autoscale은 autoscaling/v2 오브젝트를 만듭니다.",
        "--generator was removed. kubectl autoscale makes an object of autoscaling/v2.",
    ),
    old(
        &["get", "componentstatuses"],
        &[],
        "componentstatuses는 v1.19부터 쓰지 않습니다. kubectl get --raw='/readyz?verbose'와 kubectl \
         get pods -n kube-system을 보세요.",
        "componentstatuses is deprecated since v1.19. Look at kubectl get --raw='/readyz?verbose' \
         and kubectl get pods -n kube-system.",
    ),
    old(
        &["get"],
        &["--show-all", "-a"],
        "--show-all(-a)은 v1.10부터 필요 없습니다. 끝난 파드도 늘 보입니다.",
        "--show-all (-a) is not needed since v1.10: pods that have ended are always shown.",
    ),
    old(
        &["get"],
        &["--export"],
        "--export는 v1.18에서 없어졌습니다. -o yaml로 뽑아 status와 metadata의 서버 몫을 지우세요.",
        "--export was removed in v1.18. Take -o yaml and delete status and what the server fills in \
         under metadata.",
    ),
    old(
        &["version"],
        &["--short"],
        "--short는 v1.28에서 없어졌습니다. 이제 kubectl version은 늘 짧게 나옵니다.",
        "--short was removed in v1.28: kubectl version is always short now.",
    ),
    old(
        &["drain"],
        &["--delete-local-data"],
        "--delete-local-data는 --delete-emptydir-data로 바뀌었습니다.",
        "--delete-local-data is now --delete-emptydir-data.",
    ),
    old(
        &["apply"],
        &["--prune-whitelist"],
        "--prune-whitelist는 --prune-allowlist로 바뀌었습니다.",
        "--prune-whitelist is now --prune-allowlist.",
    ),
    old(
        &[],
        &["--record"],
        "--record는 곧 없어집니다. 바꾼 까닭은 kubectl annotate 종류/이름 \
         kubernetes.io/change-cause='...'로 남기세요.",
        "--record will go away. Keep the reason of a change with kubectl annotate KIND/NAME \
         kubernetes.io/change-cause='...'.",
    ),
    old(
        &["convert"],
        &[],
        "convert는 kubectl에서 떨어져 나가 kubectl-convert라는 플러그인이 되었습니다.",
        "convert left kubectl and became the plugin kubectl-convert.",
    ),
    old(&["resize"], &[], "resize는 kubectl scale로 바뀌었습니다.", "resize is now kubectl scale."),
    old(&["stop"], &[], "stop은 kubectl delete로 바뀌었습니다.", "stop is now kubectl delete."),
    old(
        &["alpha", "debug"],
        &[],
        "kubectl alpha debug는 v1.20부터 kubectl debug입니다.",
        "kubectl alpha debug is kubectl debug since v1.20.",
    ),
    old(
        &["get", "podsecuritypolicies"],
        &[],
        "PodSecurityPolicy는 v1.25에서 없어졌습니다. 네임스페이스에 \
         pod-security.kubernetes.io/enforce 레이블을 붙이세요.",
        "PodSecurityPolicy was removed in v1.25. Label the namespace with \
         pod-security.kubernetes.io/enforce.",
    ),
];

/// Short and singular names that old texts use.
const ALIASES: [(&str, &str); 5] = [
    ("cs", "componentstatuses"),
    ("componentstatus", "componentstatuses"),
    ("psp", "podsecuritypolicies"),
    ("podsecuritypolicy", "podsecuritypolicies"),
    ("rollingupdate", "rolling-update"),
];

fn by_arguments(args: &[String]) -> Option<Texts> {
    let own = args.iter().map(String::as_str).take_while(|arg| *arg != "--");
    let (flags, words): (Vec<&str>, Vec<&str>) = own.partition(|arg| arg.starts_with('-'));
    let full = |word: &str| ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, full)| *full);
    let words: Vec<&str> = words.into_iter().map(|word| full(word).unwrap_or(word)).collect();
    let has =
        |flag: &str| flags.iter().any(|arg| arg.split('=').next().is_some_and(|name| name == flag));
    OLD.iter()
        .find(|old| {
            words.starts_with(old.words)
                && (old.flags.is_empty() || old.flags.iter().any(|flag| has(flag)))
        })
        .map(|old| old.texts)
}

/// Versions of the API that are gone, the kinds, and what came in their place.
const VERSIONS: &[(&str, &[&str], Texts)] = &[
    (
        "extensions/v1beta1",
        &["Deployment", "DaemonSet", "ReplicaSet"],
        (
            "extensions/v1beta1은 v1.16에서 없어졌습니다. apiVersion: apps/v1을 쓰고 spec.selector를 \
             적으세요.",
            "extensions/v1beta1 was removed in v1.16. Write apiVersion: apps/v1, and spec.selector.",
        ),
    ),
    ("apps/v1beta1", &["Deployment", "StatefulSet"], APPS),
    ("apps/v1beta2", &["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"], APPS),
    ("extensions/v1beta1", &["Ingress"], INGRESS),
    ("networking.k8s.io/v1beta1", &["Ingress", "IngressClass"], INGRESS),
    (
        "extensions/v1beta1",
        &["NetworkPolicy"],
        (
            "NetworkPolicy는 apiVersion: networking.k8s.io/v1에 있습니다.",
            "NetworkPolicy is in apiVersion: networking.k8s.io/v1.",
        ),
    ),
    (
        "batch/v1beta1",
        &["CronJob"],
        (
            "CronJob은 v1.25부터 apiVersion: batch/v1에만 있습니다.",
            "Since v1.25 CronJob is in apiVersion: batch/v1 only.",
        ),
    ),
    (
        "batch/v2alpha1",
        &["CronJob"],
        ("CronJob은 apiVersion: batch/v1에 있습니다.", "CronJob is in apiVersion: batch/v1."),
    ),
    ("autoscaling/v2beta1", &["HorizontalPodAutoscaler"], AUTOSCALER),
    ("autoscaling/v2beta2", &["HorizontalPodAutoscaler"], AUTOSCALER),
    (
        "policy/v1beta1",
        &["PodDisruptionBudget"],
        (
            "PodDisruptionBudget은 v1.25부터 apiVersion: policy/v1에만 있습니다.",
            "Since v1.25 PodDisruptionBudget is in apiVersion: policy/v1 only.",
        ),
    ),
    ("policy/v1beta1", &["PodSecurityPolicy"], SECURITY),
    ("extensions/v1beta1", &["PodSecurityPolicy"], SECURITY),
    ("rbac.authorization.k8s.io/v1beta1", &[], RBAC),
    ("rbac.authorization.k8s.io/v1alpha1", &[], RBAC),
    (
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        (
            "apiextensions.k8s.io/v1beta1은 v1.22에서 없어졌습니다. apiextensions.k8s.io/v1은 버전마다 \
             스키마를 적어야 합니다.",
            "apiextensions.k8s.io/v1beta1 was removed in v1.22. apiextensions.k8s.io/v1 wants a schema \
             for every version.",
        ),
    ),
    (
        "storage.k8s.io/v1beta1",
        &[],
        (
            "storage.k8s.io/v1beta1은 없어졌습니다. apiVersion: storage.k8s.io/v1을 쓰세요.",
            "storage.k8s.io/v1beta1 was removed. Write apiVersion: storage.k8s.io/v1.",
        ),
    ),
    (
        "scheduling.k8s.io/v1beta1",
        &[],
        (
            "scheduling.k8s.io/v1beta1은 없어졌습니다. apiVersion: scheduling.k8s.io/v1을 쓰세요.",
            "scheduling.k8s.io/v1beta1 was removed. Write apiVersion: scheduling.k8s.io/v1.",
        ),
    ),
];

const APPS: Texts = (
    "apps/v1beta1과 v1beta2는 v1.16에서 없어졌습니다. apiVersion: apps/v1을 쓰고 spec.selector를 \
     적으세요.",
    "apps/v1beta1 and v1beta2 were removed in v1.16. Write apiVersion: apps/v1, and spec.selector.",
);
const INGRESS: Texts = (
    "Ingress는 v1.22부터 apiVersion: networking.k8s.io/v1에만 있습니다. pathType과 \
     backend.service.name, backend.service.port를 적으세요.",
    "Since v1.22 Ingress is in apiVersion: networking.k8s.io/v1 only. Write pathType, \
     backend.service.name and backend.service.port.",
);
const AUTOSCALER: Texts = (
    "HorizontalPodAutoscaler의 베타 버전은 없어졌습니다. apiVersion: autoscaling/v2를 쓰세요.",
    "The beta versions of HorizontalPodAutoscaler were removed. Write apiVersion: autoscaling/v2.",
);
const SECURITY: Texts = (
    "PodSecurityPolicy는 v1.25에서 없어졌습니다. 네임스페이스에 pod-security.kubernetes.io/enforce \
     레이블을 붙이세요.",
    "PodSecurityPolicy was removed in v1.25. Label the namespace with \
     pod-security.kubernetes.io/enforce.",
);
const RBAC: Texts = (
    "rbac.authorization.k8s.io의 베타 버전은 v1.22에서 없어졌습니다. apiVersion: \
     rbac.authorization.k8s.io/v1을 쓰세요.",
    "The beta versions of rbac.authorization.k8s.io were removed in v1.22. Write apiVersion: \
     rbac.authorization.k8s.io/v1.",
);

/// The first old version in a file that `-f` names.
fn by_files(sys: &mut dyn Sys, args: &[String]) -> Option<Texts> {
    let after = args.windows(2).filter_map(|pair| match pair {
        [flag, file] if ["-f", "--filename"].contains(&flag.as_str()) => Some(file.as_str()),
        _ => None,
    });
    let joined = args.iter().filter_map(|arg| {
        arg.strip_prefix("--filename=")
            .or_else(|| arg.strip_prefix("-f="))
            .or_else(|| arg.strip_prefix("-f").filter(|file| !file.is_empty()))
    });
    let files: Vec<String> = after.chain(joined).map(str::to_owned).collect();
    files.iter().find_map(|file| {
        let path = sys.absolute(file);
        let bytes = sys.fs().read(&path).ok().filter(|bytes| bytes.len() <= MANIFEST_BYTES_MAX)?;
        by_manifest(&String::from_utf8_lossy(&bytes))
    })
}

fn by_manifest(text: &str) -> Option<Texts> {
    let value = |document: &str, key: &str| {
        let line = document.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned())
    };
    text.split("\n---").find_map(|document| {
        let version = value(document, "apiVersion:")?;
        let kind = value(document, "kind:")?;
        let old = VERSIONS.iter().find(|(old, kinds, _)| {
            *old == version && (kinds.is_empty() || kinds.contains(&kind.as_str()))
        })?;
        Some(old.2)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Option<&'static str> {
        let args: Vec<String> = text.split(' ').map(str::to_owned).collect();
        by_arguments(&args).map(|(_, english)| english)
    }

    #[test]
    fn old_commands_are_known() {
        for (command, part) in [
            ("rolling-update web --image=b", "set image"),
            ("run web --image=nginx --generator=run-pod/v1", "create deployment"),
            ("run web --image=nginx --replicas=3", "create deployment"),
            ("get cs", "readyz"),
            ("get componentstatuses", "readyz"),
            ("scale deploy web --replicas=2 --record", "change-cause"),
            ("get pods --show-all", "always shown"),
            ("version --short", "always short"),
        ] {
            assert!(line(command).is_some_and(|text| text.contains(part)), "{command}");
        }
    }

    #[test]
    fn what_is_of_today_gets_no_hint() {
        for command in [
            "get pods",
            "run web --image=nginx",
            "exec web -- run --generator=x --record",
            "scale deploy web --replicas=2",
            "get pods -A",
        ] {
            assert_eq!(line(command), None, "{command}");
        }
    }

    #[test]
    fn old_versions_are_found_in_files() {
        let old =
            "apiVersion: v1\nkind: Service\n---\napiVersion: \"batch/v1beta1\"\nkind: CronJob\n";
        assert!(by_manifest(old).is_some_and(|(_, english)| english.contains("batch/v1")));
        assert_eq!(by_manifest("apiVersion: apps/v1\nkind: Deployment\n"), None);
        // Another document's version is not this one's.
        assert_eq!(by_manifest("kind: Deployment\napiVersion: batch/v1beta1\n"), None);
    }
}
