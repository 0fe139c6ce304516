"""The fields of KubeRay 1.6's own resources, as far as deploy/ may use them, as JSON schema for the tests.

Written down from KubeRay's API reference: its CRDs are in no package that could be installed here, and a megabyte of
generated YAML would not tell more of *our* manifests. What KubeRay embeds of Kubernetes (pod templates, services,
resources) refers to the real schemas of Kubernetes, which `kubernetes-validate` brings. Not checked: rules that the
operator's code applies. `kubectl apply --dry-run=server -f deploy/` asks a cluster for both.
"""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

__all__ = ["KUBERNETES", "validator_of"]

KUBERNETES = "1.37"
_DEFINITIONS = json.loads(
    (
        resources.files("kubernetes_validate")
        / f"kubernetes-json-schema/v{KUBERNETES}.0-local-strict"
        / "_definitions.json"
    ).read_text(encoding="utf-8")
)

TEXT, FLAG, COUNT = {"type": "string"}, {"type": "boolean"}, {"type": "integer", "minimum": 0}
TEXTS = {"type": "object", "additionalProperties": TEXT}


def of_kubernetes(name: str) -> dict[str, Any]:
    return {"$ref": f"{_DEFINITIONS['$id']}#/$defs/io.k8s.{name}"}


def fields(required: tuple[str, ...] = (), **known: Any) -> dict[str, Any]:
    """An object with these fields and no other."""
    return {"type": "object", "properties": known, "required": list(required), "additionalProperties": False}


POD = of_kubernetes("api.core.v1.PodTemplateSpec")
SERVICE = of_kubernetes("api.core.v1.Service")
CREDENTIAL = fields(value=TEXT, valueFrom=of_kubernetes("api.core.v1.EnvVarSource"))
GROUP = {"template": POD, "rayStartParams": TEXTS, "resources": TEXTS, "labels": TEXTS}
RAY_CLUSTER = fields(
    ("headGroupSpec",),
    rayVersion=TEXT,
    suspend=FLAG,
    managedBy=TEXT,
    headServiceAnnotations=TEXTS,
    enableInTreeAutoscaling=FLAG,
    authOptions=fields(mode={"enum": ["disabled", "token"]}, secretName=TEXT, enableK8sTokenAuth=FLAG),
    gcsFaultToleranceOptions=fields(
        redisAddress=TEXT, redisUsername=CREDENTIAL, redisPassword=CREDENTIAL, externalStorageNamespace=TEXT
    ),
    autoscalerOptions=fields(
        version={"enum": ["v1", "v2"]},
        upscalingMode={"enum": ["Default", "Aggressive", "Conservative"]},
        idleTimeoutSeconds=COUNT,
        image=TEXT,
        imagePullPolicy={"enum": ["Always", "IfNotPresent", "Never"]},
        resources=of_kubernetes("api.core.v1.ResourceRequirements"),
        securityContext=of_kubernetes("api.core.v1.SecurityContext"),
        env={"type": "array", "items": of_kubernetes("api.core.v1.EnvVar")},
        envFrom={"type": "array", "items": of_kubernetes("api.core.v1.EnvFromSource")},
        volumeMounts={"type": "array", "items": of_kubernetes("api.core.v1.VolumeMount")},
    ),
    headGroupSpec=fields(
        ("template",),
        **GROUP,
        serviceType={"enum": ["ClusterIP", "NodePort", "LoadBalancer", "ExternalName"]},
        headService=SERVICE,
        enableIngress=FLAG,
    ),
    workerGroupSpecs={
        "type": "array",
        "items": fields(
            ("groupName", "template"),
            **GROUP,
            groupName=TEXT,
            replicas=COUNT,
            minReplicas=COUNT,
            maxReplicas=COUNT,
            numOfHosts=COUNT,
            idleTimeoutSeconds=COUNT,
            suspend=FLAG,
            scaleStrategy={"type": "object"},
        ),
    },
)
SPECS = {
    "RayJob": fields(
        entrypoint=TEXT,
        runtimeEnvYAML=TEXT,
        jobId=TEXT,
        metadata=TEXTS,
        suspend=FLAG,
        managedBy=TEXT,
        backoffLimit=COUNT,
        activeDeadlineSeconds={"type": "integer", "minimum": 1},
        shutdownAfterJobFinishes=FLAG,
        ttlSecondsAfterFinished=COUNT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "InteractiveMode", "SidecarMode"]},
        submitterConfig=fields(backoffLimit=COUNT),
        submitterPodTemplate=POD,
        entrypointNumCpus={"type": "number"},
        entrypointNumGpus={"type": "number"},
        entrypointResources=TEXT,
        clusterSelector=TEXTS,
        deletionStrategy={"type": "object"},
        rayClusterSpec=RAY_CLUSTER,
    ),
    "RayService": fields(
        serveConfigV2=TEXT,
        rayClusterConfig=RAY_CLUSTER,
        serveService=SERVICE,
        excludeHeadPodFromServeSvc=FLAG,
        rayClusterDeletionDelaySeconds=COUNT,
        upgradeStrategy=fields(
            type={"enum": ["NewCluster", "NewClusterWithIncrementalUpgrade", "None"]},
            clusterUpgradeOptions={"type": "object"},
        ),
    ),
}


def validator_of(kind: str) -> Draft202012Validator:
    """For a whole resource of a kind of KubeRay's."""
    schema = fields(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "ray.io/v1"},
        kind={"const": kind},
        metadata=of_kubernetes("apimachinery.pkg.apis.meta.v1.ObjectMeta"),
        spec=SPECS[kind],
    )
    return Draft202012Validator(schema, registry=Resource.from_contents(_DEFINITIONS) @ Registry())
