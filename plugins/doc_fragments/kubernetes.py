# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How every module that talks to a Kubernetes cluster finds it: kubernetes.core's options and variables."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - Path of a kubeconfig file, or its content as a mapping.
      - Or a mapping of C(path) (a file) or C(content) (a kubeconfig as a mapping or as text), and C(context), the
        context of it to use. So one variable says which cluster it is, whatever the current context is.
      - Without it E(K8S_AUTH_KUBECONFIG), then the files of E(KUBECONFIG), then the service account of the pod this
        runs in, then C(~/.kube/config) is used.
      - With it, of the variables below only those count that do not say which cluster it is (proxy and impersonation),
        so that a credential in the environment cannot send the task to another cluster.
      - An empty text is refused unless O(host) is set.
      - In check mode, what M(mcpops.platform.aks_kubeconfig) would have written to this path earlier in the run is
        used; a file that does not exist yet makes the task report its whole plan instead of failing.
    type: raw
  context:
    description:
      - Context of the kubeconfig; the one that O(kubeconfig) names, or its current context, if not set.
      - Also read from E(K8S_AUTH_CONTEXT).
    type: str
  host:
    description:
      - URL of the API server, instead of the one in the kubeconfig.
      - With O(api_key), O(username) and O(password), or O(client_cert) and O(client_key), no kubeconfig is needed.
      - Also read from E(K8S_AUTH_HOST).
    type: str
  api_key:
    description:
      - Bearer token.
      - Also read from E(K8S_AUTH_API_KEY).
    type: str
  username:
    description:
      - User name for basic authentication.
      - Also read from E(K8S_AUTH_USERNAME).
    type: str
  password:
    description:
      - Password for basic authentication.
      - Also read from E(K8S_AUTH_PASSWORD).
    type: str
  validate_certs:
    description:
      - Whether the API server's certificate is verified. Unless set, what the kubeconfig says, which is to verify.
      - Also read from E(K8S_AUTH_VERIFY_SSL).
    type: bool
    aliases: [verify_ssl]
  ca_cert:
    description:
      - Path of a PEM file with the authorities that the API server's certificate is verified against.
      - Also read from E(K8S_AUTH_SSL_CA_CERT).
    type: path
    aliases: [ssl_ca_cert]
  client_cert:
    description:
      - Path of a PEM file with a client certificate.
      - Also read from E(K8S_AUTH_CERT_FILE).
    type: path
    aliases: [cert_file]
  client_key:
    description:
      - Path of a PEM file with the key of O(client_cert).
      - Also read from E(K8S_AUTH_KEY_FILE).
    type: path
    aliases: [key_file]
  proxy:
    description:
      - URL of an HTTP proxy to the API server. Unless set, the kubeconfig's C(proxy-url), then E(HTTPS_PROXY).
      - Also read from E(K8S_AUTH_PROXY).
    type: str
  no_proxy:
    description:
      - Names, domains, addresses and networks, separated by commas, that are reached without the proxy. Unless set,
        E(NO_PROXY) excepts from a proxy of the environment.
      - Also read from E(K8S_AUTH_NO_PROXY).
    type: str
  impersonate_user:
    description:
      - User to act as.
      - Also read from E(K8S_AUTH_IMPERSONATE_USER).
    type: str
  impersonate_groups:
    description:
      - Groups to act as.
      - Also read from E(K8S_AUTH_IMPERSONATE_GROUPS), separated by commas.
    type: list
    elements: str
"""
