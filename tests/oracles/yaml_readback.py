"""Reads YAML back with PyYAML, a reader that shares no code with ours.

Standard input holds one JSON object a line: {"yaml": text, "value": what the text must mean}. Every text that is read as
something else is named on standard error, and the exit status is 1.
"""

import json
import sys

import yaml


def same(read, meant):
    """Equality that also compares types: 1 is not True, "1" is not 1."""
    if type(read) is not type(meant):
        return False
    if isinstance(meant, dict):
        return list(read) == list(meant) and all(same(read[key], meant[key]) for key in meant)
    if isinstance(meant, list):
        return len(read) == len(meant) and all(map(same, read, meant))
    return read == meant


def main():
    count = failures = 0
    for line in sys.stdin.buffer:
        case = json.loads(line)
        count += 1
        try:
            read = yaml.safe_load(case["yaml"])
        except (yaml.YAMLError, ValueError) as error:
            read = error
        if not same(read, case["value"]):
            failures += 1
            print(f"{case['value']!a} written as {case['yaml']!a} was read as {read!a}", file=sys.stderr)
    if failures:
        print(f"{failures} of {count} documents changed", file=sys.stderr)
        return 1
    print(f"{count} documents read back")
    return 0


sys.exit(main())
