#!/usr/bin/python
# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later


from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_objects
short_description: Make a cluster hold a bundle of Kubernetes objects
version_added: 0.1.0
description:
  - Applies any number of objects as one task by server-side apply with the field manager C(mcpops). Namespaces come
    first, then CustomResourceDefinitions until the API server serves them, then the rest, then custom resources;
    inside a phase all objects go at once.
  - Only declared fields are compared and changed. A field, label, environment variable or list item that disappears
    from the declaration is removed from the object. Objects that stand as declared cost no request of their own; many
    objects of a kind are read by one list.
  - Fields that other managers own are left alone unless O(exclusive=true); a declared field that another manager has
    set to another value is a conflict that names field and manager unless O(force_conflicts=true).
  - What a run can find out only by a dry run, and an admission webhook refuses dry runs, is applied at once; in check
    mode the result says that it would be applied and which webhook refuses.
  - An object that fails does not keep the others from being applied; all failures are reported together. So it is with
    objects of an aggregated API whose server is down, which is told by its APIService within seconds.
  - A Job that cleans itself up (C(ttlSecondsAfterFinished)) runs once for each declaration. That it has run, and how it
    ended, is kept in the ConfigMap C(mcpops-finished-jobs) of its namespace, and the Job is not missed afterwards. It
    runs again when its declaration changes (except for C(ttlSecondsAfterFinished), C(suspend), C(parallelism),
    C(activeDeadlineSeconds) and C(backoffLimit)), when it has failed, when somebody deletes it before its time, and
    when its key is taken out of that ConfigMap. Deleting and pruning forget it. A note says why it is missing when how
    it ended is news, or when the run changes something else.
options:
  definitions:
    description:
      - The objects, as a list of mappings, or as YAML text with any number of documents, or a list of both.
      - No value of a Secret is ever shown, in whichever source it is declared and whatever its key is called.
      - A C(List) object stands for its items, and so does a list of one kind such as C(RoleBindingList), whose items
        need not say what they are. C(stringData) of a Secret is applied as C(data). C(status) and what only the server
        sets, such as C(metadata.resourceVersion), is left out.
      - Texts, files and templates are read as C(kubectl) reads them. C(y), C(on) and the like are booleans, also as
        keys, and dates are text. A key that is given twice in one mapping is refused with the lines of both.
      - Mappings in a playbook are read by Ansible. An unquoted date or time there becomes text as Ansible writes dates
        (C(2026-01-31T10:20:30+00:00)), with a warning. Quote it to keep it as it is written.
      - With O(state=absent) only C(apiVersion), C(kind), C(metadata.name) and C(metadata.namespace) matter.
    type: raw
  src:
    description:
      - Files with objects, and directories whose YAML and JSON files are read in the order of their names (not those of
        directories below), on the machine where the module runs. Added to O(definitions).
      - A URL is refused; fetch it with a checksum first.
    type: list
    elements: path
  template:
    description:
      - Templates of objects, rendered on the controller with the variables of the task, as M(ansible.builtin.template)
        would. Added to O(definitions).
      - Each is a path or a mapping with C(path) and any of
        C(newline_sequence), C(block_start_string), C(block_end_string), C(variable_start_string),
        C(variable_end_string), C(comment_start_string), C(comment_end_string), C(trim_blocks) (default V(true)) and
        C(lstrip_blocks) (default V(false)).
      - Only the action plugin renders; a module that was run without it says so and changes nothing.
    type: list
    elements: raw
  kustomize:
    description:
      - Directories of kustomizations, built by C(kustomize) or else C(kubectl) from E(PATH) on the machine where the
        module runs. Added to O(definitions). This is the one source that starts a process each run.
    type: list
    elements: path
  namespace:
    description:
      - The namespace of namespaced objects that name none themselves. It is not created; declare it as one of the
        O(definitions) for that.
      - An object of a cluster-wide kind that names a namespace is applied without it, as kubectl does, with a warning.
    type: str
  state:
    description:
      - V(present) applies the objects, V(absent) deletes those that exist.
      - With V(absent) a kind that is not installed has no objects, and a note says so. A kind that the cluster does not
        serve is refused when its group is one of Kubernetes itself or none that a definition can have, and when the
        group serves the kind in another version.
    type: str
    choices: [present, absent]
    default: present
  force_conflicts:
    description:
      - Take over declared fields that another manager has set to another value.
    type: bool
    default: false
  exclusive:
    description:
      - Treat what others have written outside of C(metadata) and C(status) as drift. Declared fields are taken back and
        undeclared ones are removed, each shown with the manager who wrote it.
      - What others added to an immutable field is refused, or the object is created anew, as O(recreate) says.
      - What the controllers of Kubernetes and of AKS, an autoscaler, a CA injector or C(kubectl rollout restart) write
        is expected and left alone, as are undeclared labels, annotations and other metadata. The collection's
        C(docs/drift.md) lists them; O(ignore_differences) adds to them.
    type: bool
    default: false
  recreate:
    description:
      - What happens when the API server refuses a change because a field is immutable. V(never) fails and says so,
        V(on_immutable) deletes the object, waits until it is gone and creates it anew. Dependents go as
        O(delete_propagation) says.
      - Nothing is deleted when the API server has other objections to the change as well, or refuses a dry run that
        creates the same object under another name.
      - Namespaces, CustomResourceDefinitions, PersistentVolumes and PersistentVolumeClaims are never recreated, because
        what they hold would be lost.
    type: str
    choices: [never, on_immutable]
    default: never
  roll_on_config_change:
    description:
      - Replace the pods of declared Deployments, StatefulSets and DaemonSets when a Secret or ConfigMap they use has
        changed, whoever changed it. What counts is what their containers get to see, as environment variables or as
        volumes (with C(subPath) and projected ones), and of that only the keys that are used. Labels and annotations of
        a Secret do not count.
      - It works by the annotation C(mcpops.io/config-digest) of the pod template, with a digest for each of these
        objects. The values of a Secret are keyed with its C(uid), so that nobody who may not read the Secret can find
        a weak value by trying; a Secret that is deleted and made again counts as changed.
      - Pods that run already when this is first seen are left alone. The digest is then noted in the annotations of the
        workload itself, and the next change of the Secret replaces the pods.
      - Something required that is not there replaces no pods, because they could not start. Pods that wait for it
        follow it from its first change on. What is optional replaces them when it comes or goes.
      - A Secret that may not be read is left out with a warning.
      - With V(false) a digest that stands is kept as it is.
    type: bool
    default: true
  object_options:
    description:
      - Options that hold for some of the objects only. A row holds for every object that has all the properties it
        names; of several rows the last one that says something wins. A row that no declared object fits is an error.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - Kind of the objects, such as V(Deployment).
        type: str
      name:
        description:
          - Name of the object.
        type: str
      namespace:
        description:
          - Namespace of the objects.
        type: str
      force_conflicts:
        description:
          - O(force_conflicts) for these objects.
        type: bool
      exclusive:
        description:
          - O(exclusive) for these objects.
        type: bool
      recreate:
        description:
          - O(recreate) for these objects.
        type: str
        choices: [never, on_immutable]
      roll_on_config_change:
        description:
          - O(roll_on_config_change) for these objects.
        type: bool
      wait:
        description:
          - With V(false) these objects are not waited for, whatever O(wait) and O(wait_conditions) say, such as an
            Ingress whose controller comes later.
        type: bool
  ignore_differences:
    description:
      - Fields that somebody else may set, whatever is declared for them. A new object gets what is declared; from then
        on the field is neither compared nor changed.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - Kind of the objects, such as V(Deployment).
        type: str
        required: true
      name:
        description:
          - Name of the object. Without it all objects of the kind are meant.
        type: str
      paths:
        description:
          - Paths as differences show them, such as V(spec.replicas) or
            V(webhooks[*].clientConfig.caBundle). V(*) is one key or list item, V(**) everything. The path of a
            structure covers what is in it.
        type: list
        elements: str
        required: true
  bundle:
    description:
      - Name of the bundle, unique in the cluster. Every object gets it as the label C(mcpops.io/bundle), by which later
        runs know what belongs together. An object that carries another bundle's name is refused, unless
        O(force_conflicts) holds for it.
    type: str
  prune:
    description:
      - Delete what carries the label of this O(bundle), was applied by this collection, and is declared no more. In
        check mode these objects are listed.
      - Namespaces, CustomResourceDefinitions, PersistentVolumes and PersistentVolumeClaims are never pruned; a note
        names those that are declared no more. Nothing is pruned while another object of the bundle fails.
      - With O(wait), nothing is pruned before the declared objects are ready.
      - Costs a list of the metadata of each kind the cluster serves. That some of these kinds are deprecated is told
        only to who declares them; of APIs that do not answer, a note says that they were not looked at. Kinds that this
        identity may not list in all namespaces are looked for in the namespaces of the declared objects.
    type: bool
    default: false
  prune_max_percent:
    description:
      - Refuse to prune more than this percentage of the bundle's objects, and change nothing then. V(100) allows all.
        An empty declaration is always refused.
    type: int
    default: 50
  wait:
    description:
      - Wait until the objects are ready, or, with O(state=absent), until they are gone.
      - Workloads are ready when every replica of the latest version is, jobs when they are complete, claims when
        they are bound or wait for their first pod, Services with a selector when they lead to a ready pod (or to a
        workload that is scaled to none), load balancers and Ingresses when they have an address, autoscalers when
        they can read their metrics, disruption budgets when as many pods are healthy as they demand. Other kinds
        are ready by existing, unless O(wait_conditions) says more.
      - Pods are believed after they have stayed ready for a while by the cluster's clock, 2 s with a readiness probe
        and 6 s without. Once a container has crashed, 10 s and longer than its last life, 60 s at most. A node that
        reports late is given twice its delay. So a program without a probe that ends within 3 s of its start is never
        called ready, as long as its node reports the end no more than 2 s later than it reported the start.
      - A program that fails later than that needs a probe, or C(minReadySeconds), to be seen.
      - What waiting cannot heal, such as an image that does not exist, a crash loop, a failed job, a paused rollout or
        an object that somebody deletes, ends the wait early. The error names the reason, with the last log lines of
        a crashing container, in which credentials and values of environment variables are replaced.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait at most.
    type: int
    default: 120
  wait_conditions:
    description:
      - What objects must show before the wait ends, in addition to the readiness of their kind. All rows must hold.
        Needs O(wait=true); with O(state=absent) the rows are not looked at.
      - A row is about the objects that have the C(kind), C(name) and C(namespace) it names; a row that names none of
        them is about every object of a kind without a readiness of its own, such as custom resources. A row that
        names some of them and fits no declared object is an error.
      - While C(status.observedGeneration) is behind, nothing holds.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - Kind of the objects.
        type: str
      name:
        description:
          - Name of the object.
        type: str
      namespace:
        description:
          - Namespace of the objects.
        type: str
      type:
        description:
          - Type of an entry of C(status.conditions). Either this or C(path).
        type: str
      status:
        description:
          - Wanted status of that entry, V(True) when left out.
        type: str
        choices: ["True", "False", "Unknown"]
      path:
        description:
          - A JSONPath such as C({.status.phase}), C(.status.endpoints[*].ready) or
            C(.status.conditions[?(@.type=="Ready")].reason). Braces may be left out. Fields, indexes, C([*]) and
            filters with C(==) and C(!=) are understood.
          - Without C(value) and C(regex) something that is not empty must be there.
        type: str
      value:
        description:
          - Text that everything the path leads to must be equal to; what is no text as JSON writes it.
        type: str
      regex:
        description:
          - A Python regular expression that must be found in everything the path leads to.
        type: str
  delete_propagation:
    description:
      - What happens to dependents of an object that is deleted by O(state=absent), O(prune) or O(recreate).
        V(Background) deletes them afterwards, V(Foreground) before the object itself goes, V(Orphan) leaves them.
    type: str
    choices: [Background, Foreground, Orphan]
    default: Background
extends_documentation_fragment:
  - mcpops.platform.kubernetes
  - mcpops.platform.attributes
  - mcpops.platform.files
  - mcpops.platform.files.searched
attributes:
  action_group:
    description: Use C(group/mcpops.platform.kubernetes) in C(module_defaults) to set the connection options once.
    support: full
    membership: [mcpops.platform.kubernetes]
author:
  - The mcpops.platform contributors (@mcpops)
"""

EXAMPLES = r"""
- name: Have a namespace with the restricted Pod Security level and a ConfigMap in it
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    definitions:
      - apiVersion: v1
        kind: Namespace
        metadata:
          name: tools
          labels:
            pod-security.kubernetes.io/enforce: restricted
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
          namespace: tools
        data:
          text: hello

- name: Own a ConfigMap whole, so that nothing is in it that is not declared here
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    exclusive: true
    definitions: |
      apiVersion: v1
      kind: ConfigMap
      metadata:
        name: greeting
        namespace: tools
      data:
        text: hello

- name: Apply a directory of manifests into one namespace and wait until everything is ready
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    src:
      - /etc/platform/manifests
    namespace: tools
    wait: true
    wait_timeout: 300

- name: Own the objects of a kustomization, and delete those that leave it
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    kustomize:
      - /etc/platform/overlays/production
    namespace: tools
    bundle: platform-tools
    prune: true

- name: Replace a job whose template changed, and take over the replicas of one deployment
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    src:
      - /etc/platform/migration.yaml
    object_options:
      - kind: Job
        recreate: on_immutable
      - kind: Deployment
        name: web
        namespace: tools
        force_conflicts: true

- name: Change a Secret and replace the pods that use it, but not those of a job runner that reads it anew each time
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    src:
      - /etc/platform/manifests
    namespace: tools
    wait: true
    object_options:
      - kind: Deployment
        name: job-runner
        roll_on_config_change: false

- name: Wait for what custom resources show
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    src:
      - /etc/platform/databases.yaml
    wait: true
    wait_conditions:
      - kind: Database
        path: '{.status.phase}'
        value: Running
      - kind: Database
        name: ledger
        path: .status.endpoints[*].address
        regex: '^10\.'

- name: Delete a ConfigMap
  mcpops.platform.k8s_objects:
    kubeconfig: ~/.kube/config
    state: absent
    definitions:
      - apiVersion: v1
        kind: ConfigMap
        metadata:
          name: greeting
          namespace: tools
"""

RETURN = r"""
msg:
  description: What was, or would be, different.
  returned: always
  type: str
  sample: "ConfigMap tools/greeting: data.text"
objects:
  description: One row for each object, in the order of their declaration. Never their content.
  returned: when the input is valid and the cluster was reached
  type: list
  elements: dict
  contains:
    api_version:
      description: API group and version.
      type: str
      returned: always
      sample: v1
    kind:
      description: Kind.
      type: str
      returned: always
      sample: ConfigMap
    name:
      description: Name.
      type: str
      returned: always
      sample: greeting
    namespace:
      description: Namespace.
      type: str
      returned: for namespaced objects
      sample: tools
    changed:
      description: Whether this object changed, or would change.
      type: bool
      returned: always
      sample: true
    pruned:
      description: This object is not declared and was, or would be, deleted for that. They follow the declared ones.
      type: bool
      returned: for objects that are pruned
      sample: true
    error:
      description: Why this object could not be applied or deleted.
      type: str
      returned: when it failed
      sample: "apply ConfigMap tools/greeting: namespaces \"tools\" not found (NotFound)."
diff:
  description: What differs, as texts and as data (C(changes)). See C(docs/diff.schema.json) of this collection.
  returned: in diff mode
  type: list
  elements: dict
notes:
  description: What a reader should know about the plan, such as an object that depends on something not there yet.
  returned: when there are any
  type: list
  elements: str
  sample: ["ConfigMap tools/greeting: depends on the namespace tools, not there yet"]
done:
  description: What was written before the task failed. C(changed) is true then.
  returned: on failure, when something was written
  type: list
  elements: str
  sample: ["apply ConfigMap tools/greeting"]
"""

from functools import partial
from typing import Any

from ..module_utils.domains import DOMAINS
from ..module_utils.kube import k8s_objects
from ..module_utils.kube.kubeconfig import kubernetes_argument_spec
from ..module_utils.kube.writers import ARGUMENT_SPEC as IGNORE_DIFFERENCES
from ..module_utils.module import run_module

ARGUMENT_SPEC: dict[str, Any] = {
    **kubernetes_argument_spec(),
    "definitions": {"type": "raw"},
    "src": {"type": "list", "elements": "path"},
    "template": {"type": "list", "elements": "raw"},
    "kustomize": {"type": "list", "elements": "path"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "force_conflicts": {"type": "bool", "default": False},
    "exclusive": {"type": "bool", "default": False},
    "recreate": {"type": "str", "choices": ["never", "on_immutable"], "default": "never"},
    "roll_on_config_change": {"type": "bool", "default": True},
    "object_options": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str"},
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "force_conflicts": {"type": "bool"},
            "exclusive": {"type": "bool"},
            "recreate": {"type": "str", "choices": ["never", "on_immutable"]},
            "roll_on_config_change": {"type": "bool"},
            "wait": {"type": "bool"},
        },
    },
    "ignore_differences": IGNORE_DIFFERENCES,
    "bundle": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_max_percent": {"type": "int", "default": 50},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 120},
    "wait_conditions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "kind": {"type": "str"},
            "name": {"type": "str"},
            "namespace": {"type": "str"},
            "type": {"type": "str"},
            "status": {"type": "str", "choices": ["True", "False", "Unknown"]},
            "path": {"type": "str"},
            "value": {"type": "str"},
            "regex": {"type": "str"},
        },
    },
    "delete_propagation": {
        "type": "str",
        "choices": ["Background", "Foreground", "Orphan"],
        "default": "Background",
    },
}
RULES = {"required_one_of": [["definitions", "src", "template", "kustomize"]]}
TEMPLATE_OPTIONS = ("template",)
FILE_OPTIONS = k8s_objects.file_options
PROBLEMS = k8s_objects.problems
OPERATION = partial(k8s_objects.converge, domains=DOMAINS)


def main() -> None:
    run_module(ARGUMENT_SPEC, OPERATION, RULES)


if __name__ == "__main__":
    main()
