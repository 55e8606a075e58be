//! Copies of what manifests there are on the internet, by their addresses, on every machine that has
//! kubectl: `kubectl apply -f URL` reads them, since there is no internet.

use naru_shell::{Errno, Text, Vfs};

/// Where the copies lie.
const FOLDER: &str = "/usr/share/mirror";

/// A text as a file that nobody has read.
macro_rules! text {
    ($text:expr) => {{
        const BYTES: usize = $text.len();
        Text::new(BYTES, || $text)
    }};
}

const FLANNEL: Text = text!(include_str!("../../../assets/manifests/kube-flannel.yaml"));
const CALICO: Text = text!(include_str!("../../../assets/manifests/calico.yaml"));

const INGRESS_CLOUD: Text =
    text!(include_str!("../../../assets/manifests/ingress-nginx-cloud.yaml"));
const INGRESS_METAL: Text =
    text!(include_str!("../../../assets/manifests/ingress-nginx-baremetal.yaml"));
const INGRESS_KIND: Text = text!(include_str!("../../../assets/manifests/ingress-nginx-kind.yaml"));

const METRICS_ADAPTER: Text = text!(naru_addons::metricsadapter::MANIFEST);
const METRICS_SERVER: Text = text!(naru_addons::metricsserver::MANIFEST);
const METALLB: Text = text!(naru_addons::metallb::MANIFEST);

/// What the CSI driver of host directories is installed by, as its guide says.
macro_rules! csi_hostpath {
    ($name:literal) => {
        text!(include_str!(concat!("../../../assets/manifests/csi-hostpath/", $name, ".yaml")))
    };
}

/// Addresses without `https://`, and what is there.
const COPIES: [(&str, Text); 32] = [
    (
        "raw.githubusercontent.com/kubernetes-csi/external-provisioner/v5.2.0/deploy/kubernetes/rbac.yaml",
        csi_hostpath!("rbac-provisioner"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/external-attacher/v4.8.0/deploy/kubernetes/rbac.yaml",
        csi_hostpath!("rbac-attacher"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/external-resizer/v1.13.1/deploy/kubernetes/rbac.yaml",
        csi_hostpath!("rbac-resizer"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/external-snapshotter/v8.2.0/deploy/kubernetes/csi-snapshotter/rbac-csi-snapshotter.yaml",
        csi_hostpath!("rbac-snapshotter"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/external-health-monitor/v0.14.0/deploy/kubernetes/external-health-monitor-controller/rbac.yaml",
        csi_hostpath!("rbac-health-monitor"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/deploy/kubernetes-1.30/hostpath/csi-hostpath-driverinfo.yaml",
        csi_hostpath!("driverinfo"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/deploy/kubernetes-1.30/hostpath/csi-hostpath-plugin.yaml",
        csi_hostpath!("plugin"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/examples/csi-storageclass.yaml",
        csi_hostpath!("storageclass"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/examples/csi-pvc.yaml",
        csi_hostpath!("pvc"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/examples/csi-app.yaml",
        csi_hostpath!("app"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-csi/csi-driver-host-path/v1.17.0/examples/csi-app-inline.yaml",
        csi_hostpath!("app-inline"),
    ),
    (
        "raw.githubusercontent.com/kubernetes-sigs/custom-metrics-apiserver/master/test-adapter-deploy/testing-adapter.yaml",
        METRICS_ADAPTER,
    ),
    (
        "github.com/kubernetes-sigs/metrics-server/releases/latest/download/components.yaml",
        METRICS_SERVER,
    ),
    (
        "github.com/kubernetes-sigs/metrics-server/releases/download/v0.7.2/components.yaml",
        METRICS_SERVER,
    ),
    ("github.com/flannel-io/flannel/releases/latest/download/kube-flannel.yml", FLANNEL),
    ("github.com/flannel-io/flannel/releases/download/v0.27.0/kube-flannel.yml", FLANNEL),
    ("raw.githubusercontent.com/flannel-io/flannel/master/Documentation/kube-flannel.yml", FLANNEL),
    ("raw.githubusercontent.com/coreos/flannel/master/Documentation/kube-flannel.yml", FLANNEL),
    ("raw.githubusercontent.com/projectcalico/calico/v3.28.2/manifests/calico.yaml", CALICO),
    ("raw.githubusercontent.com/projectcalico/calico/master/manifests/calico.yaml", CALICO),
    ("docs.projectcalico.org/manifests/calico.yaml", CALICO),
    // What stood at these old addresses is of API versions that are gone: today's is there instead.
    ("docs.projectcalico.org/v3.8/manifests/calico.yaml", CALICO),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/nginx-0.24.1/deploy/mandatory.yaml",
        INGRESS_CLOUD,
    ),
    ("kind.sigs.k8s.io/examples/ingress/deploy-ingress-nginx.yaml", INGRESS_KIND),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.12.2/deploy/static/provider/cloud/deploy.yaml",
        INGRESS_CLOUD,
    ),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/main/deploy/static/provider/cloud/deploy.yaml",
        INGRESS_CLOUD,
    ),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.12.2/deploy/static/provider/baremetal/deploy.yaml",
        INGRESS_METAL,
    ),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/main/deploy/static/provider/baremetal/deploy.yaml",
        INGRESS_METAL,
    ),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/controller-v1.12.2/deploy/static/provider/kind/deploy.yaml",
        INGRESS_KIND,
    ),
    (
        "raw.githubusercontent.com/kubernetes/ingress-nginx/main/deploy/static/provider/kind/deploy.yaml",
        INGRESS_KIND,
    ),
    (
        "raw.githubusercontent.com/metallb/metallb/v0.14.9/config/manifests/metallb-native.yaml",
        METALLB,
    ),
    (
        "raw.githubusercontent.com/metallb/metallb/main/config/manifests/metallb-native.yaml",
        METALLB,
    ),
];

/// Lays the copies down on a machine.
pub fn lay(fs: &mut Vfs) -> Result<(), Errno> {
    for (place, text) in COPIES {
        let path = format!("{FOLDER}/{place}");
        fs.mkdir_all(path.rsplit_once('/').map_or("/", |(folder, _)| folder))?;
        fs.lay_text(&path, text)?;
    }
    Ok(())
}
