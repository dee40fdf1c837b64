"""A Kubernetes cluster for tests: a real API server on the wire, in which a Pod is a real process of this machine.

    with Cluster() as cluster:
        api = kubernetes.config.new_client_from_config(str(cluster.kubeconfig))

A Pod has its own network, processes, /tmp, home and volumes, and reads the host's programs as its image. So two Pods
may listen on the same port, nothing survives a Pod but its PersistentVolumeClaims, and its mounts are where its spec
says. Not modelled, so that no test here can say anything about it:

- images (a name stands for nothing but the host's programs), registries and their secrets;
- the network between Pods and out of them: a Pod has only its loopback (or the host's with `hostNetwork`), so its
  address, Services and NetworkPolicies are only written down;
- limits: cgroups, ephemeral storage, seccomp, capabilities, user namespaces and read-only roots are written down; the
  user and the groups are real;
- more than one node or one container of a Pod, scheduling by anything but room and labels, storage classes (a claim
  is bound at once, and is no larger or smaller than the disk);
- terminals; SPDY on the raw socket; protobuf; tables; subresources but status and those of streams; validation of an
  object's fields; owners of fields in server-side apply; finalizers; quotas; webhooks; fairness between clients (429
  comes only when a test says so);
- the real controllers of agents.x-k8s.io: these go by what the real ones are known to do, without their races;
- the pages of one list show each its own moment, not that of the first.
"""

from __future__ import annotations

from support.kubernetes.cluster import Cluster
from support.kubernetes.containers import Image, why_not_here
from support.kubernetes.requests import Request

__all__ = ["Cluster", "Image", "Request", "why_not_here"]
