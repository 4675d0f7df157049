"""Has promtool relabel random targets for every shard: each target that is scraped at all is scraped by one shard.

    shards.py COUNT RAW

RAW is the raw/ folder of a rendered tree with prometheus*-shard-K.yml. For every job that divides its targets, COUNT
random targets with the labels of its discovery go through `promtool check service-discovery` once for each shard, and
once without the rules that divide, which tells whether the job wants the target at all. The last line is JSON:
{"divided": {job: targets kept once}, "every": [jobs that every shard scrapes whole], "one": [jobs of one shard]}.
"""

import collections
import concurrent.futures
import json
import pathlib
import random
import re
import subprocess
import sys
import tempfile

import yaml

HASH_LABEL = "__tmp_hash"
SEED = 20230707
# promtool listens to discovery until its time is over, however early everything has come. Seconds.
WAITS = (1, 5, 20)


def divides(rule):
    return rule.get("target_label") == HASH_LABEL or HASH_LABEL in rule.get("source_labels", [])


def words(pattern):
    """The texts that a regular expression stands for, if it only lists them: `a|b`, `(a|b);c`."""
    pattern = str(pattern)
    if re.search(r"[*+?\[\]{}^$]|(?<!\\)\.|\\[a-zA-Z]", pattern):
        return None
    alternatives, depth = [""], 0
    for character in pattern:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "|" and depth == 0:
            alternatives.append("")
        else:
            alternatives[-1] += character
    found = []
    for alternative in alternatives:
        group = re.match(r"(.*?)\(([^()]*)\)(.*)$", alternative)
        if group:
            found += [text for part in group[2].split("|") for text in words(group[1] + part + group[3]) or []]
        else:
            found.append(re.sub(r"\\(.)", r"\1", alternative))
    return found


def targets(job, count, rng):
    """Random targets, most of which the job keeps: its `keep` rules say what it wants to see."""
    rules = job.get("relabel_configs", [])
    names = {name for rule in rules for name in rule.get("source_labels", []) if name.startswith("__meta_")}
    groups, seen = [], set()
    while len(groups) < count:
        address = f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(256)}:{rng.choice([80, 8080, 9100, 10250])}"
        if address in seen:
            continue
        seen.add(address)
        # Discovery leaves out what a target does not have; an optional annotation is there half of the time.
        labels = {name: f"v{rng.randrange(1000)}" for name in sorted(names) if rng.random() < 0.5}
        for name in names:
            if name.endswith(("_name", "_namespace", "_ip", "_uid")):
                labels[name] = f"n{rng.randrange(100000)}"
        for rule in rules:
            wanted = rule.get("action", "replace") == "keep" and not divides(rule) and words(rule.get("regex", ""))
            if wanted and rng.random() < 0.97:
                values = rng.choice(wanted).split(rule.get("separator", ";"))
                labels.update(zip(rule["source_labels"], values))
        labels = {name: value for name, value in labels.items() if name != "__address__"}
        groups.append({"targets": [address], "labels": labels})
    return groups


def kept(job, rules, groups):
    """Addresses, as discovered, of the targets that survive the rules."""
    with tempfile.TemporaryDirectory() as folder:
        return relabelled(job, rules, groups, pathlib.Path(folder))


def relabelled(job, rules, groups, scratch):
    config = {
        "job_name": "job",
        "metrics_path": job.get("metrics_path", "/metrics"),
        "scheme": job.get("scheme", "http"),
        "params": job.get("params", {}),
        "relabel_configs": rules,
        "file_sd_configs": [{"files": ["targets.json"]}],
    }
    (scratch / "targets.json").write_text(json.dumps(groups), encoding="utf-8")
    path = scratch / "prometheus.yml"
    path.write_text(json.dumps({"scrape_configs": [config]}), encoding="utf-8")
    for seconds in WAITS:
        done = subprocess.run(
            ["promtool", "check", "service-discovery", f"--timeout={seconds}s", str(path), "job"],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise SystemExit(f"promtool: {done.stderr[-2000:]}")
        answer = json.loads(done.stdout) or []
        if len(answer) == len(groups):
            break
    else:
        raise SystemExit(f"promtool saw {len(answer)} of {len(groups)} targets in {WAITS[-1]}s")
    errors = [entry["error"] for entry in answer if entry.get("error")]
    if errors:
        raise SystemExit(f"promtool: {errors[0]}")
    return {entry["discoveredLabels"]["__address__"] for entry in answer if entry.get("labels")}


def main():
    count, raw = int(sys.argv[1]), pathlib.Path(sys.argv[2])
    sets = collections.defaultdict(dict)
    for path in raw.glob("prometheus*.yml"):
        shard = re.search(r"-shard-(\d+)\.yml$", path.name)
        if shard:
            sets[path.name[: shard.start()]][int(shard.group(1))] = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not sets or any(len(shards) < 2 for shards in sets.values()):
        raise SystemExit(f"{raw}: no prometheus*-shard-K.yml of two or more shards")
    divided, every, one, problems = {}, [], [], []
    for name, shards in sorted(sets.items()):
        if sorted(shards) != list(range(len(shards))):
            raise SystemExit(f"{raw}/{name}: shards {sorted(shards)}, expected 0 to {len(shards) - 1}")
        jobs = collections.defaultdict(dict)
        for shard, config in shards.items():
            for job in config["scrape_configs"]:
                jobs[job["job_name"]][shard] = job
        for title, copies in sorted(jobs.items()):
            some = next(iter(copies.values()))
            if not any(divides(rule) for job in copies.values() for rule in job.get("relabel_configs", [])):
                if len(copies) == len(shards):
                    every.append(title)
                elif len(copies) == 1:
                    one.append(title)
                else:
                    problems.append(f"{title}: on shards {sorted(copies)}, undivided")
                continue
            groups = targets(some, count, random.Random(f"{SEED} {title}"))
            whole = [rule for rule in some.get("relabel_configs", []) if not divides(rule)]
            runs = [(some, whole)] + [(job, job.get("relabel_configs", [])) for _, job in sorted(copies.items())]
            # Each run waits more than it works.
            with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
                wanted, *mine = pool.map(lambda run: kept(*run, groups), runs)
            times = collections.Counter()
            for shard, addresses in zip(sorted(copies), mine):
                times.update(addresses)
                print(f"{title}: shard {shard} keeps {len(addresses)} of {len(wanted)}")
            lost = sorted(wanted - set(times))
            twice = sorted(address for address, number in times.items() if number > 1)
            extra = sorted(set(times) - wanted)
            for what, addresses in (("no shard", lost), ("several shards", twice), ("a shard, unasked", extra)):
                if addresses:
                    problems.append(f"{title}: {len(addresses)} targets on {what}, such as {addresses[0]}")
            divided[title] = sum(1 for number in times.values() if number == 1)
    for problem in problems:
        print(problem)
    print(json.dumps({"divided": divided, "every": every, "one": one}))
    return 1 if problems else 0


sys.exit(main())
