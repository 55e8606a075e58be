//! `naru fault`: breaks something, or mends it.

use super::{Language, err, out};
use crate::{Cluster, Fault, FaultError};
use naru_shell::Answer;

/// Does a command line.
pub fn run(cluster: &mut Cluster, args: &[String], language: Language) -> Answer {
    match args {
        [] => out(broken(cluster, language)),
        [word] if ["help", "-h", "--help"].contains(&word.as_str()) => {
            out(usage(language).to_owned())
        }
        words => match Fault::parse(words).and_then(|fault| done(cluster, &fault, language)) {
            Ok(text) => out(text),
            Err(error) => err(complaint(&error, language)),
        },
    }
}

fn done(cluster: &mut Cluster, fault: &Fault, language: Language) -> Result<String, FaultError> {
    cluster.inject(fault)?;
    let mut text = happened(fault, language);
    text.push('\n');
    if let Some(cure) = fault.cure() {
        let undo = language.pick("되돌리려면", "to undo");
        text.push_str(&format!("{undo}: naru fault {cure}\n"));
    }
    Ok(text)
}

/// What is broken now, each with its cure.
fn broken(cluster: &Cluster, language: Language) -> String {
    let faults = cluster.faults();
    if faults.is_empty() {
        return language.pick("고장 난 것이 없습니다.\n", "nothing is broken\n").to_owned();
    }
    let line = |fault: &Fault| {
        let cure = fault.cure().map(|cure| format!("  (naru fault {cure})")).unwrap_or_default();
        format!("{}{cure}\n", happened(fault, language))
    };
    faults.iter().map(line).collect()
}

/// What has happened.
fn happened(fault: &Fault, language: Language) -> String {
    let (korean, english) = match fault {
        Fault::StopNode(node) => {
            (format!("노드 {node}: 전원이 꺼졌습니다"), format!("node {node}: powered off"))
        }
        Fault::StartNode(node) => {
            (format!("노드 {node}: 전원을 켰습니다"), format!("node {node}: powered on"))
        }
        Fault::Stop(program) => {
            let name = program.name();
            (
                format!("{name}: 매니페스트를 /etc/kubernetes/manifests 밖으로 옮겼습니다"),
                format!("{name}: its manifest was moved out of /etc/kubernetes/manifests"),
            )
        }
        Fault::Start(program) => {
            let name = program.name();
            (
                format!("{name}: 매니페스트를 /etc/kubernetes/manifests에 되돌려 놓았습니다"),
                format!("{name}: its manifest was moved back to /etc/kubernetes/manifests"),
            )
        }
        Fault::Cut(node, None) => (
            format!("노드 {node}: 네트워크에서 끊겼습니다"),
            format!("node {node}: cut off from the network"),
        ),
        Fault::Cut(node, Some(other)) => (
            format!("노드 {node}, {other}: 서로 끊겼습니다"),
            format!("nodes {node} and {other}: cut off from each other"),
        ),
        Fault::Mend(node, None) => (
            format!("노드 {node}: 네트워크에 다시 이어졌습니다"),
            format!("node {node}: back on the network"),
        ),
        Fault::Mend(node, Some(other)) => (
            format!("노드 {node}, {other}: 다시 이어졌습니다"),
            format!("nodes {node} and {other}: connected again"),
        ),
        Fault::Crash { namespace, pod, .. } => (
            format!("파드 {namespace}/{pod}: 컨테이너의 프로세스를 죽였습니다"),
            format!("pod {namespace}/{pod}: the container's process was killed"),
        ),
        Fault::Fill { namespace, pod, .. } => (
            format!("파드 {namespace}/{pod}: 컨테이너의 프로세스가 메모리를 계속 더 차지합니다"),
            format!("pod {namespace}/{pod}: the container's process takes ever more memory"),
        ),
        Fault::FillNode(node) => (
            format!("노드 {node}: 파드가 아닌 프로세스가 남은 메모리를 거의 다 차지했습니다"),
            format!("node {node}: a process beside the pods has taken nearly all memory"),
        ),
        Fault::FreeNode(node) => (
            format!("노드 {node}: 메모리를 차지한 프로세스를 끝냈습니다"),
            format!("node {node}: the process that held the memory was ended"),
        ),
    };
    language.pick(korean, english)
}

fn complaint(error: &FaultError, language: Language) -> String {
    let text = match error {
        FaultError::Words(_) => return usage(language).to_owned(),
        FaultError::NoNode(name) => {
            language.pick(format!("노드 {name:?}: 없습니다"), format!("no node {name:?}"))
        }
        FaultError::NotRunning(pod) => language.pick(
            format!("파드 {pod:?}: 실행 중인 컨테이너가 없습니다"),
            format!("no container of pod {pod:?} runs"),
        ),
        FaultError::Network(why) => why.clone(),
    };
    format!("naru: {text}\n")
}

fn usage(language: Language) -> &'static str {
    language.pick(
        "사용법 (이 샌드박스의 명령입니다):\n  \
         naru fault                                   지금 고장 난 것을 보여 줍니다\n  \
         naru fault stop|start node/이름              노드의 전원을 끄거나 켭니다\n  \
         naru fault stop|start kube-scheduler         스케줄러를 멈추거나 시작합니다\n  \
         naru fault stop|start kube-controller-manager\n  \
         naru fault stop|start kube-apiserver\n  \
         naru fault cut|mend 노드 [다른 노드]         네트워크를 끊거나 잇습니다\n  \
         naru fault crash pod/이름 [-n 네임스페이스] [-c 컨테이너]\n  \
         naru fault fill pod/이름 [-n 네임스페이스] [-c 컨테이너]\n  \
         naru fault fill|free node/이름               노드의 메모리를 채우거나 비웁니다\n",
        "Usage (a command of this sandbox):\n  \
         naru fault                                   shows what is broken now\n  \
         naru fault stop|start node/NAME              switches a node off or on\n  \
         naru fault stop|start kube-scheduler         stops or starts the scheduler\n  \
         naru fault stop|start kube-controller-manager\n  \
         naru fault stop|start kube-apiserver\n  \
         naru fault cut|mend NODE [OTHER NODE]        cuts the network, or mends it\n  \
         naru fault crash pod/NAME [-n NAMESPACE] [-c CONTAINER]\n  \
         naru fault fill pod/NAME [-n NAMESPACE] [-c CONTAINER]\n  \
         naru fault fill|free node/NAME               fills a node's memory, or frees it\n",
    )
}
