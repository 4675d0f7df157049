"""Rewrites a rendered Prometheus configuration for the Prometheus of Debian, and counts every change.

Debian's build has no Kubernetes discovery and is older than what we render for. So discovery becomes `file_sd_configs`,
paths inside pods become files of a scratch folder, and fields that this release does not know are left out by the table
of fields that the compiler itself goes by. Nothing else changes, and what changed is printed.
"""

import collections
import json
import pathlib

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIELDS = ROOT / "compiler/data/prometheus-config-fields.tsv"
# The release that judges.
JUDGE = (2, 42, 0)

# Discoveries that promtool can do on a machine without a network: they keep what they say.
KEPT_DISCOVERIES = {"static_configs", "file_sd_configs", "dns_sd_configs", "http_sd_configs"}
FILES_IN_PODS = {
    "bearer_token_file",
    "ca_file",
    "cert_file",
    "client_secret_file",
    "credentials_file",
    "key_file",
    "password_file",
}


def version(text):
    return tuple(int(part) for part in text.split("."))


def newer_fields():
    """Paths of fields that came after the judge's release."""
    newer = {}
    for line in FIELDS.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            field, first, *_ = line.split("\t")
            if "=" not in field and version(first) > JUDGE:
                newer[field] = first
    return newer


class Rewrite:
    """One configuration on its way to the judge."""

    def __init__(self, scratch, rules=None):
        self.scratch = pathlib.Path(scratch)
        self.rules = rules
        self.newer = newer_fields()
        self.counts = collections.Counter()
        self.stub = self.scratch / "stub"
        self.stub.write_text("stub\n", encoding="utf-8")

    def config(self, config, targets=lambda job, role: []):
        """The whole file; `targets(job, role)` gives the groups that stand in for a discovery."""
        config = self.tree(config, "")
        for job in config.get("scrape_configs") or []:
            self.discovery(job, job["job_name"], targets)
        for number, target in enumerate((config.get("alerting") or {}).get("alertmanagers") or []):
            self.discovery(target, f"alertmanagers-{number}", targets)
        if config.get("rule_files"):
            self.counts["rule_files pointed at raw/rules"] += len(config["rule_files"])
            config["rule_files"] = [str(path) for path in self.rules or []]
        return config

    def discovery(self, holder, name, targets):
        groups, replaced = [], False
        for key in [key for key in holder if key.endswith("_sd_configs") and key not in KEPT_DISCOVERIES]:
            for discovery in holder.pop(key):
                replaced = True
                role = discovery.get("role", key)
                self.counts[f"{key} ({role}) replaced by file_sd_configs"] += 1
                groups.extend(targets(name, role))
        if replaced:
            path = self.scratch / f"targets-{name.replace('/', '-')}.json"
            path.write_text(json.dumps(groups), encoding="utf-8")
            holder.setdefault("file_sd_configs", []).append({"files": [str(path)]})
        for discovery in holder.get("file_sd_configs") or []:
            if not all(str(path).startswith(str(self.scratch)) for path in discovery["files"]):
                self.counts["file_sd_configs pointed at the scratch folder"] += 1
                discovery["files"] = [str(self.scratch / "none.json")]

    def tree(self, value, path):
        if isinstance(value, list):
            return [self.tree(item, path) for item in value]
        if not isinstance(value, dict):
            return value
        kept = {}
        for key, item in value.items():
            below = f"{path}.{key}" if path else key
            first = self.first(below)
            if first:
                self.counts[f"{below} left out (Prometheus {first} and later)"] += 1
            elif key in FILES_IN_PODS and isinstance(item, str):
                self.counts[f"{key} pointed at a stub"] += 1
                kept[key] = str(self.stub)
            else:
                kept[key] = self.tree(item, below)
        return kept

    def first(self, path):
        """The release that brought a field newer than the judge."""
        if path in self.newer:
            return self.newer[path]
        # Blocks with an HTTP client take its fields inline, at any depth.
        parts = path.split(".")
        if parts[0] in ("alerting", "remote_read", "remote_write", "scrape_configs"):
            for cut in range(1, len(parts)):
                inline = "http_config." + ".".join(parts[cut:])
                if inline in self.newer:
                    return self.newer[inline]
        return None

    def report(self):
        return [f"  {count} x {what}" for what, count in sorted(self.counts.items())]
