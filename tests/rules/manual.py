#!/usr/bin/env python3
"""The manual says what --help says: synopsis and options of each program and verb, no more, no less."""
import os
import re
import subprocess
import sys

TOP, BUILD = sys.argv[1:3]
bad = []
OPTION = re.compile(r'^  (--[a-z-]+(?: [A-Z:-]+)?)  ', re.M)
COMMON = {'--json', '--quiet', '--config DIR', '--help', '--version'}


def help_of(*command):
    r = subprocess.run(command, text=True, capture_output=True, check=False)
    if r.returncode != 0:
        bad.append(f'{" ".join(command)} exits {r.returncode}')
    for line in r.stdout.splitlines():
        if len(line) > 100:
            bad.append(f'{" ".join(command)}: a line is longer than 100 columns: {line}')
    return r.stdout


def section(page, title):
    match = re.search(r'^%s\n[-=~]+\n(.*?)(?=^\S[^\n]*\n[-=~]{3,}\n|\Z)' % re.escape(title), page,
                      re.S | re.M)
    return match.group(1) if match else None


def options_of(text):
    return set(re.findall(r'^\*?\*?``(--[a-z-]+(?: [A-Z:-]+)?)``', text, re.M))


def compare(what, help_text, page_text, ignore):
    if page_text is None:
        bad.append(f'{what}: no section in the manual')
        return
    told, written = set(OPTION.findall(help_text)) - ignore, options_of(page_text) - ignore
    for o in sorted(told ^ written):
        bad.append(f'{what}: option {o} is only in {"--help" if o in told else "the manual"}')
    synopsis = help_text.splitlines()[0] if help_text else ''
    flat = ' '.join(page_text.replace('*', '').replace('`', '').split())
    if synopsis and synopsis not in flat:
        bad.append(f'{what}: synopsis "{synopsis}" is not in the manual')


page = open(os.path.join(TOP, 'man/vssctl.8.rst'), encoding='utf-8').read()
vssctl = os.path.join(BUILD, 'vssctl')
verbs = re.findall(r'^  ([a-z]+) +[A-Z]', help_of(vssctl, '--help'), re.M)
if not verbs:
    bad.append('vssctl --help names no verbs')
for verb in verbs:
    compare(f'vssctl {verb}', help_of(vssctl, verb, '--help'), section(page, f'vssctl {verb}'), COMMON)
for program in ('vssd', 'vss-host', 'vss-hold', 'vss-probe', 'vss-betest', 'vss-place-pending', 'vss-provider-suite'):
    path = os.path.join(TOP, f'man/{program}.8.rst')
    if not os.path.exists(path):
        bad.append(f'{program}: no manual page')
        continue
    told, written = help_of(os.path.join(BUILD, program), '--help'), open(path, encoding='utf-8').read()
    plain = ' '.join(re.sub(r'[*`|\\]', '', written).split())
    # options, and every line of the usage
    for option in sorted(set(re.findall(r'--[a-z-]+', told)) ^ set(re.findall(r'--[a-z][a-z-]+', written))):
        if option not in ('--help', '--version'):
            bad.append(f'{program}: option {option} is only in {"--help" if option in told else "the manual"}')
    usage = re.match(r'usage: (.*?)\n\n', told + '\n\n', re.S)
    for line in usage.group(1).splitlines() if usage else ['no usage']:
        if ' '.join(line.replace('|', '').split()) not in plain:
            bad.append(f'{program}: usage "{line.strip()}" is not in the manual')
# the scenarios of the provider suite
scenarios = subprocess.run([os.path.join(BUILD, 'vss-provider-suite'), '--scenarios'], text=True, capture_output=True,
                           check=True).stdout.split('\n')
with open(os.path.join(TOP, 'man/vss-provider-suite.8.rst'), encoding='utf-8') as f:
    written = set(re.findall(r'^\*([a-z-]+)\*$', f.read(), re.M))
for name in sorted({line.split()[0] for line in scenarios if line} ^ written):
    bad.append(f'vss-provider-suite: the scenario "{name}" is only in one of --scenarios and the manual')
# a script's calls: each is in the manual with its arguments
written = open(os.path.join(TOP, 'man/vss-betest.8.rst'), encoding='utf-8').read()
calls = subprocess.run([os.path.join(BUILD, 'vss-betest'), '--calls'], text=True, capture_output=True,
                       check=True).stdout.splitlines()
for call in calls:
    if f'\n{call}\n' not in written.replace('``', '').replace('    ', ''):
        bad.append(f'vss-betest: the call "{call}" is not in the manual')


# the page of requesters names every call of its header and no other, the overview every header
def calls_of(name):
    with open(os.path.join(TOP, 'include/vss', name), encoding='utf-8') as f:
        text = re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)
    return set(re.findall(r'\b(vss_\w+)\(', re.sub(r'(?m)^#.*$', '', text)))


def plain_text(name):
    with open(os.path.join(TOP, 'man', name), encoding='utf-8') as f:
        return re.sub(r'[*`\\]', '', f.read())


headers = sorted(h for h in os.listdir(os.path.join(TOP, 'include/vss')) if h.endswith('.h'))
every_call = {call for header in headers for call in calls_of(header)}
# "x()" on the page is vss_backup_components_x(), "_x()" continues the name before it
named = set(re.findall(r'([a-z_]+)\(\)', plain_text('vss-requester.7.rst'))) - {'x', 'vss_backup_components_x'}
known = every_call | {call.replace('vss_backup_components_', '') for call in every_call}
for call in sorted(calls_of('requester.h')):
    spellings = {call, call.replace('vss_backup_components_', ''), call.replace('vss_enum_object', '')}
    if not spellings & named:
        bad.append(f'vss-requester(7) does not name {call}()')
for name in sorted(named - known):
    if not name.startswith('_') or not any(call.endswith(name) for call in every_call):
        bad.append(f'vss-requester(7) names {name}(), which no header has')
for header in headers:
    if f'vss/{header}' not in plain_text('libvss.3.rst'):
        bad.append(f'libvss(3) does not name vss/{header}')
print('\n'.join(bad) or f'{len(verbs)} verbs and 7 programs: the manual and --help agree')
sys.exit(1 if bad else 0)
