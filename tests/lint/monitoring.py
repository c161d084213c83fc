#!/usr/bin/python3
"""monitoring.py - alert rules, dashboard and documentation speak of metrics that exist, and each alert has its remedy.

usage: monitoring.py [--write]      (--write: docs/metrics.md anew)

In: docs/monitoring/, docs/metrics.md, docs/runbook.md, the table of metrics as linkages-metrics-doc prints it, the alarms of
daemon/alarm.h. Out: one line an offence. Each check is shown an offence of its own first: a gate that has never
been red is decoration.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("LINKAGES_BIN", os.path.join(ROOT, "build", "bin"))
RULES, RULES_TEST = "docs/monitoring/linkages-alerts.yml", "docs/monitoring/linkages-alerts-test.yml"
ALARMS = "daemon/alarm.h"
DASHBOARD, TABLE, RUNBOOK = "docs/monitoring/linkages-dashboard.json", "docs/metrics.md", "docs/runbook.md"
NAME = re.compile(r"\b(?:linkages|process)_[a-z_]+\b")
SERIES = ("_bucket", "_sum", "_count")


def text(path):
    with open(os.path.join(ROOT, path), encoding="utf-8") as f:
        return f.read()


def table_now():
    return subprocess.run([os.path.join(BIN, "linkages-metrics-doc")], capture_output=True, text=True, check=True).stdout


def names_of(table):
    """Every name that a query may have."""
    known = set()
    for name, kind in re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.M):
        known |= {name + s for s in SERIES} if kind == "histogram" else {name}
    return known


def strangers(known, path, source):
    return [f"{path}: there is no metric {name}" for name in sorted(set(NAME.findall(source)) - known)]


def dashboard_queries(source):
    board = json.loads(source)
    return "\n".join(t["expr"] for panel in board["panels"] for t in panel["targets"]) + "\n" + "\n".join(
        v["query"] for v in board["templating"]["list"])


def without_remedy(rules, runbook):
    return [f"{RUNBOOK}: no section '### {name}'" for name in re.findall(r"alert: (\w+)", rules)
            if not re.search(rf"^### {name}$", runbook, re.M)]


def alarms_of(header):
    """{word: does it stand} of daemon/alarm.h."""
    return {word: stands == "true" for word, stands in re.findall(r'A\(ALARM_\w+, "(\w+)", (true|false),', header)}


def alarms_amiss(alarms, runbook):
    """The runbook's table of alarms has each, as it is, and leads to a section."""
    rows = {word: (stands == "stands", link) for word, stands, link in
            re.findall(r"^\| `(\w+)` \| (stands|) ?\| .* \| \[.*\]\(#([\w-]+)\) \|$", runbook, re.M)}
    sections = {heading.lower().replace(" ", "-") for heading in re.findall(r"^### (.*)$", runbook, re.M)}
    return ([f"{RUNBOOK}: the alarm {word} is not in the table" for word in sorted(set(alarms) - set(rows))] +
            [f"{RUNBOOK}: there is no alarm {word}" for word in sorted(set(rows) - set(alarms))] +
            [f"{RUNBOOK}: does {word} stand?" for word in rows if word in alarms and rows[word][0] != alarms[word]] +
            [f"{RUNBOOK}: {word}: there is no section {rows[word][1]}" for word in rows if rows[word][1] not in sections])


def promtool(*words):
    result = subprocess.run(["promtool", *words], capture_output=True, text=True, check=False)
    return [] if result.returncode == 0 else [f"promtool {' '.join(words)}: {result.stdout}{result.stderr}"]


def check_rules(folder):
    rules, test = (os.path.join(folder, os.path.basename(p)) for p in (RULES, RULES_TEST))
    return promtool("check", "rules", rules) + promtool("test", "rules", test)


def prove(known):
    """Each check finds what is planted for it."""
    assert strangers(known, "x", "rate(linkages_events_acepted_total[5m])"), "a metric that does not exist is not noticed"
    assert strangers(known, "x", "linkages_commit_seconds"), "a histogram asked for without its part is not noticed"
    assert without_remedy("alert: NobodyKnows", text(RUNBOOK)), "an alert without a remedy is not noticed"
    row = "| `x` | stands | a | [b](#c) |\n"
    assert not alarms_amiss({"x": True}, row + "### c\n") and len(alarms_of(text(ALARMS))) > 5, "the table is not read"
    assert alarms_amiss({"x": True, "y": False}, row + "### c\n"), "an alarm that is not in the table is not noticed"
    assert alarms_amiss({}, row + "### c\n"), "an alarm that does not exist is not noticed"
    assert alarms_amiss({"x": False}, row + "### c\n"), "an alarm that does not stand is not noticed"
    assert alarms_amiss({"x": True}, row), "an alarm that leads nowhere is not noticed"
    with tempfile.TemporaryDirectory() as folder:
        for path in (RULES, RULES_TEST):
            shutil.copy(os.path.join(ROOT, path), folder)
        path = os.path.join(folder, os.path.basename(RULES))
        with open(path, encoding="utf-8") as f:
            source = f.read()
        with open(path, "w", encoding="utf-8") as f:
            f.write(source.replace("linkages_source_silent == 1", "linkages_source_silent == 2"))
        assert check_rules(folder), "an alert that never fires is not noticed"


def main():
    table = table_now()
    if "--write" in sys.argv:
        with open(os.path.join(ROOT, TABLE), "w", encoding="utf-8") as f:
            f.write(table)
        return 0
    known = names_of(table)
    prove(known)
    offences = [] if table == text(TABLE) else [f"{TABLE} is stale: run tests/lint/monitoring.py --write"]
    offences += strangers(known, RULES, text(RULES)) + strangers(known, RULES_TEST, text(RULES_TEST))
    offences += strangers(known, DASHBOARD, dashboard_queries(text(DASHBOARD)))
    offences += without_remedy(text(RULES), text(RUNBOOK)) + alarms_amiss(alarms_of(text(ALARMS)), text(RUNBOOK))
    offences += check_rules(os.path.join(ROOT, "docs/monitoring"))
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
