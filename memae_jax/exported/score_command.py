"""Command of a scorer: scores of a file, a folder or a stream."""

import argparse
import sys
from collections.abc import Callable
from typing import Any

from memae_jax.exported import alarms, hourly, scored_file, stream_command
from memae_jax.runtime import atomic, errors, jax_settings, paths, streams


def _write(path: str | None, flag: str, text: str) -> None:
  if path:
    atomic.write(paths.local(path, flag), text)


def _summary(scorer: Any, scored: scored_file.Scored, rates) -> str:
  """Returns how many samples are flagged, and by what."""
  count = f'{scored.flagged} of {scored.total}'
  if rates.fdr is not None:
    return f'{count} flagged at a false discovery rate of {rates.fdr:g}'
  if rates.alarms_per_hour is not None:
    limit, _ = hourly.limit(scorer.meta, rates.alarms_per_hour)
    return f'{scored.alarms} alarms, {count} frames above {limit:.6g}'
  limit = alarms.limit(scorer.meta, rates.false_alarm)
  return f'{count} above {limit:.6g}'


def _parser() -> argparse.ArgumentParser:
  """Returns the flags of the command."""
  parser = argparse.ArgumentParser(
    prog='python -m memae_jax.scorer',
    description='Scores new samples; higher is more anomalous.',
  )
  parser.add_argument('file', help='what python -m memae_jax.export wrote')
  parser.add_argument('input', nargs='?', help='file or folder of samples')
  parser.add_argument('--to', help='csv file to write, else it is printed')
  parser.add_argument(
    '--columns',
    type=int,
    default=0,
    metavar='N',
    help='tables: name the N columns that add most to each score',
  )
  parser.add_argument(
    '--contributions',
    metavar='FILE',
    help='tables: csv file of what each column adds to each score',
  )
  parser.add_argument(
    '--false_alarm',
    type=float,
    metavar='RATE',
    help='flag at this rate of false alarms, by validation normals; files also'
    ' get p-values',
  )
  parser.add_argument(
    '--fdr',
    type=float,
    metavar='RATE',
    help='files: flag so that about so many of the flagged are normal',
  )
  parser.add_argument(
    '--alarms_per_hour',
    type=float,
    metavar='RATE',
    help='videos: flag by the threshold of this rate of alarms, which normal'
    ' videos set, and say where an alarm begins',
  )
  stream_command.add_flags(parser)
  return parser


def run(load: Callable[[str], Any], argv: list[str] | None = None) -> int:
  """Scores a file or folder, or a stream.

  Args:
    load: reads a scorer from a path.
    argv: words after the command; None: those of the process.

  Returns:
    The exit code.
  """
  parser = _parser()
  options = parser.parse_args(argv)
  if options.stream == bool(options.input):
    parser.error('give INPUT, or --stream and samples to standard input')
  if options.stream and options.fdr is not None:
    parser.error('--fdr needs all samples at once; use --false_alarm')
  streams.prepare()
  try:
    jax_settings.devices()
    scorer = load(options.file)
    if options.stream:
      pipes = sys.stdin.buffer, sys.stdout.buffer
      return stream_command.run(scorer, options, *pipes)
    columns, each = max(options.columns, 0), bool(options.contributions)
    rates = scored_file.Rates(
      options.false_alarm, options.fdr, options.alarms_per_hour
    )
    scored = scored_file.score(scorer, options.input, columns, each, rates)
    _write(options.contributions, '--contributions', scored.columns)
    _write(options.to, '--to', scored.text)
    if options.to:
      print(_summary(scorer, scored, rates) + f'; scores: {options.to}')
    else:
      print(scored.text, end='')
  except errors.UserError as error:
    print(f'error: {error}', file=sys.stderr)
    return error.exit_code
  except OSError as error:
    where = f'{error.filename}: ' if error.filename else ''
    print(f'error: {where}{error.strerror or error}', file=sys.stderr)
    return errors.UserError.exit_code
  return 0
