#!/usr/bin/python3
"""mutate.py - does some story, or a random history, tell each rule that is made wrong?

usage: tests/mutation/mutate.py [--only REGEX] [--jobs N] [--list] [--stories] [-v]

In: the tree. Each mutation is one small wrong in a scratch copy: a duration a unit longer or shorter, a recipient less
or more, another urgency, level, topic or class, a rule switched off (these through --policy where the loader lets a
county do it, else in the list of policy.h), a condition turned round in the engine's sources. All stories are held
against the simulator made so; what they do not notice is held, where it is in a source, against the engine's unit tests,
then against the model (tests/model) and the properties (tests/property) over random histories. Out: the mutations
that nothing notices, and how many there were.
Exit status: 0 if every survivor is in the table `equal` (where it says why nothing can tell it from the right one) and
every row of the table survives; 1 otherwise; 2 where it could not run.
Promise: writes nothing outside a temporary folder.
"""
import argparse
import concurrent.futures
import glob
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
from datetime import date, timedelta

HERE = os.path.dirname(os.path.abspath(__file__))
TREE = os.path.dirname(os.path.dirname(HERE))
ENGINE = "daemon/engine/"
PYTHON = "/usr/bin/python3"
POLICY_H = ENGINE + "policy.h"
SOURCES = ["rules/*.c", "needs.c", "derive.c", "fact.c", "place.c", "disclosure.c", "compare.c", "fold*.c"]
HAND_OUT = "daemon/turn_mailbox.c"  # where disclosed() is asked again
ENGINE_TESTS = ["tests/test_" + name for name in ("compare", "derive", "fold", "needs", "told", "family", "turn")]
SEEDS, HISTORIES = 100, 20  # what is left over when the stories have passed
# Of the processor's time, not of the clock's: on a busy machine nothing may pass for noticed that was only slow.
STORIES_S, UNIT_S, HISTORIES_S = 30, 120, 300


def text(path):
    with open(os.path.join(TREE, path), encoding="utf-8") as f:
        return f.read()


def flat(path):
    """A header's lists without the ends of their lines."""
    return re.sub(r"[ \t]*\\\n[ \t]*|[ \t]*\n[ \t]+", " ", text(path))


class Mutation:
    """One wrong: a policy file, or a source with another text in it (and the source to compile for it)."""

    def __init__(self, name, policy=None, path=None, old=None, new=None, at=0, compiles=None):
        self.name, self.policy, self.path = name, policy, path
        self.old, self.new, self.at, self.compiles = old, new, at, compiles or path


# ---- Policy: what a county may decide --------------------------------------------------------------------------------

UNITS = {"UNIT_MINUTES": "minutes", "UNIT_HOURS": "hours", "UNIT_DAYS": "days", "UNIT_MONTHS": "months"}


def yaml_at(path, value):
    """A policy file that says one key: 'a.b' and ' v' or a block of lines."""
    out, keys = [], path.split(".")
    for depth, key in enumerate(keys):
        out.append("  " * depth + key + ":")
    if isinstance(value, str):
        out[-1] += " " + value
    else:
        out += ["  " * len(keys) + line for line in value]
    return "\n".join(out) + "\n"


def dated_yaml(values):
    """[(from or None, n, unit)] -> a scalar or a list."""
    if len(values) == 1:
        return f"{values[0][1]} {values[0][2]}"
    lines = []
    for since, n, unit in values:
        lines += [f"- value: {n} {unit}"] if since is None else [f"- from: {since}", f"  value: {n} {unit}"]
    return lines


def durations():
    listed = re.search(r"#define POLICY_DURATIONS\(D\)(.*?)\n\n", text(POLICY_H), re.S)[1]
    for path, value in re.findall(r'D\(\w+, "([^"]+)",[\s\\]*((?:SINCE\()?V\(.*?\))(?:\)?), "', listed, re.S):
        values = [(None, int(n), UNITS[u]) for n, u in re.findall(r"V\((\d+), (\w+)\)", value)]
        for i, (y, m, d) in enumerate(re.findall(r"\), (\d+), (\d+), (\d+), V", value), 1):
            values[i] = (date(int(y), int(m), int(d)),) + values[i][1:]
        for i, (since, n, unit) in enumerate(values):
            for other in ((since, n + 1, unit), (since, n - 1, unit)):
                wrong = values[:i] + [other] + values[i + 1:]
                yield Mutation(f"{path}: {n} {unit} -> {other[1]}", yaml_at(path, dated_yaml(wrong)))
            for days in (1, -1) if since else ():
                wrong = values[:i] + [(since + timedelta(days), n, unit)] + values[i + 1:]
                yield Mutation(f"{path}: from {since} -> {wrong[i][0]}", yaml_at(path, dated_yaml(wrong)))


def minutes():
    for path, hour in re.findall(r'M\(\w+, "([^"]+)", (\d+) \* 60', text(POLICY_H)):
        for other in (int(hour) + 1, int(hour) - 1):
            yield Mutation(f"{path}: {hour}:00 -> {other}:00", yaml_at(path, f'"{other:02}:00"'))


def codes():
    """LK_NAME -> word, and list -> words, of the headers' code lists."""
    words, lists = {}, {}
    for header in ("include/linkages/event.h", "include/linkages/notice.h"):
        for name, body in re.findall(r"#define (LK_\w+)\(C\)(.*?)(?<!\\)\n", text(header), re.S):
            lists[name] = re.findall(r'C\((\w+), "([^"]+)"\)', body)
            words.update(lists[name])
    return words, lists


def sets():
    words, lists = codes()
    whole = {"status": "LK_STATUSES", "category": "LK_CATEGORIES", "key_kind": "LK_KEY_KINDS"}
    for path, kind, bits in re.findall(r'S\(\w+, "([^"]+)", (\w+), ((?:BIT\(\w+\)(?: \| )?)+)', flat(POLICY_H)):
        members = [words[b] for b in re.findall(r"BIT\((\w+)\)", bits)]
        for member in members:
            left = ", ".join(m for m in members if m != member)
            yield Mutation(f"{path}: without {member}", yaml_at(path, f"[{left}]"))
        for _, word in lists.get(whole[kind], []):
            if word not in members:
                yield Mutation(f"{path}: with {word}", yaml_at(path, "[" + ", ".join(members + [word]) + "]"))


def rows():
    """The rows of POLICY_RULES as they are written, each with its parts."""
    words, _ = codes()
    body = re.search(r"#define POLICY_RULES\(R\)(.*?)(?<!\\)\n", text(POLICY_H), re.S)[1]
    parts = (r"R\((LK_\w+)", r"(STANDING|MOMENT)", r"([^,]+)", r"(LK_\w+)", r"(\w+)", r"(LK_\w+)", r"(?:true|false),")
    for m in re.finditer(r",[\s\\]+".join(parts), body):
        yield words[m[1]], m


def slot_words():
    words = dict(re.findall(r'C\((SLOT_\w+), "(\w+)"\)', text(POLICY_H)))
    groups = {"LEADS": "SLOT_CWS_LEAD SLOT_CALWORKS_LEAD", "SUPERVISORS": "SLOT_CWS_SUPERVISOR SLOT_CALWORKS_SUPERVISOR",
              "SAID_BY": "SLOT_OWN_LEAD", "TOLD_TO": "SLOT_OTHER_LEAD"}
    return words, groups


def recipients(kind, slots):
    words, groups = slot_words()
    names = re.findall(r"SLOT_\w+", " ".join(groups.get(s, s) for s in re.findall(r"\w+", slots)))
    to = [words[n] for n in names]
    path = f"rules.{kind}"
    for word in to:
        left = [w for w in to if w != word]
        yield Mutation(f"{kind}: not to {word}", rule_yaml(kind, f"to: [{', '.join(left)}]"))
    for word in words.values():
        if word not in to:
            yield Mutation(f"{kind}: also to {word}", rule_yaml(kind, f"to: [{', '.join(to + [word])}]"))


def rule_yaml(kind, line):
    return f"rules:\n  {kind}:\n    {line}\n"


def rule_mutations():
    levels = ["LK_OWN", "LK_SIGNAL", "LK_REGISTRY", "LK_CONTENT"]
    topics = re.findall(r"LK_TOPIC_\w+", flat("include/linkages/event.h"))
    for kind, m in rows():
        yield Mutation(f"{kind}: switched off", rule_yaml(kind, "enabled: false"))
        yield from recipients(kind, m[3])
        for word in ("routine", "prompt", "urgent"):
            if "LK_" + word.upper() != m[6]:
                yield Mutation(f"{kind}: {word}", rule_yaml(kind, f"urgency: {word}"))
        wrongs = [(2, "MOMENT" if m[2] == "STANDING" else "STANDING")]
        wrongs += [(4, level) for level in levels if level != m[4]]
        wrongs += [(5, topic) for topic in topics if topic != m[5] and m[5] != "NO_TOPIC"]
        for part, wrong in wrongs:
            new = m[0][:m.start(part) - m.start()] + wrong + m[0][m.end(part) - m.start():]
            yield Mutation(f"{kind}: {wrong}", None, POLICY_H, m[0], new, compiles=ENGINE + "policy.c")


# ---- Code: every condition, turned round -----------------------------------------------------------------------------

FLIPS = [(" == ", " != "), (" != ", " == "), (" < ", " <= "), (" <= ", " < "), (" > ", " >= "), (" >= ", " > "),
         (" && ", " || "), (" || ", " && "), ("(!", "("), (" !", " "), (" + 1", ""), (" - 1", "")]


def conditions():
    for pattern in [ENGINE + source for source in SOURCES] + [HAND_OUT]:
        for path in sorted(glob.glob(os.path.join(TREE, pattern))):
            yield from conditions_in(os.path.relpath(path, TREE))


def conditions_in(path):
    at, seen = 0, {}
    for line in text(path).splitlines(keepends=True):
        code = line.split("/*")[0]
        skipped = line.lstrip().startswith(("/*", "*", "#")) or "snprintf" in line or "failed" in line or "NULL" in line
        for old, new in FLIPS if not skipped else ():
            for m in re.finditer(re.escape(old), code):
                if old == " !" and code[m.end():m.end() + 1] == "=":
                    continue
                if " < " in old and "for (" in code:
                    continue
                if path == HAND_OUT and re.search(r"\brc\)?$", code[:m.start()]):  # an error's way out, which no story takes
                    continue
                shown = (code[:m.start()] + f" [{old.strip()} -> {new.strip()}] " + code[m.end():]).replace("  ", " ").strip()
                seen[shown] = seen.get(shown, 0) + 1
                name = f"{path.removeprefix(ENGINE).removeprefix('daemon/')}: {shown}" + (f" #{seen[shown]}" if seen[shown] > 1 else "")
                yield Mutation(name, None, path, old, new, at + m.start())
        at += len(line)


# ---- A scratch copy, built once; then one object a mutation -----------------------------------------------------------

class Scratch:
    def __init__(self, root, jobs, stories_only):
        self.stories_only = stories_only
        self.root, self.base = root, os.path.join(root, "base")
        shutil.copytree(TREE, self.base, ignore=shutil.ignore_patterns(".git", "build*", "__pycache__"))
        self.build = os.path.join(root, "build")
        self.run(["cmake", "-S", self.base, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=None",
                  "-DCMAKE_C_FLAGS=-O0", "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON"])
        self.run(["ninja", "-C", self.build, "linkages-sim", "property"] + [os.path.basename(u) for u in ENGINE_TESTS])
        with open(os.path.join(self.build, "compile_commands.json"), encoding="utf-8") as f:
            # a test may compile a source once more, in a way of its own: the program's way comes first
            self.commands = {os.path.relpath(c["file"], self.base): c["command"] for c in reversed(json.load(f))}
        self.link = {program: self.link_of(program) for program in ["bin/linkages-sim", "tests/property"] + ENGINE_TESTS}
        self.stories = sorted(glob.glob(os.path.join(self.base, "tests/scenarios/*.ndjson")))
        self.places = queue.Queue()
        for i in range(jobs):
            place = os.path.join(root, f"w{i}")
            shutil.copytree(os.path.join(self.base, "daemon"), os.path.join(place, "daemon"))
            self.places.put(place)

    def link_of(self, program):
        said = self.run(["ninja", "-C", self.build, "-t", "commands", program]).splitlines()
        return next(c for c in reversed(said) if f"-o {program} " in c)

    @staticmethod
    def run(command, **more):
        done = subprocess.run(command, capture_output=True, text=True, **more)
        if done.returncode != 0:
            print(done.stdout[-2000:], done.stderr[-2000:], file=sys.stderr)
            sys.exit(2)
        return done.stdout

    def check(self, sim, policy=None, place=None):
        """'killed', 'survives', or 'refused' where the loader does not allow the policy."""
        stories = list(self.stories)
        for part in (stories[:3], stories[3:12], stories[12:]):
            done = self.tried([sim] + (["--policy", policy] if policy else []) + ["--check"] + part, STORIES_S)
            if policy and done.returncode == 2:
                return "refused"
            if done.returncode != 0:
                self.first(re.search(r"^FAIL (.*)$", done.stdout, re.M))
                return "killed"
        if place and self.units_notice(place):
            return "killed"
        return "survives" if self.stories_only else self.check_histories(sim, place, policy)

    def units_notice(self, place):
        return any(self.tried([self.linked(unit, place)], UNIT_S).returncode != 0 for unit in ENGINE_TESTS)

    def check_histories(self, sim, place, policy):
        """What neither tells from the right program, the model or a property may."""
        model = [PYTHON, os.path.join(self.base, "tests/model/differ.py"), "--stop", "--seeds", str(SEEDS), "--sim",
                 sim + (f" --policy {policy}" if policy else "")]
        commands = [model]
        if place:
            commands.append([self.linked("tests/property", place), "--histories", str(HISTORIES)])
        return "killed" if any(self.tried(c, HISTORIES_S).returncode != 0 for c in commands) else "survives"

    def tried(self, command, seconds):
        """One that goes round in circles is ended by a signal."""
        return subprocess.run(["prlimit", f"--cpu={seconds}", *command], capture_output=True, text=True, cwd=self.base)

    def first(self, noticed):
        """The story that noticed this mutation is likely to notice the next one, too."""
        if noticed:
            self.stories = [noticed[1]] + [s for s in self.stories if s != noticed[1]]

    def set_aside(self):
        """Stories and tests that fail for the right program can tell nothing of a wrong one."""
        sim, stories = os.path.join(self.build, "bin/linkages-sim"), self.stories
        for unit in ENGINE_TESTS:
            self.run([os.path.join(self.build, unit)], cwd=self.base)
        failing = [s for s in stories if subprocess.run([sim, "--check", s], capture_output=True).returncode != 0]
        self.stories = [s for s in stories if s not in failing]
        for story in failing:
            print(f"set aside, it fails as things are: {os.path.basename(story)}", flush=True)
        return failing

    def compiled(self, mutation, place):
        """The simulator with the mutation in it; None where it does not compile."""
        path = os.path.join(place, mutation.path)
        with open(path, encoding="utf-8") as f:
            right = f.read()
        at = right.index(mutation.old, mutation.at)
        obj = os.path.join(place, "mutant.o")
        command = self.commands[mutation.compiles].replace(self.base + "/daemon", place + "/daemon")
        command = re.sub(r" -o \S+", f" -w -o {obj}", command)
        try:
            with open(path, "w", encoding="utf-8") as f:
                f.write(right[:at] + mutation.new + right[at + len(mutation.old):])
            done = subprocess.run(command, shell=True, cwd=self.build, capture_output=True)
        finally:
            with open(path, "w", encoding="utf-8") as f:
                f.write(right)
        return self.linked("bin/linkages-sim", place) if done.returncode == 0 else None

    def linked(self, program, place):
        """A program with the place's mutant in it: what is named first is not looked for in the archive."""
        out = os.path.join(place, os.path.basename(program))
        self.run(["sh", "-c", self.link[program].replace(f" -o {program} ", f" {place}/mutant.o -o {out} ")], cwd=self.build)
        return out

    def judge(self, mutation):
        place = self.places.get()
        try:
            if mutation.policy is None:
                sim = self.compiled(mutation, place)
                return self.check(sim, place=place) if sim else "refused"
            policy = os.path.join(place, "policy.yaml")
            with open(policy, "w", encoding="utf-8") as f:
                f.write(mutation.policy)
            return self.check(os.path.join(self.build, "bin/linkages-sim"), policy)
        finally:
            self.places.put(place)


# ---- The run ---------------------------------------------------------------------------------------------------------

def table():
    """Rows of `equal`: mutations, and indented below them why nothing can tell them from the right program."""
    rows, names = {}, []
    for line in open(os.path.join(HERE, "equal"), encoding="utf-8"):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("\t"):
            rows.update({name: line.strip() for name in names})
            names = []
        else:
            names.append(line.strip())
    if names:
        sys.exit(f"equal: {names[0]}: no reason given")
    return rows


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--only", default="", help="only mutations whose name matches")
    p.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    p.add_argument("--list", action="store_true", help="name the mutations, make none")
    p.add_argument("--stories", action="store_true", help="the stories and unit tests alone: a first look")
    p.add_argument("-v", action="store_true", help="say how each went")
    a = p.parse_args()
    makers = (durations, minutes, sets, rule_mutations, conditions)
    chosen = [m for make in makers for m in make() if re.search(a.only, m.name)]
    if a.list:
        print("\n".join(m.name for m in chosen))
        return 0
    known, count = table(), {"killed": 0, "survives": 0, "refused": 0}
    bad = sorted(set(known) - {m.name for m in chosen}) if not a.only else []
    for name in bad:
        print("no such mutation, but a row in `equal`: " + name)
    with tempfile.TemporaryDirectory() as root:
        scratch = Scratch(root, a.jobs, a.stories)
        bad += scratch.set_aside()
        with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
            for m, how in zip(chosen, pool.map(scratch.judge, chosen)):
                count[how] += 1
                if (how == "survives") != (m.name in known) and how != "refused":
                    bad.append(m.name if how == "survives" else f"{m.name}: in `equal`, and yet it is noticed")
                    print(("survives  " if how == "survives" else "noticed   ") + m.name, flush=True)
                elif a.v:
                    print(f"{how:<9} {m.name}", flush=True)
    print(f"{count['killed']} killed, {count['survives']} survive ({len(bad)} not explained), "
          f"{count['refused']} cannot be made")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
