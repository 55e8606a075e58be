"""What a program with the official Python client does: a Deployment, watched, entered, scaled, deleted.

python scenario.py KUBECONFIG
"""

import sys

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

NAMESPACE = "default"
NAME = "web"
LABELS = {"app": NAME}
SELECTOR = f"app={NAME}"
SECONDS = 60


def deployment(replicas):
    container = client.V1Container(
        name="nginx", image="nginx:1.27", ports=[client.V1ContainerPort(container_port=80)]
    )
    template = client.V1PodTemplateSpec(
        metadata=client.V1ObjectMeta(labels=LABELS),
        spec=client.V1PodSpec(containers=[container]),
    )
    return client.V1Deployment(
        metadata=client.V1ObjectMeta(name=NAME),
        spec=client.V1DeploymentSpec(
            replicas=replicas, selector=client.V1LabelSelector(match_labels=LABELS), template=template
        ),
    )


def until_ready(apps, replicas):
    """Watches the deployment until all replicas are ready; tells in how many steps."""
    steps = []
    watcher = watch.Watch()
    for event in watcher.stream(
        apps.list_namespaced_deployment,
        NAMESPACE,
        field_selector=f"metadata.name={NAME}",
        timeout_seconds=SECONDS,
    ):
        assert event["type"] in ("ADDED", "MODIFIED"), event["type"]
        ready = event["object"].status.ready_replicas or 0
        steps.append(ready)
        if ready == replicas and event["object"].status.updated_replicas == replicas:
            watcher.stop()
    assert steps and steps[-1] == replicas, steps
    return steps


def enter(core, pod):
    """Runs a command in the pod's container, then talks to a shell there."""
    command = ["sh", "-c", "echo out; echo err >&2; hostname"]
    said = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        NAMESPACE,
        command=command,
        stdout=True,
        stderr=True,
        stdin=False,
        tty=False,
    )
    assert sorted(said.split()) == sorted(["out", "err", pod]), said
    shell = stream(
        core.connect_get_namespaced_pod_exec,
        pod,
        NAMESPACE,
        command=["sh"],
        stdout=True,
        stderr=True,
        stdin=True,
        tty=False,
        _preload_content=False,
    )
    shell.write_stdin("echo $((6 * 7))\n")
    assert shell.readline_stdout(timeout=SECONDS) == "42"
    shell.write_stdin("exit 3\n")
    shell.run_forever(timeout=SECONDS)
    assert shell.returncode == 3, shell.returncode


def main():
    config.load_kube_config(sys.argv[1])
    core, apps = client.CoreV1Api(), client.AppsV1Api()
    version = client.VersionApi().get_code()
    assert (version.major, version.minor) == ("1", "33"), version

    created = apps.create_namespaced_deployment(NAMESPACE, deployment(2))
    assert created.spec.strategy.rolling_update.max_surge == "25%"
    assert until_ready(apps, 2)[-1] == 2
    print("deployed")

    pods = core.list_namespaced_pod(NAMESPACE, label_selector=SELECTOR).items
    assert len(pods) == 2 and all(pod.status.pod_ip for pod in pods)
    enter(core, pods[0].metadata.name)
    assert "nginx" in core.read_namespaced_pod_log(pods[0].metadata.name, NAMESPACE)
    print("entered")

    apps.patch_namespaced_deployment_scale(NAME, NAMESPACE, {"spec": {"replicas": 3}})
    until_ready(apps, 3)
    assert apps.read_namespaced_deployment_scale(NAME, NAMESPACE).status.replicas == 3
    print("scaled")

    try:
        apps.create_namespaced_deployment(NAMESPACE, deployment(1))
        raise AssertionError("made twice")
    except ApiException as error:
        assert error.status == 409 and '"reason":"AlreadyExists"' in error.body, error.body

    watcher = watch.Watch()
    gone = set()
    resource_version = core.list_namespaced_pod(NAMESPACE).metadata.resource_version
    apps.delete_namespaced_deployment(NAME, NAMESPACE, propagation_policy="Foreground")
    for event in watcher.stream(
        core.list_namespaced_pod,
        NAMESPACE,
        label_selector=SELECTOR,
        resource_version=resource_version,
        timeout_seconds=SECONDS,
    ):
        if event["type"] == "DELETED":
            gone.add(event["object"].metadata.name)
        if len(gone) == 3:
            watcher.stop()
    assert len(gone) == 3, gone
    print("deleted")


main()
