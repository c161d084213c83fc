#!/usr/bin/python3
"""lint.py - rules about the sources that no compiler knows.

usage: lint.py RULE [ROOT]     (rules: includes words functions openings threads dependencies columns verbs)

In: the tree at ROOT (default: this one). Out: one line an offence, exit status 1 if there is any.
Without ROOT it also runs the rule over planted/RULE, a small tree with offences that must all be found: a gate that has
never been seen red is decoration.
"""
import fnmatch
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FUNCTION_WALL = 40


def files(root, *suffixes, under=("include", "clients", "daemon", "tests", "schemas")):
    for top in under:
        for folder, folders, names in os.walk(os.path.join(root, top)):
            folders[:] = sorted(f for f in folders if f not in ("planted", "corpus", "__pycache__"))
            for name in sorted(names):
                if name.endswith(suffixes):
                    yield os.path.relpath(os.path.join(folder, name), root)


def text(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as f:
        return f.read()


def table(path):
    """Rows of 'a b reason…', where reason is not optional."""
    for number, line in enumerate(open(path, encoding="utf-8"), 1):
        if line.strip() and not line.startswith("#"):
            row = line.split(None, 2)
            if len(row) != 3:
                sys.exit(f"{path}:{number}: a row is 'who what reason', and the reason is not optional")
            yield row[0], row[1], row[2].strip()


# ---- includes: who may include whom -----------------------------------------------------------------------------------

GOVERNED = re.compile(r"(linkages/|event2/|systemd/|(zmq|zmq_utils|msgpack|sqlite3|jansson|lz4|sodium|yaml|event)\.h)")


def resolve(root, path, quote, name):
    if quote == "<":
        return "include/" + name if name.startswith("linkages/") else "<" + name + ">"
    for base in (os.path.dirname(path), "daemon", "clients", "include"):
        found = os.path.normpath(os.path.join(base, name))
        if os.path.exists(os.path.join(root, found)):
            return found
    return "(generated)/" + name


def check_includes(root):
    rows = [(a, b) for a, b, _ in table(os.path.join(HERE, "includes"))]
    used = set()
    for path in files(root, ".c", ".h", under=("include", "clients", "daemon")):
        for number, line in enumerate(text(root, path).splitlines(), 1):
            m = re.match(r'\s*#\s*include\s*([<"])([^">]+)[">]', line)
            if not m or (m[1] == "<" and not GOVERNED.match(m[2])):
                continue
            target = resolve(root, path, m[1], m[2])
            if os.path.splitext(path)[0] == os.path.splitext(target)[0]:
                continue
            fits = [r for r in rows if fnmatch.fnmatchcase(path, r[0]) and fnmatch.fnmatchcase(target, r[1])]
            used.update(fits)
            if not fits:
                yield f"{path}:{number}: may not include {target}: a new edge needs a line and a reason in tests/lint/includes"
    if root == TREE:
        for a, b in rows:
            if (a, b) not in used:
                yield f"tests/lint/includes: '{a} {b}' allows what nobody does: take it out"


# ---- words: promises to oneself, and calls that are never right ------------------------------------------------------------

WORDS = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|\bfor now\b", re.I)
CALLS = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok|rand|system|popen|alloca)\s*\(")


def check_words(root):
    for path in files(root, ".c", ".h", ".py", ".sh", ".sql", ".yaml", ".txt", ".md"):
        if path.endswith("lint.py"):
            continue
        for number, line in enumerate(text(root, path).splitlines(), 1):
            if WORDS.search(line):
                yield f"{path}:{number}: '{WORDS.search(line)[0]}': do it, or say in the issue that it is not done"
            code = line.split("/*")[0]
            if path.endswith(".c") and not path.startswith("tests/") and CALLS.search(code):
                yield f"{path}:{number}: '{CALLS.search(code)[1]}()' is not used here"
            if "env python3" in line:
                yield f"{path}:{number}: /usr/bin/python3, for that one has Debian's zmq and msgpack"


# ---- functions: forty lines are a wall; tests may tell a longer story ----------------------------------------------------

def functions(source):
    """(name, line, length of the body) of each function: its braces stand in the first column."""
    lines = source.splitlines()
    start = None
    for i, line in enumerate(lines):
        if line == "{":
            start = i
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 6):start])
            name = (re.findall(r"(\w+)\s*\(", re.split(r"[;}]", head)[-1]) or ["?"])[0]
            yield name, start, i - start - 1
            start = None


def check_functions(root):
    allowed = {(a, b) for a, b, _ in table(os.path.join(HERE, "long-functions"))}
    used = set()
    for path in files(root, ".c", under=("clients", "daemon")):
        for name, line, length in functions(text(root, path)):
            if length <= FUNCTION_WALL:
                continue
            used.add((path, name))
            if (path, name) not in allowed:
                yield f"{path}:{line}: {name}() has {length} lines; the wall is {FUNCTION_WALL}"
    if root == TREE:
        for path, name in allowed - used:
            yield f"tests/lint/long-functions: {path} {name} is not long any more: take it out"


# ---- openings: a file says first what it is for ----------------------------------------------------------------------------

def check_openings(root):
    for path in files(root, ".c", ".h"):
        if not text(root, path).startswith(f"/* {os.path.basename(path)} - "):
            yield f"{path}:1: opens with '/* {os.path.basename(path)} - what it is for'"


# ---- dependencies: what ./dev installs is what README explains ------------------------------------------------------------

def check_dependencies(root):
    listed = re.search(r"^packages='\n(.*?)'", text(root, "dev"), re.S | re.M)[1].splitlines()
    in_dev = {line.split()[0]: " check: " in line for line in listed}
    for line in listed:
        if len(line.split()) < 2:
            yield f"dev: {line}: no reason given"
    section = text(root, "README.md").split("\n## Dependencies\n")[1].split("\n## ")[0]
    in_readme = {name: why.startswith("check: ") for name, why in re.findall(r"^\| `([a-z0-9.+-]+)` \| (.*)", section, re.M)}
    for package in sorted(in_dev.keys() ^ in_readme.keys()):
        yield f"{package} is in {'./dev' if package in in_dev else 'README.md'} only"
    for package in sorted(in_dev.keys() & in_readme.keys()):
        if in_dev[package] != in_readme[package]:
            yield f"{package} is for the checks alone in {'./dev' if in_dev[package] else 'README.md'} only"


# ---- threads: ours runs in one, so that there is nothing for two to meet in, but for what is named here -------------------

# Whoever starts a thread, or hands libzmq a function that it would call from one of its own.
THREADS = re.compile(r"\b(pthread_(?!sigmask\b)\w+|thrd_\w+|mtx_\w+|cnd_\w+|tss_\w+|clone3?|zmq_threadstart|zmq_msg_init_data|"
                     r"zmq_timers_\w+|sqlite3_unlock_notify|evthread_\w+)\s*\(")


# A thread that makes checkpoints, and the database that it shares with the loop's connection: under locks of their own. A thread
# that reads events before the loop comes to them.
THREADED = ("daemon/store/checkpoint.c", "daemon/store/share.c", "daemon/turn_reader.c")


def check_threads(root):
    for path in files(root, ".c", ".h", under=("include", "clients", "daemon")):
        if path in THREADED:
            continue
        for number, line in enumerate(text(root, path).splitlines(), 1):
            found = THREADS.search(line.split("/*")[0])
            if found:
                yield f"{path}:{number}: {found[1]}(): our code runs in one thread"


# ---- columns: whoever reads a database knows what is in it --------------------------------------------------------------

def check_columns(root):
    for path in files(root, ".sql", under=("schemas",)):
        inside = False
        for number, line in enumerate(text(root, path).splitlines(), 1):
            inside = line.startswith("CREATE TABLE") or inside and not line.startswith(")")
            column = re.match(r"\t([a-z_]+) (INTEGER|TEXT|BLOB)\b", line)
            if inside and column and not re.search(r" -- \S", line):
                yield f"{path}:{number}: column {column[1]}: -- says what it holds"


# ---- verbs: what the control lane takes is what its page explains, and what has a schema ---------------------------------

def check_verbs(root):
    page = "schemas/lanes/control.md"
    in_daemon = {(verb, role.lower()) for path in files(root, ".h", under=("daemon",))
                 for verb, role in re.findall(r'\bV\("([a-z-]+)", ([A-Z]+), verb_\w+\)', text(root, path))}
    on_page = set(re.findall(r"^\| `([a-z-]+)` \| ([a-z]+) \|", text(root, page), re.M))
    for verb, role in sorted(in_daemon - on_page):
        yield f"{page}: does not explain the verb {verb} of role {role}"
    for verb, role in sorted(on_page - in_daemon):
        yield f"{page}: the daemon has no verb {verb} of role {role}"
    described = {os.path.basename(path)[:-5] for path in files(root, ".json", under=(os.path.join("schemas", "verbs"),))}
    for verb in sorted({verb for verb, _ in in_daemon} ^ described):
        yield f"schemas/verbs/{verb}.json: " + ("the daemon has no such verb" if verb in described else "is not there")


RULES = {name[6:]: rule for name, rule in list(globals().items()) if name.startswith("check_")}
TREE = os.path.dirname(os.path.dirname(HERE))


def planted(rule):
    """Each line of planted/RULE/expected must be the beginning of one offence found there, and nothing else be found."""
    root = os.path.join(HERE, "planted", rule)
    want = open(os.path.join(root, "expected"), encoding="utf-8").read().splitlines()
    got = list(RULES[rule](root))
    missed = [w for w in want if not any(g.startswith(w) for g in got)]
    return [f"planted/{rule}: not found: {w}" for w in missed] + [
        f"planted/{rule}: found what was not planted: {g}" for g in got if not any(g.startswith(w) for w in want)]


def main():
    if len(sys.argv) not in (2, 3) or sys.argv[1] not in RULES:
        sys.exit(__doc__)
    rule = sys.argv[1]
    bad = list(RULES[rule](sys.argv[2] if len(sys.argv) == 3 else TREE))
    if len(sys.argv) == 2:
        bad += planted(rule)
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
