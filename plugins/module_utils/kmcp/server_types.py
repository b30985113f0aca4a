# Copyright: (c) 2026, the mcpops.platform contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The types of an MCPServer's spec: which fields have a wrong type, and the server without them."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from ..text import kind_of
from .server_spec import Declared, server_resource

Path = tuple["str | int", ...]

TEXT, WHOLE, FLAG, AMOUNT = "text", "whole", "flag", "amount"
# any name, in a mapping whose names are the user's own
ANY = "*"

# The schema of the CustomResourceDefinition of KMCP 0.3.0, which a test holds it against: {fields}, [items],
# <values of a mapping with names of the user's>; what begins with a capital letter stands above.
_SHAPES = """
    Items = {key:text mode:whole path:text}
    FieldRef = {apiVersion:text fieldPath:text}
    AppArmorProfile = {localhostProfile:text type:text}
    ConfigMapKeyRef = {key:text name:text optional:flag}
    MatchExpressions = {key:text operator:text values:[text]}
    SeLinuxOptions = {level:text role:text type:text user:text}
    ResourceFieldRef = {containerName:text divisor:amount resource:text}
    ConfigMap = {items:[Items] name:text optional:flag}
    Resources = {claims:[{name:text request:text}] limits:<amount> requests:<amount>}
    LabelSelector = {matchExpressions:[MatchExpressions] matchLabels:<text>}
    HttpGet = {host:text httpHeaders:[{name:text value:text}] path:text port:amount scheme:text}
    WindowsOptions = {gmsaCredentialSpec:text gmsaCredentialSpecName:text hostProcess:flag runAsUserName:text}
    Preference = {matchExpressions:[MatchExpressions] matchFields:[MatchExpressions]}
    VolumeMounts = {mountPath:text mountPropagation:text name:text readOnly:flag recursiveReadOnly:text
        subPath:text subPathExpr:text}
    Items2 = {fieldRef:FieldRef mode:whole path:text resourceFieldRef:ResourceFieldRef}
    PostStart = {exec:{command:[text]} httpGet:HttpGet sleep:{seconds:whole} tcpSocket:{host:text port:amount}}
    PodAffinityTerm = {labelSelector:LabelSelector matchLabelKeys:[text] mismatchLabelKeys:[text]
        namespaceSelector:LabelSelector namespaces:[text] topologyKey:text}
    LivenessProbe = {exec:{command:[text]} failureThreshold:whole grpc:{port:whole service:text} httpGet:HttpGet
        initialDelaySeconds:whole periodSeconds:whole successThreshold:whole tcpSocket:{host:text port:amount}
        terminationGracePeriodSeconds:whole timeoutSeconds:whole}
    SecurityContext = {allowPrivilegeEscalation:flag appArmorProfile:AppArmorProfile capabilities:{add:[text]
        drop:[text]} privileged:flag procMount:text readOnlyRootFilesystem:flag runAsGroup:whole runAsNonRoot:flag
        runAsUser:whole seLinuxOptions:SeLinuxOptions seccompProfile:AppArmorProfile windowsOptions:WindowsOptions}
    PodSecurityContext = {appArmorProfile:AppArmorProfile fsGroup:whole fsGroupChangePolicy:text runAsGroup:whole
        runAsNonRoot:flag runAsUser:whole seLinuxChangePolicy:text seLinuxOptions:SeLinuxOptions
        seccompProfile:AppArmorProfile supplementalGroups:[whole] supplementalGroupsPolicy:text sysctls:[{name:text
        value:text}] windowsOptions:WindowsOptions}
    PodAffinity = {preferredDuringSchedulingIgnoredDuringExecution:[{podAffinityTerm:PodAffinityTerm weight:whole}]
        requiredDuringSchedulingIgnoredDuringExecution:[PodAffinityTerm]}
    Affinity = {nodeAffinity:{preferredDuringSchedulingIgnoredDuringExecution:[{preference:Preference
        weight:whole}] requiredDuringSchedulingIgnoredDuringExecution:{nodeSelectorTerms:[Preference]}}
        podAffinity:PodAffinity podAntiAffinity:PodAffinity}
    Sidecars = {args:[text] command:[text] env:[{name:text value:text valueFrom:{configMapKeyRef:ConfigMapKeyRef
        fieldRef:FieldRef resourceFieldRef:ResourceFieldRef secretKeyRef:ConfigMapKeyRef}}]
        envFrom:[{configMapRef:{name:text optional:flag} prefix:text secretRef:{name:text optional:flag}}]
        image:text imagePullPolicy:text lifecycle:{postStart:PostStart preStop:PostStart}
        livenessProbe:LivenessProbe name:text ports:[{containerPort:whole hostIP:text hostPort:whole name:text
        protocol:text}] readinessProbe:LivenessProbe resizePolicy:[{resourceName:text restartPolicy:text}]
        resources:Resources restartPolicy:text securityContext:SecurityContext startupProbe:LivenessProbe
        stdin:flag stdinOnce:flag terminationMessagePath:text terminationMessagePolicy:text tty:flag
        volumeDevices:[{devicePath:text name:text}] volumeMounts:[VolumeMounts] workingDir:text}
    Volumes = {awsElasticBlockStore:{fsType:text partition:whole readOnly:flag volumeID:text}
        azureDisk:{cachingMode:text diskName:text diskURI:text fsType:text kind:text readOnly:flag}
        azureFile:{readOnly:flag secretName:text shareName:text} cephfs:{monitors:[text] path:text readOnly:flag
        secretFile:text secretRef:{name:text} user:text} cinder:{fsType:text readOnly:flag secretRef:{name:text}
        volumeID:text} configMap:{defaultMode:whole items:[Items] name:text optional:flag} csi:{driver:text
        fsType:text nodePublishSecretRef:{name:text} readOnly:flag volumeAttributes:<text>}
        downwardAPI:{defaultMode:whole items:[Items2]} emptyDir:{medium:text sizeLimit:amount}
        ephemeral:{volumeClaimTemplate:{metadata:{} spec:{accessModes:[text] dataSource:{apiGroup:text kind:text
        name:text} dataSourceRef:{apiGroup:text kind:text name:text namespace:text} resources:{limits:<amount>
        requests:<amount>} selector:LabelSelector storageClassName:text volumeAttributesClassName:text
        volumeMode:text volumeName:text}}} fc:{fsType:text lun:whole readOnly:flag targetWWNs:[text] wwids:[text]}
        flexVolume:{driver:text fsType:text options:<text> readOnly:flag secretRef:{name:text}}
        flocker:{datasetName:text datasetUUID:text} gcePersistentDisk:{fsType:text partition:whole pdName:text
        readOnly:flag} gitRepo:{directory:text repository:text revision:text} glusterfs:{endpoints:text path:text
        readOnly:flag} hostPath:{path:text type:text} image:{pullPolicy:text reference:text}
        iscsi:{chapAuthDiscovery:flag chapAuthSession:flag fsType:text initiatorName:text iqn:text
        iscsiInterface:text lun:whole portals:[text] readOnly:flag secretRef:{name:text} targetPortal:text}
        name:text nfs:{path:text readOnly:flag server:text} persistentVolumeClaim:{claimName:text readOnly:flag}
        photonPersistentDisk:{fsType:text pdID:text} portworxVolume:{fsType:text readOnly:flag volumeID:text}
        projected:{defaultMode:whole sources:[{clusterTrustBundle:{labelSelector:LabelSelector name:text
        optional:flag path:text signerName:text} configMap:ConfigMap downwardAPI:{items:[Items2]} secret:ConfigMap
        serviceAccountToken:{audience:text expirationSeconds:whole path:text}}]} quobyte:{group:text readOnly:flag
        registry:text tenant:text user:text volume:text} rbd:{fsType:text image:text keyring:text monitors:[text]
        pool:text readOnly:flag secretRef:{name:text} user:text} scaleIO:{fsType:text gateway:text
        protectionDomain:text readOnly:flag secretRef:{name:text} sslEnabled:flag storageMode:text storagePool:text
        system:text volumeName:text} secret:{defaultMode:whole items:[Items] optional:flag secretName:text}
        storageos:{fsType:text readOnly:flag secretRef:{name:text} volumeName:text volumeNamespace:text}
        vsphereVolume:{fsType:text storagePolicyID:text storagePolicyName:text volumePath:text}}
    Deployment = {affinity:Affinity annotations:<text> args:[text] cmd:text configMapRefs:[{name:text}] env:<text>
        image:text imagePullPolicy:text imagePullSecrets:[{name:text}] initContainer:{image:text
        imagePullPolicy:text resources:Resources securityContext:SecurityContext} labels:<text> nodeSelector:<text>
        podSecurityContext:PodSecurityContext port:whole replicas:whole resources:Resources
        secretRefs:[{name:text}] securityContext:SecurityContext serviceAccount:{annotations:<text> labels:<text>}
        serviceAccountName:text sidecars:[Sidecars] tolerations:[{effect:text key:text operator:text
        tolerationSeconds:whole value:text}] volumeMounts:[VolumeMounts] volumes:[Volumes]}
    Spec = {deployment:Deployment httpTransport:{path:text targetPort:whole tls:{insecureSkipVerify:flag
        secretRef:text}} stdioTransport:{} timeout:text transportType:text}
"""
_WANTED: Mapping[str, str] = {
    TEXT: "a text",
    WHOLE: "a whole number",
    FLAG: "true or false",
    AMOUNT: "a text or a whole number",
}
_ADVICE: Mapping[Path, str] = {("deployment", "env"): ", values from Secrets go through secret_refs"}
# fields whose options have names of their own
_OTHER_OPTIONS: Mapping[str, str] = {
    "spec.transportType": "transport",
    "spec.timeout": "timeout",
    "spec.httpTransport.path": "path",
    "spec.httpTransport.tls": "tls",
    "spec.deployment.cmd": "command",
}
# what cannot be said while an option has a value of another type
_ROOM = "security_context.readOnlyRootFilesystem"
FOLLOWING: Mapping[str, tuple[str, ...]] = {
    "command": ("image",),
    "port": ("spec.httpTransport.targetPort",),
    "env": ("port", _ROOM),
    "volumes": ("volume_mounts", _ROOM),
    "volume_mounts": (_ROOM,),
    "config_map_refs": ("volume_mounts",),
    "labels": ("workload_identity",),
    "service_account": ("workload_identity",),
}
_NOTHING = object()


@dataclass(frozen=True)
class WrongType:
    """A value of another type: its place below `spec`, and what it should be."""

    place: Path
    message: str

    @property
    def path(self) -> str:
        return "spec" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place)


def wrong_types(server: Declared) -> list[WrongType]:
    spec = server.resource["spec"]
    found = list(_walk(spec, SPEC, ()))
    if "deployment" not in spec:
        found.append(WrongType(("deployment",), "is null: give a mapping"))
    return found


def is_raw(server: Declared, wrong: WrongType) -> bool:
    """Whether the option `spec` has that value, and no option of its own."""
    return _at(server.options.get("spec"), wrong.place) is not _NOTHING


def without_values(server: Declared, wrong: list[WrongType]) -> Declared:
    """The server without those values; where one of `spec` goes, that of the option stands again."""
    raw = copy.deepcopy(server.options.get("spec") or {})
    for one in wrong:
        if is_raw(server, one):
            _drop(raw, one.place)
    options = {**server.options, "spec": raw}
    spec = copy.deepcopy(server_resource(options)["spec"])
    sound = replace(server, options=options, resource={**server.resource, "spec": spec})
    for one in wrong_types(sound):
        _drop(spec, one.place)
    return sound


def is_part(path: str, places: Iterable[str]) -> bool:
    """Whether a path is one of these places, or lies in one."""
    return any(path == place or path.startswith((f"{place}.", f"{place}[")) for place in places)


def option_path(path: str) -> str:
    """The place of a field by the name of its option, where it has one."""
    for field, option in _OTHER_OPTIONS.items():
        if is_part(path, (field,)):
            return option + path.removeprefix(field)
    if not path.startswith("spec.deployment."):
        return path
    field = re.split(r"[.[]", path.removeprefix("spec.deployment."))[0]
    option = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), field)
    return option + path.removeprefix(f"spec.deployment.{field}")


def unknown_fields(server: Declared) -> list[str]:
    """Fields that KMCP 0.3.0 does not know, each with a name that it may be meant for."""
    return list(_unknown(server.resource["spec"], SPEC, ()))


def _below(value: Any, shape: Any, place: Path) -> Iterator[tuple[Any, Any, Path]]:
    """What a structure holds, each with its shape (None where that is not known) and its place."""
    if isinstance(value, list) and isinstance(shape, list):
        yield from ((item, shape[0], (*place, index)) for index, item in enumerate(value))
    if isinstance(value, Mapping) and isinstance(shape, dict):
        yield from ((item, shape.get(name, shape.get(ANY)), (*place, name)) for name, item in value.items())


def _unknown(value: Any, shape: Any, place: Path) -> Iterator[str]:
    for item, below, here in _below(value, shape, place):
        if below is not None:
            yield from _unknown(item, below, here)
        elif shape:
            meant = get_close_matches(str(here[-1]), shape, 1)
            yield WrongType(here, "").path + (f" (meant: {meant[0]}?)" if meant else "")


def _walk(value: Any, shape: Any, place: Path) -> Iterator[WrongType]:
    if value is None and place and not isinstance(place[-1], int):
        # the API server takes it for nothing
        return
    if not _is(value, shape):
        yield WrongType(place, f"is {kind_of(value)}: give {_wanted(shape)}{_ADVICE.get(place[:-1], '')}")
    for item, below, here in _below(value, shape, place):
        if below is not None:
            yield from _walk(item, below, here)


def _wanted(shape: Any) -> str:
    if isinstance(shape, str):
        return _WANTED[shape]
    return "a list" if isinstance(shape, list) else "a mapping"


def _is(value: Any, kind: Any) -> bool:
    if not isinstance(kind, str):
        return isinstance(value, list if isinstance(kind, list) else Mapping)
    if isinstance(value, bool):
        return kind == FLAG
    if isinstance(value, int):
        return kind in (WHOLE, AMOUNT)
    return isinstance(value, str) and kind in (TEXT, AMOUNT)


def _drop(value: Any, place: Path) -> None:
    """Takes a value out; with an item goes its list, so that the places of the others stay true."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    above = _at(value, place[:-1])
    if isinstance(above, dict) and place:
        above.pop(place[-1], None)


def _at(value: Any, place: Path) -> Any:
    for step in place:
        there = step in range(len(value)) if isinstance(value, list) else isinstance(value, Mapping) and step in value
        if not there:
            return _NOTHING
        value = value[step]
    return value


def _parsed(text: str) -> Any:
    """The last of the shapes: a mapping has its fields or ANY, a list its one kind of item."""
    shapes: dict[str, Any] = {kind: kind for kind in _WANTED}
    name = ""
    for name, shape in re.findall(r"^ +([A-Z]\w*) = (.*(?:\n {8}.*)*)", text, re.MULTILINE):
        shapes[name] = _shape(re.findall(r"\w+|[][{}<>]", shape), shapes)
    return shapes[name]


def _shape(words: list[str], shapes: Mapping[str, Any]) -> Any:
    word = words.pop(0)
    if word == "{":
        fields = {}
        while words[0] != "}":
            field = words.pop(0)
            fields[field] = _shape(words, shapes)
        words.pop(0)
        return fields
    if word in "[<":
        below = _shape(words, shapes)
        words.pop(0)
        return [below] if word == "[" else {ANY: below}
    return shapes[word]


SPEC: Any = _parsed(_SHAPES)
