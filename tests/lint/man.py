#!/usr/bin/python3
"""man.py - the manual pages say what the programs say, key by key, option by option, command by command.

usage: man.py [--write]      (--write: what stands between `.\\" made` and `.\\" end` anew)

In: man/, each program's --help, the keys of daemon/config.c, daemon/roster.c and schemas/policy.md. Out: one line an
offence. Options, commands, files and exit status of a page are made from the program's own help; the rest is written by
hand, and mandoc finds nothing to say about either. Each check is shown an offence of its own first.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.environ.get("LINKAGES_BIN", os.path.join(ROOT, "build", "bin"))
MAN = os.path.join(ROOT, "man")
PROGRAMS = {"linkagesd": 8, "linkages-ctl": 1, "linkages-pub": 1, "linkages-sub": 1, "linkages-sim": 1,
            "linkages-county": 1, "linkages-bench": 1}
FILES = ("linkages.yaml", "linkages-policy.yaml", "linkages-clients.yaml", "linkages-scenario", "linkages-outbox")
MADE = re.compile(r'(\.\\" made (\w+)\n)(.*?)(\.\\" end\n)', re.S)


def text(*path):
    with open(os.path.join(*path), encoding="utf-8") as f:
        return f.read()


def help_of(program):
    return subprocess.run([os.path.join(BIN, program), "--help"], capture_output=True, text=True, check=True).stdout


# ---- From help to mdoc --------------------------------------------------------------------------------------------------


def plain(line):
    """Text that mdoc takes as it is."""
    line = line.replace("\\", "\\e").replace("…", "...").replace("`", "\\(ga").replace("'", "\\(aq").replace("^", "\\(ha")
    line = line.replace("~", "\\(ti")
    return re.sub(r"^([.'])", r"\\&\1", line)


def sentences(lines):
    """A new sentence begins a new line."""
    joined = re.sub(r"([.:;?!])\s+(?=\S)", r"\1\n", " ".join(line.strip() for line in lines if line.strip()))
    return "".join(plain(line) + "\n" for line in joined.splitlines())


def section(said, name):
    m = re.search(rf"^{name}:\n(.*?)(?=\n\S|\Z)", said, re.S | re.M)
    return m[1] if m else ""


def options(said):
    made = ".Bl -tag -width Ds\n"
    if "--config=FILE" in said:  # linkagesd's own layout: one line each
        rows = [(m[1], m[2], m[3], [m[4]]) for m in re.finditer(r"^  -(\w), --([\w-]+)(?:=(\S+))?\s+(.*)$", said, re.M)]
    else:
        rows = [(m[1], m[2], m[3], m[4].splitlines()) for m in re.finditer(
            r"^  (?:-(\w), |    )--([\w-]+)(?: (\S+))?\n((?:          .*\n?)+)", said, re.M)]
    for letter, name, argument, lines in rows:
        given = f" Ar {plain(argument)}" if argument else ""
        made += ".It " + (f"Fl {letter}{given} , " if letter else "") + f"Fl -{name}{given}\n" + sentences(lines)
    return made + ".El\n"


def commands(said):
    made = ".Bl -tag -width Ds\n"
    for words, line in re.findall(r"^  ([a-z].*?)(?:  +|\n {8,})(\S.*)$", section(said, "Commands"), re.M):
        names = re.match(r"((?:[a-z][a-z-]*)(?: [a-z][a-z-]*)?)(.*)", words)
        given = "".join(f" Op Ar {a[1:-1]}" if a.startswith("[") else f" Ar {a}" for a in names[2].split())
        made += f".It Cm {names[1]}{given}\n" + sentences([line])
    return made + ".El\n"


def commands_lost(said):
    """Lines of the help that the page would leave out: words and explanation need two blanks between them."""
    made = commands(said)
    return [line for line in re.findall(r"^  ([a-z].*)$", section(said, "Commands"), re.M)
            if ".It Cm " + re.match(r"[a-z][a-z-]*(?: [a-z][a-z-]*)?(?= |$)", line)[0].strip() not in made]


def literal(said, name):
    lines = [plain(line[2:] if line.startswith("  ") else line) for line in section(said, name).splitlines() if line.strip()]
    return ".Bd -literal\n" + "".join(line + "\n" for line in lines) + ".Ed\n"


def status(said):
    m = re.search(r"Exit status: (.*?)(?:\n\n|\Z)", said, re.S)
    return sentences([line for line in m[1].splitlines()])


def purpose(said):
    body = re.sub(r"^Usage: .*\n\n?", "", said)
    paragraphs = re.split(r"\n(?=\n)|\nCommands:|\nOptions:|\n  -", body.split("\nCommands:")[0].split("\nOptions:")[0])
    return ".Pp\n".join(sentences(p.splitlines()) for p in paragraphs if p.strip() and not p.startswith("c, --"))


def policy_keys():
    made = ".Bl -tag -width Ds\n"
    for key, kind, built_in, source, effect in re.findall(r"^\| `([^`|]+)` \| ([^|]*) \| ([^|]*) \| ([^|]*) \| ([^|]*) \|$",
                                                          text(ROOT, "schemas/policy.md"), re.M):
        made += f".It Ic {key}\n" + sentences([f"{effect.strip()} Type: {kind.strip()}. Built in: {built_in.strip()}. "
                                                   f"Source: {source.strip()}."])
    return made + ".El\n"


MAKERS = {"options": options, "commands": commands, "status": status, "purpose": purpose,
          "files": lambda said: literal(said, "Files"), "examples": lambda said: literal(said, "Examples")}


def remade(page, said):
    return MADE.sub(lambda m: m[1] + (policy_keys() if m[2] == "policy" else MAKERS[m[2]](said)) + m[4], page)


# ---- Checks ---------------------------------------------------------------------------------------------------------------


def keys_missing(page, keys):
    return [key for key in keys if f".It Ic {key}\n" not in page]


def config_keys():
    source = text(ROOT, "daemon/config.c")
    return re.findall(r'^\t\{ "([\w.]+)", (?:read|yaml_read)_', source, re.M)


def client_keys():
    return re.findall(r'^\t\{ "(\w+)", (?:read|yaml_read)_', text(ROOT, "daemon/roster.c"), re.M)


def mandoc(path):
    return subprocess.run(["mandoc", "-T", "lint", "-W", "warning", path], capture_output=True, text=True,
                          check=False).stdout.splitlines()


def check_program(program, number):
    name = f"{program}.{number}"
    path = os.path.join(MAN, name)
    if not os.path.exists(path):
        return [f"man/{name}: is not there"]
    page, said = text(path), help_of(program)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(remade(page, said))
        page = text(path)
    made = [m[2] for m in MADE.finditer(page)]
    offences = [f"man/{name}: has no part '{part}'" for part in ("options", "status") if part not in made]
    if remade(page, said) != page:
        offences.append(f"man/{name} is not what the program says of itself: run tests/lint/man.py --write")
    offences += [f"{program} --help: the page cannot tell words from explanation: {line}" for line in commands_lost(said)]
    return offences + mandoc(path)


def check_file(name):
    path = os.path.join(MAN, name + ".5")
    page = text(path)
    if "--write" in sys.argv:
        with open(path, "w", encoding="utf-8") as f:
            f.write(remade(page, ""))
        page = text(path)
    keys = {"linkages.yaml": config_keys(), "linkages-clients.yaml": client_keys()}.get(name, [])
    offences = [f"man/{name}.5: the key {key} is not explained" for key in keys_missing(page, keys)]
    if remade(page, "") != page:
        offences.append(f"man/{name}.5 is not what schemas/policy.md says: run tests/lint/man.py --write")
    return offences + mandoc(path)


def prove():
    said = "Usage: x\n\nOptions:\n  -f, --follow N\n          again\n\nExit status: 0 done\n"
    page = '.\\" made options\n' + options(said) + '.\\" end\n'
    assert remade(page, said) == page and ".It Fl f Ar N , Fl -follow Ar N\n" in page, page
    assert remade(page, said.replace("--follow", "--fallow")) != page, "an option that changed is not noticed"
    said = "Usage: x\n\nCommands:\n  look FILE    at a file\n  look-up WORD in a book\n\nOptions:\n"
    assert [line.split()[0] for line in commands_lost(said)] == ["look-up"], "a command left out is not noticed"
    assert keys_missing(".It Ic clock\n", ["clock", "keys.server"]) == ["keys.server"], "a key left out is not noticed"
    assert "keys.server" in config_keys() and "revoked" in client_keys(), "the keys are not found in the sources"


def completed(shell, *words):
    """What bash offers for the last of the words."""
    script = shell + '\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _linkages; printf "%s\\n" "${COMPREPLY[@]}"'
    return subprocess.run(["bash", "--norc", "-c", script, "bash", os.path.abspath(os.path.join(BIN, words[0])), *words[1:]], cwd="/",
                          capture_output=True, text=True, check=True).stdout.split()


# What stands on the line, and what is offered: commands come after options and their values, and once.
COMPLETED = ((["linkages-ctl", "sta"], ["status"]), (["linkages-ctl", "-c", "DIR", "sta"], ["status"]),
             (["linkages-ctl", "--yes", "--agency", "cws", "famil"], ["family"]), (["linkages-ctl", "status", "sta"], []),
             (["linkages-ctl", "--config", "DIR", "clients", "re"], ["revoke"]), (["linkages-pub", "--outb"], ["--outbox"]),
             (["linkages-ctl", "--agency", ""], ["cws", "calworks"]))


def completes_wrong(shell):
    return [f"man/linkages.bash: '{' '.join(words)}' is completed by {completed(shell, *words)}" for words, wanted in COMPLETED
            if completed(shell, *words) != wanted]


def check_completion():
    """Every command and option can be completed."""
    shell = text(ROOT, "man/linkages.bash")
    assert completes_wrong(shell.replace('_linkages_is_first "$program"', "[[ $COMP_CWORD -eq 1 ]]")), \
        "commands that are offered as the first word only are not noticed"
    said = help_of("linkages-ctl")
    words = set(re.findall(r"[a-z][a-z-]+", shell))
    wanted = {w for row in re.findall(r"^\.It Cm (.*)$", commands(said), re.M) for w in re.split(" Op | Ar ", row)[0].split()}
    return [f"man/linkages.bash: does not know '{w}'" for w in sorted(wanted - words)] + completes_wrong(shell)


def main():
    prove()
    offences = []
    for program, number in PROGRAMS.items():
        offences += check_program(program, number)
    for name in FILES:
        offences += check_file(name)
    offences += check_completion()
    print("\n".join(offences))
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
