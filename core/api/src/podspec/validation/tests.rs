//! What upstream says, subject by subject.

use super::*;
use serde_json::{Value, json};

/// What upstream says of a pod with its defaults, `field: message`.
fn errors(spec: Value) -> Vec<String> {
    texts(create(&pod(spec)))
}

fn pod(spec: Value) -> Pod {
    let mut pod: Pod =
        serde_json::from_value(json!({"metadata": {"name": "web"}, "spec": spec})).unwrap();
    crate::podspec::defaults::set_pod(&mut pod);
    pod
}

fn texts(errors: Errors) -> Vec<String> {
    errors.iter().map(|error| format!("{}: {}", error.field, error.message)).collect()
}

fn merged(mut all: Value, fields: Value) -> Value {
    for (key, value) in fields.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

/// A spec whose container has these fields.
fn with(container: Value) -> Value {
    json!({"containers": [merged(json!({"name": "a", "image": "b"}), container)]})
}

/// A spec with these fields.
fn spec(fields: Value) -> Value {
    merged(with(json!({})), fields)
}

fn volume(source: Value) -> Value {
    spec(json!({"volumes": [merged(json!({"name": "v"}), source)]}))
}

fn check(table: &[(Value, &[&str])]) {
    for (spec, messages) in table {
        assert_eq!(errors(spec.clone()), *messages, "{spec}");
    }
}

#[test]
fn containers() {
    check(&[
        (with(json!({})), &[]),
        (json!({"containers": []}), &["spec.containers: Required value"]),
        (json!({"containers": [{"name": "a"}]}), &["spec.containers[0].image: Required value"]),
        (json!({"containers": [{"image": "a"}]}), &["spec.containers[0].name: Required value"]),
        (
            json!({"containers": [{"name": "a", "image": "b"}, {"name": "a", "image": "b"}]}),
            &["spec.containers[1].name: Duplicate value: \"a\""],
        ),
        (
            with(json!({"image": " b"})),
            &[
                "spec.containers[0].image: Invalid value: \" b\": must not have leading or trailing \
               whitespace",
            ],
        ),
        (
            with(json!({"imagePullPolicy": "Often"})),
            &["spec.containers[0].imagePullPolicy: Unsupported value: \"Often\": supported \
               values: \"Always\", \"IfNotPresent\", \"Never\""],
        ),
        (
            with(json!({"restartPolicy": "Always"})),
            &[
                "spec.containers[0].restartPolicy: Forbidden: may not be set for non-init containers",
            ],
        ),
        (
            spec(json!({"initContainers": [{"name": "i", "image": "b", "restartPolicy": "Never",
                "livenessProbe": {"exec": {"command": ["a"]}}}]})),
            &[
                "spec.initContainers[0].restartPolicy: Unsupported value: \"Never\": supported \
                 values: \"Always\"",
                "spec.initContainers[0].livenessProbe: Forbidden: may not be set for init \
                 containers without restartPolicy=Always",
            ],
        ),
        (
            spec(json!({"ephemeralContainers": [{"name": "a", "image": "b", "targetContainerName":
                "x", "ports": [{"containerPort": 80}]}]})),
            &[
                "spec.ephemeralContainers[0].name: Duplicate value: \"a\"",
                "spec.ephemeralContainers[0].targetContainerName: Not found: \"x\"",
                "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral \
                 Container",
                "spec.ephemeralContainers: Forbidden: cannot be set on create",
            ],
        ),
        (
            with(json!({"resizePolicy": [{"resourceName": "disk", "restartPolicy": "Never"}]})),
            &[
                "spec.containers[0].resizePolicy: Unsupported value: disk: supported values: \
                 \"cpu\", \"memory\"",
                "spec.containers[0].resizePolicy: Unsupported value: \"Never\": supported values: \
                 \"NotRequired\", \"RestartContainer\"",
            ],
        ),
    ]);
}

#[test]
fn ports() {
    let ports = |ports: Value| with(json!({ "ports": ports }));
    check(&[
        (
            ports(json!([{"containerPort": 0}])),
            &["spec.containers[0].ports[0].containerPort: Required value"],
        ),
        (
            ports(json!([{"containerPort": 70000}])),
            &[
                "spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 \
               and 65535, inclusive",
            ],
        ),
        (
            ports(json!([{"containerPort": 80, "protocol": "tcp"}])),
            &["spec.containers[0].ports[0].protocol: Unsupported value: \"tcp\": supported \
               values: \"SCTP\", \"TCP\", \"UDP\""],
        ),
        (
            ports(json!([{"containerPort": 80, "name": "a"}, {"containerPort": 81, "name": "a"}])),
            &["spec.containers[0].ports[1].name: Duplicate value: \"a\""],
        ),
        (
            ports(
                json!([{"containerPort": 80, "hostPort": 80}, {"containerPort": 81, "hostPort": 80}]),
            ),
            &["spec.containers[0].ports[1].hostPort: Duplicate value: \"TCP//80\""],
        ),
        (
            merged(
                ports(json!([{"containerPort": 80, "hostPort": 81}])),
                json!({"hostNetwork": true}),
            ),
            &["spec.containers[0].ports[0].hostPort: Invalid value: 81: must match \
               `containerPort` when `hostNetwork` is true"],
        ),
    ]);
}

#[test]
fn environment() {
    let env = |env: Value| with(json!({"env": [merged(json!({"name": "A"}), env)]}));
    let field = |field: &str| env(json!({"valueFrom": {"fieldRef": {"fieldPath": field}}}));
    let resource = |resource: Value| env(json!({"valueFrom": {"resourceFieldRef": resource}}));
    check(&[
        (field("metadata.labels['app']"), &[]),
        (
            env(json!({"valueFrom": {}})),
            &["spec.containers[0].env[0].valueFrom: Invalid value: \"\": must specify one of: \
               `fieldRef`, `resourceFieldRef`, `configMapKeyRef` or `secretKeyRef`"],
        ),
        (
            env(json!({"value": "x", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}})),
            &["spec.containers[0].env[0].valueFrom: Invalid value: \"\": may not be specified \
               when `value` is not empty"],
        ),
        (
            field("metadata.nam"),
            &["spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: \
               \"metadata.nam\": error converting fieldPath: field label not supported: \
               metadata.nam"],
        ),
        (
            field("metadata.labels"),
            &["spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: \
               \"metadata.labels\": supported values: \"metadata.name\", \"metadata.namespace\", \
               \"metadata.uid\", \"spec.nodeName\", \"spec.serviceAccountName\", \
               \"status.hostIP\", \"status.hostIPs\", \"status.podIP\", \"status.podIPs\""],
        ),
        (
            resource(json!({"resource": "limits.disk"})),
            &["spec.containers[0].env[0].valueFrom.resourceFieldRef.resource: Unsupported value: \
               \"limits.disk\": supported values: \"limits.cpu\", \"limits.ephemeral-storage\", \
               \"limits.memory\", \"requests.cpu\", \"requests.ephemeral-storage\", \
               \"requests.memory\""],
        ),
        (
            resource(json!({"resource": "limits.cpu", "divisor": "2"})),
            &["spec.containers[0].env[0].valueFrom.resourceFieldRef.divisor: Invalid value: \
               \"limits.cpu\": only divisor's values 1m and 1 are supported with the cpu resource"],
        ),
        (
            env(json!({"valueFrom": {"secretKeyRef": {"name": "s", "key": ""}}})),
            &["spec.containers[0].env[0].valueFrom.secretKeyRef.key: Required value"],
        ),
        (
            with(json!({"envFrom": [{"prefix": "a="}]})),
            &[
                "spec.containers[0].envFrom[0].prefix: Invalid value: \"a=\": a valid environment \
                 variable name must consist only of printable ASCII characters other than '='",
                "spec.containers[0].envFrom: Invalid value: \"\": must specify one of: \
                 `configMapRef` or `secretRef`",
            ],
        ),
    ]);
}

#[test]
fn volume_sources() {
    check(&[
        (volume(json!({"hostPath": {"path": "/x"}})), &[]),
        (
            volume(json!({"hostPath": {"path": "/../x", "type": "Dir"}})),
            &[
                "spec.volumes[0].hostPath.path: Invalid value: \"/../x\": must not contain '..'",
                "spec.volumes[0].hostPath.type: Unsupported value: \"Dir\": supported values: \
                 \"\", \"BlockDevice\", \"CharDevice\", \"Directory\", \"DirectoryOrCreate\", \
                 \"File\", \"FileOrCreate\", \"Socket\"",
            ],
        ),
        (
            volume(json!({"emptyDir": {}, "secret": {"secretName": "s"}})),
            &["spec.volumes[0].secret: Forbidden: may not specify more than 1 volume type"],
        ),
        (
            volume(json!({"configMap": {"name": "", "defaultMode": 512}})),
            &[
                "spec.volumes[0].configMap.name: Required value",
                "spec.volumes[0].configMap.defaultMode: Invalid value: 512: must be a number \
                 between 0 and 0777 (octal), both inclusive",
            ],
        ),
        (
            volume(json!({"secret": {"secretName": "s", "items": [{"key": "k", "path": "/x"}]}})),
            &[
                "spec.volumes[0].secret.items[0].path: Invalid value: \"/x\": must be a relative path",
            ],
        ),
        (
            volume(json!({"persistentVolumeClaim": {"claimName": ""}})),
            &["spec.volumes[0].persistentVolumeClaim.claimName: Required value"],
        ),
        (
            volume(json!({"nfs": {"server": "s", "path": "x"}})),
            &["spec.volumes[0].nfs.path: Invalid value: \"x\": must be an absolute path"],
        ),
        (
            volume(json!({"downwardAPI": {"items": [{"path": "p"}]}})),
            &["spec.volumes[0].downwardAPI: Required value: one of fieldRef and resourceFieldRef \
               is required"],
        ),
        (
            volume(json!({"projected": {"sources": [
                {"serviceAccountToken": {"path": "t", "expirationSeconds": 60}}]}})),
            &[
                "spec.volumes[0].projected.sources[0].serviceAccountToken.expirationSeconds: \
                 Invalid value: 60: may not specify a duration less than 10 minutes",
                "spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be \
                 specified when serviceAccountName is not set",
            ],
        ),
        (
            volume(json!({"csi": {"driver": ""}})),
            &[
                "spec.volumes[0].csi.driver: Required value",
                "spec.volumes[0].csi.driver: Invalid value: \"\": a lowercase RFC 1123 subdomain \
                 must consist of lower case alphanumeric characters, '-' or '.', and must start \
                 and end with an alphanumeric character (e.g. 'example.com', regex used for \
                 validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')",
            ],
        ),
        (
            volume(json!({"ephemeral": {"volumeClaimTemplate": {"spec": {}}}})),
            &[
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.accessModes: Required value: \
                 at least 1 access mode is required",
                "spec.volumes[0].ephemeral.volumeClaimTemplate.spec.resources[storage]: Required \
                 value",
            ],
        ),
        (
            spec(json!({"volumes": [{"name": "v"}, {"name": "v"}]})),
            &["spec.volumes[1].name: Duplicate value: \"v\""],
        ),
    ]);
}

#[test]
fn volume_mounts() {
    let mount = |mount: Value| {
        let mounts = json!([merged(json!({"name": "v", "mountPath": "/v"}), mount)]);
        merged(with(json!({"volumeMounts": mounts})), json!({"volumes": [{"name": "v"}]}))
    };
    check(&[
        (mount(json!({})), &[]),
        (
            with(json!({"volumeMounts": [{"name": "v", "mountPath": "/v"}]})),
            &["spec.containers[0].volumeMounts[0].name: Not found: \"v\""],
        ),
        (
            mount(json!({"subPath": "../x", "subPathExpr": "y"})),
            &[
                "spec.containers[0].volumeMounts.subPath: Invalid value: \"../x\": must not \
                 contain '..'",
                "spec.containers[0].volumeMounts[0].subPathExpr: Invalid value: \"y\": \
                 subPathExpr and subPath are mutually exclusive",
            ],
        ),
        (
            mount(json!({"mountPropagation": "Bidirectional"})),
            &["spec.containers[0].volumeMounts.mountPropagation: Forbidden: Bidirectional mount \
               propagation is available only to privileged containers"],
        ),
        (
            merged(
                with(json!({"volumeDevices": [{"name": "v", "devicePath": "/dev/x"}]})),
                json!({"volumes": [{"name": "v"}]}),
            ),
            &["spec.containers[0].volumeDevices[0].name: Invalid value: \"v\": can only use \
               volume source type of PersistentVolumeClaim or Ephemeral for block mode"],
        ),
    ]);
}

#[test]
fn probes_and_hooks() {
    let live = |probe: Value| with(json!({ "livenessProbe": probe }));
    check(&[
        (
            live(json!({})),
            &["spec.containers[0].livenessProbe: Required value: must specify a handler type"],
        ),
        (
            live(json!({"exec": {"command": ["a"]}, "tcpSocket": {"port": 80}})),
            &[
                "spec.containers[0].livenessProbe.tcpSocket: Forbidden: may not specify more than 1 \
               handler type",
            ],
        ),
        (
            live(json!({"httpGet": {"port": "HTTP!"}, "successThreshold": 2})),
            &[
                "spec.containers[0].livenessProbe.httpGet.port: Invalid value: \"HTTP!\": must \
                 contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)",
                "spec.containers[0].livenessProbe.httpGet.port: Invalid value: \"HTTP!\": must \
                 contain at least one letter (a-z)",
                "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
            ],
        ),
        (
            live(json!({"tcpSocket": {"port": 80}, "periodSeconds": -1})),
            &[
                "spec.containers[0].livenessProbe.periodSeconds: Invalid value: -1: must be greater \
               than or equal to 0",
            ],
        ),
        (
            with(json!({"lifecycle": {"preStop": {"sleep": {"seconds": 31}}}})),
            &["spec.containers[0].lifecycle.preStop.sleep: Invalid value: 31: must be \
               non-negative and less than terminationGracePeriodSeconds (30)"],
        ),
        (
            with(json!({"lifecycle": {"postStart": {"exec": {}}}})),
            &["spec.containers[0].lifecycle.postStart.exec.command: Required value"],
        ),
    ]);
}

#[test]
fn requests_and_limits() {
    let resources = |resources: Value| with(json!({ "resources": resources }));
    check(&[
        (
            resources(json!({"requests": {"cpu": "2"}, "limits": {"cpu": "1"}})),
            &["spec.containers[0].resources.requests: Invalid value: \"2\": must be less than or \
               equal to cpu limit of 1"],
        ),
        (
            resources(json!({"limits": {"memory": "-1Mi"}})),
            &[
                "spec.containers[0].resources.limits[memory]: Invalid value: \"-1Mi\": must be \
                 greater than or equal to 0",
                "spec.containers[0].resources.requests[memory]: Invalid value: \"-1Mi\": must be \
                 greater than or equal to 0",
            ],
        ),
        (
            resources(json!({"requests": {"gpu": "1"}})),
            &[
                "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a \
                 standard resource type or fully qualified",
                "spec.containers[0].resources.requests[gpu]: Invalid value: gpu: must be a \
                 standard resource for containers",
            ],
        ),
        (
            resources(json!({"requests": {"storage": "1"}})),
            &["spec.containers[0].resources.requests[storage]: Invalid value: storage: must \
               be a standard resource for containers"],
        ),
        (
            resources(json!({"requests": {"acme.com/gpu": "1"}})),
            &["spec.containers[0].resources.limits: Required value: Limit must be set for non \
               overcommitable resources"],
        ),
        (
            resources(json!({"requests": {"acme.com/gpu": "1"}, "limits": {"acme.com/gpu": "2"}})),
            &["spec.containers[0].resources.requests: Invalid value: \"1\": must be equal to \
               acme.com/gpu limit of 2"],
        ),
        (
            resources(json!({"limits": {"hugepages-2Mi": "3Mi"}})),
            &[
                "spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: \"3Mi\": 3Mi \
                 is not positive integer multiple of hugepages-2Mi",
                "spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: \"3Mi\": \
                 3Mi is not positive integer multiple of hugepages-2Mi",
                "spec.containers[0].resources: Forbidden: HugePages require cpu or memory",
            ],
        ),
    ]);
}

#[test]
fn security_contexts() {
    let context = |context: Value| with(json!({ "securityContext": context }));
    let own = |context: Value| spec(json!({ "securityContext": context }));
    check(&[
        (
            context(json!({"runAsUser": -1})),
            &[
                "spec.containers[0].securityContext.runAsUser: Invalid value: -1: must be between 0 \
               and 2147483647, inclusive",
            ],
        ),
        (
            context(json!({"allowPrivilegeEscalation": false, "privileged": true})),
            &["spec.containers[0].securityContext: Invalid value: core.SecurityContext{\
               Capabilities:(*core.Capabilities)(nil), Privileged:(*bool)(0xc000a5f0e0), \
               SELinuxOptions:(*core.SELinuxOptions)(nil), \
               WindowsOptions:(*core.WindowsSecurityContextOptions)(nil), \
               RunAsUser:(*int64)(nil), RunAsGroup:(*int64)(nil), RunAsNonRoot:(*bool)(nil), \
               ReadOnlyRootFilesystem:(*bool)(nil), \
               AllowPrivilegeEscalation:(*bool)(0xc000a5f0e0), \
               ProcMount:(*core.ProcMountType)(nil), \
               SeccompProfile:(*core.SeccompProfile)(nil), \
               AppArmorProfile:(*core.AppArmorProfile)(nil)}: cannot set \
               `allowPrivilegeEscalation` to false and `privileged` to true"],
        ),
        (
            own(json!({"seccompProfile": {"type": "Localhost"}})),
            &["spec.securityContext.seccompProfile.localhostProfile: Required value: must be set \
               when seccomp type is Localhost"],
        ),
        (
            own(json!({"sysctls": [{"name": "Net", "value": "1"}]})),
            &["spec.securityContext.sysctls[0].name: Invalid value: \"Net\": must have at most \
               253 characters and match regex \
               ^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$"],
        ),
        (
            own(json!({"fsGroupChangePolicy": "Never"})),
            &["spec.securityContext.fsGroupChangePolicy: Unsupported value: \"Never\": supported \
               values: \"Always\", \"OnRootMismatch\""],
        ),
        (
            spec(json!({"hostUsers": false, "hostPID": true})),
            &["spec.HostPID: Forbidden: when `pod.Spec.HostUsers` is false"],
        ),
    ]);
}

#[test]
fn placement() {
    let node = |terms: Value| {
        spec(json!({"affinity": {"nodeAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}}))
    };
    let pods = |term: Value| {
        spec(json!({"affinity": {"podAntiAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}))
    };
    let spread = |constraint: Value| spec(json!({"topologySpreadConstraints": [constraint]}));
    check(&[
        (
            node(json!([])),
            &["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.\
               nodeSelectorTerms: Required value: must have at least one node selector term"],
        ),
        (
            node(json!([{"matchExpressions": [{"key": "a", "operator": "Gt", "values": []}]}])),
            &["spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.\
               nodeSelectorTerms[0].matchExpressions[0].values: Required value: must be specified \
               single value when `operator` is 'Lt' or 'Gt'"],
        ),
        (
            pods(json!({"topologyKey": "zone", "matchLabelKeys": ["a"]})),
            &["spec.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0].\
               matchLabelKeys: Forbidden: must not be specified when labelSelector is not set"],
        ),
        (
            spread(json!({"maxSkew": 0, "topologyKey": "", "whenUnsatisfiable": "Wait"})),
            &[
                "spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater \
                 than zero",
                "spec.topologySpreadConstraints[0].topologyKey: Required value: can not be empty",
                "spec.topologySpreadConstraints[0].whenUnsatisfiable: Unsupported value: \
                 \"Wait\": supported values: \"DoNotSchedule\", \"ScheduleAnyway\"",
            ],
        ),
        (
            spec(json!({"tolerations": [{"key": "a", "operator": "In"}]})),
            &["spec.tolerations[0].operator: Unsupported value: \"In\": supported values: \
               \"Equal\", \"Exists\""],
        ),
        (
            spec(json!({"schedulingGates": [{"name": "a"}, {"name": "a"}], "nodeName": "n"})),
            &[
                "spec.schedulingGates[1]: Duplicate value: \"a\"",
                "spec.nodeName: Forbidden: cannot be set until all schedulingGates have been \
                 cleared",
            ],
        ),
    ]);
}

#[test]
fn the_rest_of_the_spec() {
    check(&[
        (
            spec(json!({"restartPolicy": "Sometimes"})),
            &["spec.restartPolicy: Unsupported value: \"Sometimes\": supported values: \
               \"Always\", \"OnFailure\", \"Never\""],
        ),
        (
            spec(json!({"dnsPolicy": "None"})),
            &["spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None"],
        ),
        (spec(json!({"dnsConfig": {"searches": [".", "_tcp.svc."]}})), &[]),
        (
            spec(json!({"dnsConfig": {"nameservers": ["1.2.3"]}})),
            &["spec.dnsConfig.nameservers[0]: Invalid value: \"1.2.3\": must be a valid IP \
               address, (e.g. 10.9.8.7 or 2001:db8::ffff)"],
        ),
        (
            spec(json!({"activeDeadlineSeconds": 0})),
            &["spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, \
               inclusive"],
        ),
        (
            spec(json!({"os": {"name": "plan9"}})),
            &["spec.os: Unsupported value: \"plan9\": supported values: \"linux\", \"windows\""],
        ),
        (
            spec(json!({"os": {"name": "windows"}, "hostPID": true})),
            &["spec.hostPID: Forbidden: cannot be set for a windows pod"],
        ),
        (
            spec(json!({"preemptionPolicy": "Always"})),
            &["spec.preemptionPolicy: Unsupported value: \"Always\": supported values: \
               \"PreemptLowerPriority\", \"Never\""],
        ),
    ]);
}

#[test]
fn several_errors_come_in_upstreams_order() {
    let found = errors(json!({"restartPolicy": "x", "containers": [{"name": "A", "image": ""}]}));
    assert!(found[0].starts_with("spec.containers[0].name: Invalid value: \"A\": a lowercase"));
    assert_eq!(found[1], "spec.containers[0].image: Required value");
    assert!(found[2].starts_with("spec.restartPolicy: "));
}

#[test]
fn updates() {
    let table: &[(Value, Value, &[&str])] = &[
        (with(json!({"image": "a:1"})), with(json!({"image": "a:2"})), &[]),
        (
            spec(json!({"activeDeadlineSeconds": 5})),
            spec(json!({"activeDeadlineSeconds": 6})),
            &["spec.activeDeadlineSeconds: Invalid value: 6: must be less than or equal to \
               previous value"],
        ),
        (
            spec(json!({"tolerations": [{"key": "a", "operator": "Exists"}]})),
            spec(json!({"tolerations": []})),
            &["spec.tolerations: Forbidden: existing toleration can not be modified except its \
               tolerationSeconds"],
        ),
        (
            spec(json!({})),
            spec(json!({"schedulingGates": [{"name": "a"}]})),
            &["spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new \
               scheduling gate 'a'"],
        ),
        (
            spec(json!({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}})),
            spec(json!({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b", "c": "d"}})),
            &[],
        ),
        (
            spec(json!({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "b"}})),
            spec(json!({"schedulingGates": [{"name": "g"}], "nodeSelector": {"a": "c"}})),
            &["spec.nodeSelector: Invalid value: map[string]string{\"a\":\"c\"}: only additions \
               to spec.nodeSelector are allowed (no mutations or deletions)"],
        ),
    ];
    for (old, new, messages) in table {
        let found = texts(super::update(&pod(new.clone()), &pod(old.clone())));
        assert_eq!(found, *messages, "{new}");
    }
    let found = super::update(&pod(spec(json!({"hostname": "b"}))), &pod(spec(json!({}))));
    let start =
        "Forbidden: pod updates may not change fields other than `spec.containers[*].image`";
    assert!(found[0].message.starts_with(start), "{}", found[0].message);
    let two = json!({"containers": [{"name": "a", "image": "b"}, {"name": "c", "image": "b"}]});
    let found = texts(super::update(&pod(two), &pod(with(json!({})))));
    let message = "spec.containers: Forbidden: pod updates may not add or remove containers";
    assert_eq!(found, [message]);
}
