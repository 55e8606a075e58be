//! `/configz`: the kubelet's configuration with its defaults.
//!
//! Upstream: `component-base/configz`, `SetDefaults_KubeletConfiguration` in
//! `pkg/kubelet/apis/config/v1beta1/defaults.go`, and what kubeadm sets.

use crate::{KubeletConfiguration, NodeConfig, limits};
use naru_api::duration;
use naru_api::quantity::Amount;
use serde_json::{Value, json};

/// `{"kubeletconfig": …}`.
pub(super) fn of(config: &NodeConfig) -> Value {
    let mut all = serde_json::Map::new();
    let kubelet = &config.kubelet;
    let parts =
        [server(config), pods(config), evictions(kubelet), frequencies(), images_and_logs(kubelet)];
    for part in parts {
        if let Value::Object(part) = part {
            all.extend(part);
        }
    }
    json!({ "kubeletconfig": all })
}

/// How it is reached, and how it reaches the API server.
fn server(config: &NodeConfig) -> Value {
    json!({
        "enableServer": true,
        "address": "0.0.0.0",
        "port": 10_250,
        "rotateCertificates": true,
        "authentication": {
            "x509": { "clientCAFile": "/etc/kubernetes/pki/ca.crt" },
            "webhook": { "enabled": true, "cacheTTL": "2m0s" },
            "anonymous": { "enabled": false },
        },
        "authorization": {
            "mode": "Webhook",
            "webhook": { "cacheAuthorizedTTL": "5m0s", "cacheUnauthorizedTTL": "30s" },
        },
        "enableDebuggingHandlers": true,
        "enableProfilingHandler": true,
        "enableDebugFlagsHandler": true,
        "enableSystemLogHandler": true,
        "healthzPort": 10_248,
        "healthzBindAddress": "127.0.0.1",
        "eventRecordQPS": 50,
        "eventBurst": 100,
        "contentType": "application/vnd.kubernetes.protobuf",
        "kubeAPIQPS": 50,
        "kubeAPIBurst": 100,
        "registerNode": true,
        "clusterDomain": config.cluster_domain,
        "clusterDNS": [config.cluster_dns.to_string()],
        "staticPodPath": "/etc/kubernetes/manifests",
    })
}

/// What its pods may have.
fn pods(config: &NodeConfig) -> Value {
    let mut part = json!({
        "maxPods": limits::PODS_MAX,
        "podPidsLimit": config.kubelet.pod_pids_limit.map_or(-1, |it| i64::try_from(it).unwrap_or(i64::MAX)),
        "cgroupsPerQOS": true,
        "cgroupDriver": "systemd",
        "cpuManagerPolicy": "none",
        "memoryManagerPolicy": "None",
        "topologyManagerPolicy": "none",
        "topologyManagerScope": "container",
        "cpuCFSQuota": true,
        "cpuCFSQuotaPeriod": "100ms",
        "hairpinMode": "promiscuous-bridge",
        "resolvConf": "/etc/resolv.conf",
        "oomScoreAdj": -999,
        "maxOpenFiles": 1_000_000,
        "enforceNodeAllocatable": ["pods"],
        "enableControllerAttachDetach": true,
        "makeIPTablesUtilChains": true,
        "iptablesMasqueradeBit": 14,
        "iptablesDropBit": 15,
        "failSwapOn": true,
        "failCgroupV1": false,
        "memorySwap": {},
        "seccompDefault": false,
        "memoryThrottlingFactor": 0.9,
        "localStorageCapacityIsolation": true,
        "configMapAndSecretChangeDetectionStrategy": "Watch",
        "crashLoopBackOff": {},
    });
    if !config.provider_id.is_empty()
        && let Some(part) = part.as_object_mut()
    {
        part.insert("providerID".to_owned(), Value::from(config.provider_id.as_str()));
    }
    part
}

/// When it ends pods. What is empty is not told.
fn evictions(config: &KubeletConfiguration) -> Value {
    let mut part = json!({
        "mergeDefaultEvictionSettings": config.merge_default_eviction_settings,
        "evictionPressureTransitionPeriod":
            duration::go(config.eviction_pressure_transition_period),
    });
    let Some(fields) = part.as_object_mut() else { return part };
    for (name, signals) in [
        ("evictionHard", &config.eviction_hard),
        ("evictionSoft", &config.eviction_soft),
        ("evictionSoftGracePeriod", &config.eviction_soft_grace_period),
        ("evictionMinimumReclaim", &config.eviction_minimum_reclaim),
    ] {
        if !signals.is_empty() {
            fields.insert(name.to_owned(), json!(signals));
        }
    }
    let grace = config.eviction_max_pod_grace_period.as_secs();
    if grace > 0 {
        fields.insert("evictionMaxPodGracePeriod".to_owned(), json!(grace));
    }
    part
}

fn frequencies() -> Value {
    json!({
        "syncFrequency": "1m0s",
        "fileCheckFrequency": "20s",
        "httpCheckFrequency": "20s",
        "nodeStatusUpdateFrequency": "10s",
        "nodeStatusReportFrequency": "5m0s",
        "nodeLeaseDurationSeconds": 40,
        "streamingConnectionIdleTimeout": "4h0m0s",
        "runtimeRequestTimeout": "2m0s",
        "cpuManagerReconcilePeriod": "10s",
        "volumeStatsAggPeriod": "1m0s",
        "shutdownGracePeriod": "0s",
        "shutdownGracePeriodCriticalPods": "0s",
    })
}

fn images_and_logs(config: &KubeletConfiguration) -> Value {
    let log_size = i64::try_from(config.container_log_max_size).unwrap_or(i64::MAX);
    json!({
        "containerRuntimeEndpoint": "unix:///run/containerd/containerd.sock",
        "registryPullQPS": 5,
        "registryBurst": 10,
        "serializeImagePulls": true,
        "nodeStatusMaxImages": 50,
        "imageMinimumGCAge": duration::go(config.image_minimum_gc_age),
        "imageMaximumGCAge": "0s",
        "imageGCHighThresholdPercent": config.image_gc_high_threshold_percent,
        "imageGCLowThresholdPercent": config.image_gc_low_threshold_percent,
        "volumePluginDir": "/usr/libexec/kubernetes/kubelet-plugins/volume/exec/",
        "podLogsDir": "/var/log/pods",
        "containerLogMaxSize": Amount::from_bytes(log_size).to_string(),
        "containerLogMaxFiles": config.container_log_max_files,
        "containerLogMaxWorkers": 1,
        "containerLogMonitorInterval": "10s",
        "logging": {
            "format": "text",
            "flushFrequency": "5s",
            "verbosity": 0,
            "options": {
                "text": { "infoBufferSize": "0" },
                "json": { "infoBufferSize": "0" },
            },
        },
    })
}
