"""Has promtool and amtool check every configuration below golden trees.

    prometheus_config.py FOLDER...

Each folder is one rendered tree; clusters are folders inside it. Checked are raw/prometheus*.yml after the rewriting of
prometheus_rewrite.py, raw/rules/* as they are, and raw/alertmanager.yml after the rewriting of NEWER_IN_ALERTMANAGER.
"""

import collections
import pathlib
import subprocess
import sys
import tempfile

import yaml

from prometheus_rewrite import Rewrite

# One target of each role, with the labels that discovery always sets.
SAMPLE = {"targets": ["10.0.0.1:9100"], "labels": {"__meta_kubernetes_namespace": "default"}}

# Fields that came after Alertmanager 0.25: list of receivers, field, release, and what that release takes instead.
NEWER_IN_ALERTMANAGER = [
    ("webhook_configs", "url_file", "0.26", {"url": "http://127.0.0.1:9/"}),
    ("telegram_configs", "bot_token_file", "0.26", {"bot_token": "stub"}),
    ("discord_configs", "webhook_url_file", "0.28", {"webhook_url": "http://127.0.0.1:9/"}),
]


def older_alertmanager(config, changes):
    for receiver in config.get("receivers") or []:
        for kind, field, release, instead in NEWER_IN_ALERTMANAGER:
            for integration in receiver.get(kind) or []:
                if integration.pop(field, None) is not None:
                    integration.update(instead)
                    changes[f"{kind}.{field} replaced (Alertmanager {release} and later)"] += 1
    return config


def run(*command):
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def main():
    judged, problems, changes = collections.Counter(), [], collections.Counter()

    def judge(what, path, *command):
        code, said = run(*command)
        judged[what] += 1
        if code != 0:
            problems.append(f"{path}: {what}\n{said}")

    for folder in sys.argv[1:]:
        for raw in sorted(path for path in pathlib.Path(folder).rglob("raw") if path.is_dir()):
            rules = sorted(path for path in (raw / "rules").rglob("*") if path.is_file())
            for path in rules:
                judge("promtool check rules", path, "promtool", "check", "rules", str(path))
            for path in sorted(raw.glob("prometheus*.yml")):
                with tempfile.TemporaryDirectory() as scratch:
                    rewrite = Rewrite(scratch, [rule.resolve() for rule in rules])
                    config = yaml.safe_load(path.read_text(encoding="utf-8"))
                    config = rewrite.config(config, lambda job, role: [SAMPLE])
                    changes.update(rewrite.counts)
                    copy = pathlib.Path(scratch) / "prometheus.yml"
                    copy.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
                    judge("promtool check config", path, "promtool", "check", "config", str(copy))
            for path in sorted(raw.glob("alertmanager*.yml")):
                with tempfile.TemporaryDirectory() as scratch:
                    config = yaml.safe_load(path.read_text(encoding="utf-8"))
                    copy = pathlib.Path(scratch) / "alertmanager.yml"
                    text = yaml.safe_dump(older_alertmanager(config, changes), sort_keys=False)
                    copy.write_text(text, encoding="utf-8")
                    judge("amtool check-config", path, "amtool", "check-config", str(copy))
    for what, count in sorted(judged.items()):
        print(f"{count} x {what}")
    print("rewritten for Debian's Prometheus and Alertmanager:")
    for what, count in sorted(changes.items()):
        print(f"  {count} x {what}")
    for problem in problems:
        print(problem)
    if not judged["promtool check config"]:
        print("no raw/prometheus*.yml below", *sys.argv[1:])
        return 1
    return 1 if problems else 0


sys.exit(main())
