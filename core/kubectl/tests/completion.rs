//! Completion with Tab, through a program that asks as the shell does.

mod support;

use support::Machine;

#[test]
fn completes_what_upstream_completes() {
    let mut machine = Machine::new();
    machine.ok("kubectl run web --image=nginx");
    machine.ok("kubectl run worker --image=nginx");
    machine.ok("kubectl run other --image=nginx -n kube-public");
    for (line, expected) in [
        ("kubectl g", "get"),
        ("kubectl rollout re", "restart resume"),
        ("kubectl create dep", "deployment"),
        ("kubectl get po", "poddisruptionbudgets.policy pods podtemplates"),
        (
            "kubectl get pods,ser",
            "pods,serviceaccounts pods,servicecidrs.networking.k8s.io pods,services",
        ),
        ("kubectl get deployments.a", "deployments.apps"),
        ("kubectl get pods w", "web worker"),
        ("kubectl get pods web w", "worker"),
        ("kubectl describe pod/wo", "pod/worker"),
        ("kubectl -n kube-public get pods ", "other"),
        ("kubectl get pods -n kube-p", "kube-public"),
        ("kubectl get pods --namespace=kube-p", "--namespace=kube-public"),
        ("kubectl get pods --show-l", "--show-labels"),
        ("kubectl get pods --names", "--namespace --namespace="),
        ("kubectl get pod/web po", "poddisruptionbudgets.policy/ pods/ podtemplates/"),
        ("kubectl get pod/web pod/w", "pod/worker"),
        ("kubectl rollout restart d", "daemonset deployment"),
        ("kubectl rollout pause ", "deployment"),
        ("kubectl scale st", "statefulset"),
        ("kubectl top pod w", "web worker"),
        ("kubectl top pod web w", ""),
        ("kubectl logs web ", "web"),
        ("kubectl exec dep", "deployments/"),
        ("kubectl port-forward pods/w", "pods/web pods/worker"),
        ("kubectl cp w", "web: worker:"),
        ("kubectl cp kube-public/", "kube-public/other:"),
        ("kubectl cp ./", ""),
        ("kubectl run x --image=y --restart=N", "--restart=Never"),
        ("kubectl get pods -o y", "yaml"),
        ("kubectl logs we", "web"),
        ("kubectl logs web -c ", "web"),
        ("kubectl exec web -- l", ""),
        ("kubectl nothing x", ""),
    ] {
        assert_eq!(machine.complete(line), expected, "{line}");
    }
}
