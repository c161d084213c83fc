#!/usr/bin/python3
"""report.py - runs the fault programs and writes down what they found.

In: tests/fault/programs; a seed and a number of power cuts. Out: tests/fault/RESULTS.md. Promise: the same commit, seed and
number give the same page, so the page can be checked; it is only written when every program ended well.
"""
import argparse
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = re.compile(r'^([0-9A-Za-z][^:]*): (.+)$')

HEAD = """# What the fault programs found

Written by `./dev faults --seed {seed} --cuts {cuts}`, which runs what is listed in [programs](programs). Each row is what
a program counted; a program that finds a promise broken fails, and then this page is not written. The commit that was
tried is {commit}.
"""


def programs(path):
    """(section, command) for each line."""
    for line in open(path, encoding='utf-8'):
        line = line.strip()
        if line and not line.startswith('#'):
            section, command = line.split(':', 1)
            yield section.strip(), command.strip()


def run(command, words):
    """The rows of one program; None where it failed."""
    real = command.format(**words)
    print(f'== {real}', flush=True)
    environment = dict(os.environ, LINKAGES_BIN=words['bin'])
    done = subprocess.run(real, shell=True, stdout=subprocess.PIPE, text=True, env=environment, check=False)
    sys.stdout.write(done.stdout)
    if done.returncode != 0:
        print(f'== status {done.returncode}', file=sys.stderr)  # no row, in whatever log it lands
        return None
    return [found.groups() for found in map(FIGURES.match, done.stdout.splitlines()) if found]


def commit():
    return subprocess.run(['git', 'log', '-1', '--format=%h of %cs'], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def page(options, sections):
    text = HEAD.format(seed=options.seed, cuts=options.cuts, commit=commit())
    for section, runs in sections.items():
        text += f'\n## {section}\n'
        for command, rows in runs:
            text += f'\n`{command}`\n\n| what was done | what came of it |\n|---|---|\n'
            text += ''.join(f'| {what} | {figures} |\n' for what, figures in rows)
    return text


def main():
    parser = argparse.ArgumentParser(description='runs the fault programs and writes tests/fault/RESULTS.md')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--cuts', type=int, default=20000, help='random power cuts')
    parser.add_argument('--only', metavar='SECTION', help='run this section alone, and write no page')
    parser.add_argument('--bin', required=True)
    parser.add_argument('--tests', required=True)
    options = parser.parse_args()
    shown = {'bin': 'build/bin', 'tests': 'build/tests', 'seed': options.seed, 'cuts': options.cuts}
    words = dict(shown, bin=os.path.abspath(options.bin), tests=os.path.abspath(options.tests))
    sections, failed = {}, False
    for section, command in programs(os.path.join(HERE, 'programs')):
        if options.only not in (None, section):
            continue
        rows = run(command, words)
        failed |= rows is None
        sections.setdefault(section, []).append((command.format(**shown), rows or []))
    if not failed and options.only is None:
        with open(os.path.join(HERE, 'RESULTS.md'), 'w', encoding='utf-8') as out:
            out.write(page(options, sections))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
