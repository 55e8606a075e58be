//! The first flow, command by command, against the real API server.
//!
//! Expected texts: kubectl v1.33.4's own, from its source and from runs without a cluster.

mod support;

use support::Machine;

const APP: &str = "apiVersion: v1
kind: Pod
metadata:
  name: app-node
  labels:
    app: node
spec:
  containers:
  - name: app-node
    image: kim0lil/80700:v-1.0.0
    ports:
    - containerPort: 8080
---
apiVersion: v1
kind: Service
metadata:
  name: app-service
spec:
  selector:
    app: node
  ports:
  - port: 80
    targetPort: 8080
";

fn machine() -> Machine {
    let mut machine = Machine::new();
    machine.write("/root/app.yml", APP);
    machine
}

#[test]
fn creates_what_a_file_describes() {
    let mut machine = machine();
    assert_eq!(
        machine.ok("kubectl create -f app.yml"),
        "pod/app-node created\nservice/app-service created\n"
    );
    assert_eq!(
        machine.fails("kubectl create -f app.yml"),
        "Error from server (AlreadyExists): error when creating \"app.yml\": pods \"app-node\" \
         already exists\nError from server (AlreadyExists): error when creating \"app.yml\": \
         services \"app-service\" already exists\n"
    );
    let output = machine.run_with("kubectl create -n kube-public -f -", APP);
    assert_eq!(output.stdout, "pod/app-node created\nservice/app-service created\n");
}

#[test]
fn bad_input_is_named() {
    let mut machine = Machine::new();
    machine.write("/root/broken.yml", "apiVersion: v1\nkind: Pod\nmetadata:\n name: x\n  a: b\n");
    machine.write("/root/pood.yml", "apiVersion: v1\nkind: Pood\nmetadata:\n  name: x\n");
    machine.write("/root/bare.yml", "metadata:\n  name: x\n");
    for (line, expected) in [
        ("kubectl create -f nofile", "error: the path \"nofile\" does not exist\n"),
        ("kubectl create", "error: must specify one of -f and -k\n"),
        (
            "kubectl create -f broken.yml",
            "error: error parsing broken.yml: error converting YAML to JSON: yaml: line 5: mapping \
             values are not allowed in this context\n",
        ),
        (
            "kubectl create -f pood.yml",
            "error: resource mapping not found for name: \"x\" namespace: \"\" from \"pood.yml\": \
             no matches for kind \"Pood\" in version \"v1\"\nensure CRDs are installed first\n",
        ),
        (
            "kubectl create -f bare.yml",
            "error: error validating \"bare.yml\": error validating data: [apiVersion not set, \
             kind not set]; if you choose to ignore these errors, turn validation off with \
             --validate=false\n",
        ),
        ("kubectl get pood", "error: the server doesn't have a resource type \"pood\"\n"),
        ("kubectl get pod x", "Error from server (NotFound): pods \"x\" not found\n"),
        (
            "kubectl get pods pod/a",
            "error: there is no need to specify a resource type as a separate argument when \
             passing arguments in resource/name form (e.g. 'kubectl get resource/<resource_name>' \
             instead of 'kubectl get resource resource/<resource_name>'\n",
        ),
        (
            "kubectl get pods -o foo",
            "error: unable to match a printer suitable for the output format \"foo\", allowed \
             formats are: custom-columns,custom-columns-file,go-template,go-template-file,json,\
             jsonpath,jsonpath-as-json,jsonpath-file,name,template,templatefile,wide,yaml\n",
        ),
        ("kubectl delete pods", "error: resource(s) were provided, but no name was specified\n"),
        ("kubectl delete pod x", "Error from server (NotFound): pods \"x\" not found\n"),
        (
            "kubectl logs x",
            "error: error from server (NotFound): pods \"x\" not found in namespace \"default\"\n",
        ),
        (
            "kubectl exec x date",
            "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND] \
             instead\nSee 'kubectl exec -h' for help and examples\n",
        ),
    ] {
        assert_eq!(machine.fails(line), expected, "{line}");
    }
}

#[test]
fn lists_as_tables() {
    let mut machine = machine();
    let empty = machine.run("kubectl get pods");
    assert_eq!(empty.stderr, "No resources found in default namespace.\n");
    assert_eq!(empty.code, Some(0));
    machine.ok("kubectl create -f app.yml");
    assert_eq!(
        machine.ok("kubectl get pods --show-labels"),
        "NAME       READY   STATUS    RESTARTS   AGE   LABELS\n\
         app-node   0/1     Pending   0          0s    app=node\n"
    );
    machine.advance(65);
    assert_eq!(
        machine.ok("kubectl get pods -o wide"),
        "NAME       READY   STATUS    RESTARTS   AGE   IP       NODE     NOMINATED NODE   READINESS \
         GATES\napp-node   0/1     Pending   0          65s   <none>   <none>   <none>           \
         <none>\n"
    );
    let both = machine.ok("kubectl get po,svc -l app=node --no-headers -o name");
    assert_eq!(both, "pod/app-node\n");
    assert_eq!(machine.ok("kubectl get pods -A -o jsonpath={.items[*].metadata.name}"), "app-node");
    assert_eq!(
        machine
            .ok("kubectl get pod app-node -o custom-columns=NAME:.metadata.name,X:.spec.nodeName"),
        "NAME       X\napp-node   <none>\n"
    );
    let groups = machine.ok("kubectl get pod/app-node svc/app-service");
    assert!(groups.starts_with("NAME           READY"), "{groups}");
    assert!(groups.contains("pod/app-node   0/1"), "{groups}");
    assert!(groups.contains("\n\nNAME                  TYPE"), "{groups}");
}

#[test]
fn watches_until_interrupted() {
    let mut machine = machine();
    let mut job = machine.start("kubectl get pods -w", None);
    let first = machine.poll(&mut job);
    assert_eq!((first.stdout.as_str(), first.code), ("", None));
    machine.ok("kubectl create -f app.yml");
    assert_eq!(
        machine.poll(&mut job).stdout,
        "NAME       READY   STATUS    RESTARTS   AGE\napp-node   0/1     Pending   0          0s\n"
    );
    machine.ok("kubectl delete pod app-node");
    assert_eq!(machine.poll(&mut job).stdout, "app-node   0/1     Pending   0          0s\n");
    machine.interrupt(&job);
    assert_eq!(machine.poll(&mut job).code, Some(130));
}

#[test]
fn deletes() {
    let mut machine = machine();
    machine.ok("kubectl create -f app.yml");
    assert_eq!(
        machine.ok("kubectl delete pod,svc --all --dry-run=server"),
        "pod \"app-node\" deleted (server dry run)\nservice \"app-service\" deleted (server dry \
         run)\nservice \"kubernetes\" deleted (server dry run)\n"
            .replace("service \"kubernetes\" deleted (server dry run)\n", "")
    );
    assert_eq!(
        machine.ok("kubectl delete -f app.yml"),
        "pod \"app-node\" deleted\nservice \"app-service\" deleted\n"
    );
    assert_eq!(machine.ok("kubectl delete pods --all"), "No resources found\n");
}

#[test]
fn runs_a_pod() {
    let mut machine = Machine::new();
    assert_eq!(
        machine
            .ok("kubectl run web --image=nginx --port=80 --env=A=b --dry-run=client -o yaml -- x"),
        "apiVersion: v1
kind: Pod
metadata:
  creationTimestamp: null
  labels:
    run: web
  name: web
spec:
  containers:
  - args:
    - x
    env:
    - name: A
      value: b
    image: nginx
    name: web
    ports:
    - containerPort: 80
    resources: {}
  dnsPolicy: ClusterFirst
  restartPolicy: Always
status: {}
"
    );
    assert_eq!(machine.ok("kubectl run web --image=nginx"), "pod/web created\n");
    assert_eq!(
        machine.ok("kubectl get pod web -o jsonpath='{.metadata.labels}'"),
        "{\"run\":\"web\"}"
    );
    assert_eq!(
        machine.fails("kubectl run web --image=NGINX"),
        "error: Invalid image name \"NGINX\": invalid reference format\n"
    );
    assert_eq!(
        machine.fails("kubectl run web --image=nginx --rm"),
        "error: --rm should only be used for attached containers\nSee 'kubectl run -h' for help \
         and examples\n"
    );
}
