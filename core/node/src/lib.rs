//! A node: kubelet, container runtime, images, programs, volumes, kube-proxy.
