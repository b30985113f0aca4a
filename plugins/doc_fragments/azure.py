# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How every Azure module is told who asks, and which cloud."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  auth_source:
    description:
      - Where the credentials come from. Options always win over variables.
      - V(auto) takes the first of these that is complete, the options and variables of a service principal (secret,
        certificate or federated token), the section O(profile) (V(default) if not set) of C(~/.azure/credentials), a
        managed identity that announces itself by E(IDENTITY_ENDPOINT), the Azure CLI's login. It is what holds
        without this option and its variable.
      - V(env) takes options and variables only, V(credential_file) the section O(profile), V(cli) the Azure CLI's
        login and subscription, V(msi) the managed identity of the machine (O(client_id) names a user-assigned one),
        V(workload_identity) the federated token in the file named by E(AZURE_FEDERATED_TOKEN_FILE).
      - The variable E(ANSIBLE_AZURE_AUTH_SOURCE) stands for it.
    type: str
    choices: [auto, cli, credential_file, env, msi, workload_identity]
  profile:
    description: Section of C(~/.azure/credentials); E(AZURE_PROFILE) stands for it.
    type: str
  subscription_id:
    description: Id of the subscription; E(AZURE_SUBSCRIPTION_ID) stands for it.
    type: str
  client_id:
    description: Application id of the service principal or identity; E(AZURE_CLIENT_ID) stands for it.
    type: str
  secret:
    description: Secret of the service principal; E(AZURE_SECRET) or E(AZURE_CLIENT_SECRET) stand for it.
    type: str
  tenant:
    description: Id or domain of the tenant; E(AZURE_TENANT) or E(AZURE_TENANT_ID) stand for it.
    type: str
  x509_certificate_path:
    description:
      - PEM or PKCS12 file with certificate and private key of the service principal, instead of O(secret).
      - E(AZURE_X509_CERTIFICATE_PATH) or E(AZURE_CLIENT_CERTIFICATE_PATH) stand for it.
    type: path
  thumbprint:
    description: Accepted as in azure.azcollection; it is computed from O(x509_certificate_path).
    type: str
  cloud_environment:
    description:
      - V(AzureCloud) (if not set), V(AzureChinaCloud), V(AzureUSGovernment), or the https URL of the Azure Resource
        Manager of any other cloud, whose endpoints are read from its C(/metadata/endpoints).
      - E(AZURE_CLOUD_ENVIRONMENT) stands for it. E(AZURE_AUTHORITY_HOST) overrides where tokens are asked for.
    type: str
  cert_validation_mode:
    description:
      - V(ignore) does not check certificates. V(validate) (if not set) checks them against the file named by
        E(REQUESTS_CA_BUNDLE) or E(SSL_CERT_FILE), or well-known authorities.
      - E(AZURE_CERT_VALIDATION_MODE) stands for it.
    type: str
    choices: [validate, ignore]
  disable_instance_discovery:
    description:
      - Whether not to ask Microsoft whether the authority is genuine; needed where Microsoft does not know it.
      - If not set, true for a cloud given by its URL and false otherwise. E(AZURE_DISABLE_INSTANCE_DISCOVERY) stands
        for it.
    type: bool
requirements:
  - python >= 3.10
  - azure-identity >= 1.25
  - azure-mgmt-core >= 1.6
notes:
  - One token is asked for per identity and run; tokens are kept in the run's private temporary directory.
  - A request that is throttled, unavailable or cut off is repeated, as long as the service asks or with growing pauses;
    before a change is, everything is read and planned again.
attributes:
  action_group:
    description: Use C(group/mcpops.platform.azure) in C(module_defaults) to set the credentials of all modules.
    support: full
    membership:
      - mcpops.platform.azure
"""

    # what a module that creates resources says about whose they are
    OWNED = r"""
options:
  tags:
    description:
      - Tags; others stay unless O(purge_tags). A tag set to null is removed.
      - Numbers and booleans become the text that they are written as (V(1), V(true)).
    type: dict
  purge_tags:
    description: Whether to remove tags that are not listed in O(tags); the tags of O(owner) stay.
    type: bool
    default: false
  owner:
    description:
      - Who manages the resource. Its tags C(mcpops-collection), C(mcpops-host) and C(mcpops-environment) are set when
        the resource (or a node pool) is created; what is found in place is adopted without them.
    type: dict
    suboptions:
      host:
        description: Inventory host, usually C(inventory_hostname).
        type: str
        required: true
      environment:
        description: Environment of the inventory.
        type: str
  force_delete:
    description: Whether to delete what carries no tags of an owner.
    type: bool
    default: false
"""
