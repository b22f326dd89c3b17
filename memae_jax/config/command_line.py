"""Words of a command, brought into the form that absl reads.

People write flags with one dash, in a file, after `--`, with the value as a
word of its own, and members of a tuple with and without brackets and quotes.
Here all of it becomes `--name=value`, and a command on a run gets the config of
the run if it names none.
"""

import re
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from absl import flags

from memae_jax import config as config_lib
from memae_jax import plugins
from memae_jax.config import config_file, flag_file, values
from memae_jax.runtime import errors, paths

# A word processor makes other dashes of hyphens.
_FLAG = re.compile(
  r'[-\u2010-\u2015\u2212]{1,2}(?=[A-Za-z])([^=]*)(=?)(.*)', re.S
)
_MEMBER = re.compile(r'(.*)\[(-?\d+)\]')

Options = dict[str, list[str | None]]  # Values by name; None: it has no value.


class Command(NamedTuple):
  """A command in one form.

  Attributes:
    words: for absl, the program first.
    members: new values of single members of a tuple, as (field, index, text).
  """

  words: list[str]
  members: list[tuple[str, str, str]]


def read(argv: Sequence[str]) -> Command:
  """Brings a command into one form.

  Args:
    argv: the program and its words.

  Raises:
    UserError: a flag names no field or file, or lacks its value.
  """
  arguments = flag_file.expanded(argv[1:])
  plugins.load(plugins.named(arguments))  # They may bring fields of their own.
  options, rest = _options(arguments)
  _add_stored_config(options)
  words, members = [argv[0]], []
  if 'config' in options and 'config' in flags.FLAGS:  # Before its overrides.
    text = options.pop('config')[-1]
    if _takes_fields():
      config_file.existing(text)
      text = f'{config_file.__file__}:{text}'
    else:
      config_file.existing(text, function='get_study')
    words.append(f'--config={text}')
  for name, texts in options.items():
    field, member = name.removeprefix('config.'), _MEMBER.fullmatch(name)
    for text in texts:
      if member and field != name:
        members.append((member[1].removeprefix('config.'), member[2], text))
      elif text is None:
        words.append(f'--{name}')
      else:
        text = text if field == name else values.literal(field, text)
        words.append(f'--{name}={text}')
  if any(word.startswith('-') for word in rest):
    rest.insert(0, '--')
  return Command(words + rest, members)


def _takes_fields() -> bool:
  """Returns whether this program has `--config.FIELD`."""
  if 'config' not in flags.FLAGS:
    return False
  return flags.FLAGS['config'].flag_type() == 'config object'


def _options(words: Sequence[str]) -> tuple[Options, list[str]]:
  """Returns the flags, and the words that are no flags."""
  options: Options = {}
  rest, behind, at = [], False, 0
  while at < len(words):
    word, at = words[at], at + 1
    match = _FLAG.fullmatch(word)
    known = _known(match[1]) if match else None
    if word == '--' and not behind:
      behind = True  # A launcher has it; flags may follow.
    elif match is None or (behind and known is None):
      rest.append(word)
    elif known is None:  # Absl refuses it.
      options.setdefault(match[1], []).append(match[3] if match[2] else None)
    else:
      name, is_switch, is_off = known
      text = match[3] if match[2] else None
      after = words[at] if at < len(words) else '--'
      if is_off:
        text = 'false'
      elif text is None and _is_value(after, is_switch):
        text, at = after, at + 1
      elif text is None and not is_switch:
        raise errors.UserError(
          f'flag --{name} has no value; write --{name}=VALUE'
        )
      options.setdefault(name, []).append(text)
  return options, rest


def _is_value(word: str, of_switch: bool) -> bool:
  """Returns whether the word behind a flag is its value."""
  if of_switch:
    return word.lower() in ('true', 'false')
  match = _FLAG.fullmatch(word)
  return word != '--' and not (match and _known(match[1]))


def _known(name: str) -> tuple[str, bool, bool] | None:
  """Returns the name of a flag, whether it is a switch, and whether it is off.

  Returns None if the program has no such flag.

  Raises:
    UserError: the config has no such field.
  """
  word, bracket, index = name.partition('[')
  name = word.replace('-', '_') + bracket + index
  for is_off in (False, True):
    if is_off and not name.startswith('no'):
      continue
    bare = name[2:] if is_off else name
    is_switch = _is_switch(bare)
    if is_switch or (is_switch is not None and not is_off):
      return bare, is_switch, is_off
  return None


def _is_switch(name: str) -> bool | None:
  """Returns whether a flag needs no value, or None if there is no such flag."""
  if not name.startswith('config.'):
    return flags.FLAGS[name].boolean if name in flags.FLAGS else None
  if not _takes_fields():
    if 'config' in flags.FLAGS:
      raise errors.UserError(
        f'flag --{name}: a study has no fields on the command line; set them in'
        ' its file, by Study(fields=...)'
      )
    return None
  member = _MEMBER.fullmatch(name)
  node = config_lib.find((member[1] if member else name)[len('config.') :])
  if member and getattr(node, 'item', None) is None:
    raise errors.UserError(f'config field "{name[7:]}" has no members')
  return isinstance(getattr(node, 'default', None), bool)


def _add_stored_config(options: Options) -> None:
  """Adds the config of the run to a command on a run that names none."""
  last = {name: texts[-1] for name, texts in options.items()}
  if last.get('config') or not last.get('workdir') or not _takes_fields():
    return
  if 'mode' not in flags.FLAGS:
    return
  path = paths.local(last['workdir'], '--workdir') / 'config.json'
  if last.get('mode') != 'eval' and not path.exists():
    if any(name.startswith('config.') for name in options):
      raise errors.UserError(
        f'{path} does not exist; give --config, or the folder of a run'
      )
    return
  watch = last.get('watch', 'false') or 'true'
  if watch.lower() in ('true', 't', '1', 'y', 'yes') and not path.exists():
    print(f'waiting for {path}', file=sys.stderr, flush=True)
    while not path.exists():  # The training has not started yet.
      time.sleep(1)
  options['config'] = [str(path)]


def set_members(config: Any, members: Sequence[tuple[str, str, str]]) -> None:
  """Changes single members of tuples, as by `--config.model.widths[0]=16`.

  Args:
    config: is changed in place.
    members: see `Command`.

  Raises:
    UserError: there is no such member.
  """
  for field, index, text in members:
    *groups, last = field.split('.')
    group = config
    for name in groups:
      group = group[name]
    value = list(group[last])
    new = values.members(config_lib.find(field), text)
    try:
      (value[int(index)],) = new
    except (IndexError, ValueError) as error:
      raise errors.UserError(
        f'--config.{field}[{index}]={text} does not fit {tuple(value)}; write'
        f' --config.{field}={",".join(map(str, value))}'
      ) from error
    group[last] = tuple(value)
