//! Volume kinds that were once built in, and the CSI drivers that stand for them now.
//!
//! Upstream: `staging/src/k8s.io/csi-translation-lib/plugins`.

use k8s_openapi::api::core::v1::{CSIPersistentVolumeSource, PersistentVolumeSpec, Volume};

const GCE: &str = "pd.csi.storage.gke.io";
const AWS: &str = "ebs.csi.aws.com";
/// Stands for what a disk's name does not say.
const UNSPECIFIED: &str = "UNSPECIFIED";

/// The CSI driver that stands for a provisioner that was built in.
pub fn migrated(provisioner: &str) -> Option<&'static str> {
    Some(match provisioner {
        "kubernetes.io/gce-pd" => GCE,
        "kubernetes.io/aws-ebs" => AWS,
        "kubernetes.io/cinder" => "cinder.csi.openstack.org",
        "kubernetes.io/azure-disk" => "disk.csi.azure.com",
        "kubernetes.io/azure-file" => "file.csi.azure.com",
        "kubernetes.io/vsphere-volume" => "csi.vsphere.vmware.com",
        "kubernetes.io/portworx-volume" => "pxd.portworx.com",
        _ => return None,
    })
}

/// The CSI driver of a volume and its handle there; `None` for a volume without one.
pub fn of_volume(spec: &PersistentVolumeSpec) -> Option<(String, String)> {
    if let Some(csi) = &spec.csi {
        return Some((csi.driver.clone(), csi.volume_handle.clone()));
    }
    if let Some(disk) = &spec.gce_persistent_disk {
        return Some((GCE.to_owned(), gce_handle(&disk.pd_name)));
    }
    let disk = spec.aws_elastic_block_store.as_ref()?;
    Some((AWS.to_owned(), aws_handle(&disk.volume_id)))
}

/// The CSI driver of a disk that a pod names itself, and its handle there.
pub fn of_inline(volume: &Volume) -> Option<(String, String)> {
    if let Some(disk) = &volume.gce_persistent_disk {
        return Some((GCE.to_owned(), gce_handle(&disk.pd_name)));
    }
    let disk = volume.aws_elastic_block_store.as_ref()?;
    Some((AWS.to_owned(), aws_handle(&disk.volume_id)))
}

/// What a disk that a pod names itself is called once a CSI driver stands for it.
pub fn inline_name(volume: &Volume) -> Option<String> {
    if let Some(disk) = &volume.gce_persistent_disk {
        return Some(format!("{GCE}-{}", disk.pd_name));
    }
    let disk = volume.aws_elastic_block_store.as_ref()?;
    Some(format!("{AWS}-{}", aws_handle(&disk.volume_id)))
}

/// The name by which a node's status tells that a disk is attached or in use.
///
/// Upstream: `GetUniqueVolumeName` in `pkg/volume/util/util.go`.
pub fn unique_name(driver: &str, handle: &str) -> String {
    format!("kubernetes.io/csi/{driver}^{handle}")
}

/// A persistent volume as which a disk is attached that a pod names itself.
///
/// Upstream: `TranslateInTreeInlineVolumeToCSI` of `gce_pd.go` and `aws_ebs.go`.
pub fn inline_spec(volume: &Volume) -> Option<PersistentVolumeSpec> {
    let (driver, volume_handle) = of_inline(volume)?;
    let (fs_type, read_only, partition, mode) = match &volume.gce_persistent_disk {
        Some(disk) => {
            let read_only = disk.read_only == Some(true);
            let partition = disk.partition.filter(|number| *number != 0);
            let partition = partition.map(|number| number.to_string()).unwrap_or_default();
            let mode = if read_only { "ReadOnlyMany" } else { "ReadWriteOnce" };
            (disk.fs_type.clone(), read_only, partition, mode)
        }
        None => {
            let disk = volume.aws_elastic_block_store.as_ref()?;
            let partition = disk.partition.unwrap_or_default().to_string();
            (disk.fs_type.clone(), disk.read_only == Some(true), partition, "ReadWriteOnce")
        }
    };
    let csi = CSIPersistentVolumeSource {
        driver,
        volume_handle,
        fs_type,
        read_only: read_only.then_some(true),
        volume_attributes: Some([("partition".to_owned(), partition)].into_iter().collect()),
        ..CSIPersistentVolumeSource::default()
    };
    Some(PersistentVolumeSpec {
        access_modes: Some(vec![mode.to_owned()]),
        csi: Some(csi),
        ..PersistentVolumeSpec::default()
    })
}

/// The file system of a volume that has a driver; "" if nobody says.
pub fn fs_type_of(spec: &PersistentVolumeSpec) -> &str {
    let csi = spec.csi.as_ref().and_then(|it| it.fs_type.as_deref());
    let gce = spec.gce_persistent_disk.as_ref().and_then(|it| it.fs_type.as_deref());
    let aws = spec.aws_elastic_block_store.as_ref().and_then(|it| it.fs_type.as_deref());
    csi.or(gce).or(aws).unwrap_or_default()
}

fn gce_handle(name: &str) -> String {
    format!("projects/{UNSPECIFIED}/zones/{UNSPECIFIED}/disks/{name}")
}

/// `aws://zone/vol-1` or `vol-1`: the last part is the disk.
fn aws_handle(id: &str) -> String {
    id.rsplit('/').next().unwrap_or(id).to_owned()
}
