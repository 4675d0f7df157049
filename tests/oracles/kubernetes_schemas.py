"""Holds every rendered Kubernetes object against the schemas of a Kubernetes release.

    kubernetes_schemas.py [--errors-only] RELEASE FOLDER...

Unknown fields, wrong types and missing fields are errors. A kind that the release does not serve is a warning; both
fail the run, unless only errors are asked for. Kinds that no Kubernetes release serves by itself stand in OUTSIDE; they
are counted and shown, so that nothing is left out silently.
"""

import collections
import functools
import pathlib
import sys

import kubernetes_validate
import yaml
from kubernetes_validate import utils

# The schemas are large and the same for every object.
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)

# Group and kind, and who brings them.
OUTSIDE = {
    ("cert-manager.io", "Certificate"): "cert-manager",
    ("cert-manager.io", "Issuer"): "cert-manager",
    ("external-secrets.io", "ExternalSecret"): "External Secrets",
    ("gateway.networking.k8s.io", "GRPCRoute"): "Gateway API",
    ("gateway.networking.k8s.io", "HTTPRoute"): "Gateway API",
    ("kustomize.config.k8s.io", "Kustomization"): "kustomize, read on the client",
}

# Folders of a tree that hold inputs of other programs.
NOT_MANIFESTS = {"raw", "policies"}


def manifests(folder):
    for path in sorted(pathlib.Path(folder).rglob("*.yaml")):
        if not NOT_MANIFESTS.intersection(path.relative_to(folder).parts[:-1]):
            yield path


def judge(item, release):
    """None, or what is wrong: ("error" or "warning", text)."""
    try:
        kubernetes_validate.validate(item, release, strict=True)
    except kubernetes_validate.ValidationError as error:
        return "error", f"{'.'.join(map(str, error.path))}: {error.message[:300]}"
    except kubernetes_validate.SchemaNotFoundError as error:
        return "warning", error.message
    return None


def main():
    arguments = sys.argv[1:]
    errors_only = "--errors-only" in arguments
    release, *folders = [argument for argument in arguments if argument != "--errors-only"]
    valid, outside, found = 0, collections.Counter(), collections.Counter()
    for folder in folders:
        for path in manifests(folder):
            for item in yaml.safe_load_all(path.read_text(encoding="utf-8")):
                if not isinstance(item, dict) or "kind" not in item or "apiVersion" not in item:
                    found["error"] += 1
                    print(f"error: {path}: a document is no Kubernetes object")
                    continue
                group, _, version = item["apiVersion"].rpartition("/")
                if (group, item["kind"]) in OUTSIDE:
                    outside[f"{item['kind']} ({OUTSIDE[group, item['kind']]})"] += 1
                    continue
                verdict = judge(item, release)
                if verdict is None:
                    valid += 1
                else:
                    found[verdict[0]] += 1
                    name = item.get("metadata", {}).get("name")
                    print(f"{verdict[0]}: {path}: {item['kind']}/{name}: {verdict[1]}")
    print(f"{valid} objects valid for Kubernetes {release}, {found['error']} errors, {found['warning']} warnings")
    for kind, count in sorted(outside.items()):
        print(f"not judged: {count} {kind}")
    if valid == 0:
        print("nothing was judged")
        return 1
    return 1 if found["error"] or (found["warning"] and not errors_only) else 0


sys.exit(main())
