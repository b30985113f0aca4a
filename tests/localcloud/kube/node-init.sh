#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-3.0-or-later
# PID 1 of one cluster. The node helper starts it inside new PID, mount, network, IPC, UTS and cgroup namespaces;
# whatever it mounts, routes or starts dies with it, which is what makes teardown one kill.
# LC_* variables come from localcloud/kube/namespaces.py.
set -u
exec </dev/null
umask 022 # containerd and kubelet make directories that container users must be able to enter
dir=$LC_DIRECTORY pki=$LC_DIRECTORY/pki

### mounts: a private copy of the tree, own /run, /sys (of this network namespace) and view of the cgroups
mount --make-rslave / && mount --make-rshared /
kind=$(stat -fc %T /sys/fs/cgroup)
controllers=$(awk '$3=="cgroup" && $2 ~ /^\/sys\/fs\/cgroup\//{sub(".*/","",$2); print $2}' /proc/mounts | sort -u)
umount -R -l /sys # stale entries in mountinfo confuse runc and cAdvisor
mount -t tmpfs -o mode=755 tmpfs /run
# kubelet hard-codes /var/lib/kubelet/device-plugins and /var/log/containers; two clusters must not share them
case $dir/ in
/var/lib/*) mkdir -p /var/lib/kubelet ;;
*) mount -t tmpfs -o mode=755 tmpfs /var/lib && mkdir /var/lib/kubelet ;;
esac
mount --bind "$dir/varlog" /var/log
mount -t sysfs sysfs /sys
if [ "$kind" = cgroup2fs ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  # the root of the view can delegate only when no process sits in it
  mkdir -p /sys/fs/cgroup/init && echo $$ >/sys/fs/cgroup/init/cgroup.procs
  for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control 2>/dev/null
  done
else
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for controller in $controllers; do
    mkdir -p "/sys/fs/cgroup/$controller"
    option=$controller
    [ "$controller" = systemd ] && option=none,name=systemd
    mount -t cgroup -o "$option" cgroup "/sys/fs/cgroup/$controller"
  done
fi
# kubelet insists on these kernel-wide values and would set them for the whole machine: show it what it wants to see
mkdir -p /run/sysctl
while read -r file value; do
  shown=/run/sysctl/${file//\//.}
  echo "$value" >"$shown"
  mount --bind "$shown" "/proc/sys/$file"
done <<EOF
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
EOF

### network: the node's address on the veth, a default route so that ClusterIPs have one before they are translated
hostname "$LC_NODE_NAME"
ip link set lo up
for _ in $(seq 400); do # the helper moves eth0 in
  ip link show eth0 >/dev/null 2>&1 && break
  sleep 0.02
done
ip link set eth0 up
ip addr add "$LC_NODE_ADDRESS/30" dev eth0
ip route add default via "$LC_HOST_ADDRESS"
# what kube-proxy does not translate is for nobody; by the default route it would come back
for network in $LC_LOAD_BALANCERS; do
  ip route add unreachable "$network"
done
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
# for pods on the bridge to reach ClusterIPs of pods on the same bridge, where the kernel has the module
[ -e /proc/sys/net/bridge/bridge-nf-call-iptables ] && echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables

export PATH=$LC_BINARIES:$LC_PARTS/usr/bin:$LC_PARTS/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin
# A start is 8 s of processor instead of 9 when the memory for it is there (120 MB more for the API server), and 12 %
# less of it where a cluster does not spread over every core: there is seldom only one cluster.
export HOME=$dir GOGC=400 GOMAXPROCS=$((($(nproc) + 1) / 2))
# Only the host's end of the veth may come in. Out may go what is for the local cloud's own servers, nothing else:
# neither other services of the host nor, where the host forwards, the world.
nft -f - <<EOF || { echo "the packet filter was refused" >&2; exit 1; }
table inet localcloud {
  chain incoming {
    type filter hook prerouting priority -310
    iifname "eth0" meta nfproto ipv4 ip saddr != { $LC_HOST_ADDRESS, $LC_CLOUD_ADDRESS } drop
    iifname "eth0" meta nfproto ipv6 drop
  }
  chain outgoing {
    type filter hook postrouting priority 0
    oifname "eth0" ct state new ip daddr $LC_CLOUD_ADDRESS tcp dport { $LC_CLOUD_PORTS } accept
    oifname "eth0" ct state new counter drop
  }
  # the host knows no route to pods
  chain pods {
    type nat hook postrouting priority 100
    oifname "eth0" ip saddr $LC_POD_NETWORK masquerade
  }
}
EOF

# The first packet of every connection from or to a pod waits for the verdict of network-policies; while that does not
# run, it is dropped. By iptables' extension: nft's own `queue` is missing from small kernels. INPUT is for what pods
# send to this node, the API server above all, whose address their requests have by then. The node's own requests
# (kubelet's probes) are never asked about.
if [ -n "$LC_POLICY_QUEUE" ]; then
  for hook in INPUT POSTROUTING; do
    iptables -t mangle -A $hook -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT &&
      { [ $hook = INPUT ] || iptables -t mangle -A $hook -m owner --uid-owner 0 -j ACCEPT; } &&
      iptables -t mangle -A $hook -s "$LC_POD_NETWORK" -j NFQUEUE --queue-num "$LC_POLICY_QUEUE" &&
      iptables -t mangle -A $hook -d "$LC_POD_NETWORK" -j NFQUEUE --queue-num "$LC_POLICY_QUEUE" || {
      echo "the packet filter cannot queue, so NetworkPolicies cannot be enforced" >&2
      exit 1
    }
  done
fi

# start NAME COMMAND...: run, and run again when it ends (an API server that came up before etcd, a crash)
start() {
  local name=$1
  shift
  while :; do
    "$@" >>"$dir/log/$name.log" 2>&1
    echo "$(date -u +%FT%TZ) $name ended: $?" >&2
    sleep 1
  done &
}

start etcd etcd --name default --data-dir "$dir/etcd" --log-level warn \
  --listen-client-urls https://127.0.0.1:2379 --advertise-client-urls https://127.0.0.1:2379 \
  --listen-peer-urls http://127.0.0.1:2380 --initial-advertise-peer-urls http://127.0.0.1:2380 \
  --initial-cluster default=http://127.0.0.1:2380 --unsafe-no-fsync \
  --client-cert-auth --trusted-ca-file "$pki/ca.crt" --cert-file "$pki/etcd.crt" --key-file "$pki/etcd.key"
# a refused connection would cost the API server a second before it tries again
for _ in $(seq 200); do
  (: </dev/tcp/127.0.0.1/2379) 2>/dev/null && break
  sleep 0.02
done
# the first issuer is in the tokens that are given out, those of either are taken
issuers=()
[ -z "$LC_OIDC_ISSUER" ] || issuers+=("--service-account-issuer=$LC_OIDC_ISSUER")
issuers+=(--service-account-issuer=https://kubernetes.default.svc.cluster.local)
start kube-apiserver kube-apiserver --bind-address=0.0.0.0 --advertise-address="$LC_NODE_ADDRESS" \
  --secure-port="$LC_API_PORT" --etcd-servers=https://127.0.0.1:2379 --etcd-cafile="$pki/ca.crt" \
  --etcd-certfile="$pki/etcd.crt" --etcd-keyfile="$pki/etcd.key" \
  --service-cluster-ip-range="$LC_SERVICE_NETWORK" --authorization-mode=Node,RBAC \
  --enable-admission-plugins=NodeRestriction --allow-privileged=true --anonymous-auth=true --profiling=false \
  --authentication-config="$dir/authentication.json" \
  --audit-policy-file="$dir/audit/policy.yaml" --audit-log-path="$dir/audit/audit.log" --audit-log-maxsize=100 \
  --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
  "${issuers[@]}" \
  --service-account-key-file="$pki/sa.pub" --service-account-signing-key-file="$pki/sa.key" \
  --kubelet-client-certificate="$pki/apiserver-kubelet-client.crt" \
  --kubelet-client-key="$pki/apiserver-kubelet-client.key" \
  --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
  --proxy-client-cert-file="$pki/front-proxy-client.crt" --proxy-client-key-file="$pki/front-proxy-client.key" \
  --requestheader-client-ca-file="$pki/front-proxy-ca.crt" --requestheader-allowed-names=front-proxy-client \
  --requestheader-extra-headers-prefix=X-Remote-Extra- --requestheader-group-headers=X-Remote-Group \
  --requestheader-username-headers=X-Remote-User
# at the default 20 requests a second its sixty controllers need five seconds to fetch their tokens
start kube-controller-manager kube-controller-manager --bind-address=127.0.0.1 --leader-elect=false \
  --kube-api-qps=400 --kube-api-burst=800 \
  --profiling=false --kubeconfig="$pki/controller-manager.kubeconfig" \
  --authentication-kubeconfig="$pki/controller-manager.kubeconfig" \
  --authorization-kubeconfig="$pki/controller-manager.kubeconfig" --use-service-account-credentials=true \
  --service-account-private-key-file="$pki/sa.key" --root-ca-file="$pki/ca.crt" --client-ca-file="$pki/ca.crt" \
  --requestheader-client-ca-file="$pki/front-proxy-ca.crt" \
  --cluster-signing-cert-file="$pki/ca.crt" --cluster-signing-key-file="$pki/ca.key" \
  --flex-volume-plugin-dir="$dir/kubelet/volumeplugins" --allocate-node-cidrs=true \
  --cluster-cidr="$LC_POD_NETWORK" --service-cluster-ip-range="$LC_SERVICE_NETWORK"
start kube-scheduler kube-scheduler --bind-address=127.0.0.1 --leader-elect=false --profiling=false \
  --kubeconfig="$pki/scheduler.kubeconfig" --authentication-kubeconfig="$pki/scheduler.kubeconfig" \
  --authorization-kubeconfig="$pki/scheduler.kubeconfig"
start containerd containerd --config "$dir/containerd.toml"
start kubelet kubelet --config="$dir/kubelet.yaml" --kubeconfig="$pki/kubelet.kubeconfig" --root-dir="$dir/kubelet" \
  --hostname-override="$LC_NODE_NAME" --node-ip="$LC_NODE_ADDRESS" \
  --image-credential-provider-config="$dir/credential-provider/config.yaml" \
  --image-credential-provider-bin-dir="$dir/credential-provider/bin"
start kube-proxy kube-proxy --config="$dir/kube-proxy.yaml" --hostname-override="$LC_NODE_NAME"
start volumes local-path-provisioner start --kubeconfig "$pki/volumes.kubeconfig" --provisioner-name rancher.io/local-path \
  --namespace kube-system --service-account-name volume-helper --config "$dir/volume-provisioner/config.json" \
  --helper-pod-file "$dir/volume-provisioner/helper-pod.yaml"
start load-balancers env PYTHONPATH="$LC_PACKAGES" "$LC_PYTHON" -B -m localcloud.kube.load_balancers "$dir"
if [ -n "$LC_POLICY_QUEUE" ]; then
  start network-policies network-policies --kubeconfig "$pki/network-policies.kubeconfig" --node "$LC_NODE_NAME" \
    --queue "$LC_POLICY_QUEUE"
fi

# bash reaps the orphans; PID 1 stays until it is killed
while :; do
  sleep 3600 &
  wait $!
done
