"""Job of the command: read, judge, print and write."""

import logging

from memae_jax.evaluation.report import figure
from memae_jax.refereeing import given, page, verdict
from memae_jax.runtime import disk, errors, paths

_LOG = logging.getLogger(__name__)


def run(options: given.Options) -> None:
  """Judges scores and writes the verdict.

  Raises:
    UserError: an option or file is wrong; nothing is written.
  """
  if not options.output:
    raise errors.UserError('--output is missing: the folder to write to')
  folder = paths.local(options.output, '--output')
  page.check_folder(folder, verdict.inputs(options))
  read = given.read(options)
  figure.check()
  for line in read.remarks:
    _LOG.info('%s', line)
  results, scored = verdict.judge(read, options)
  for line in results['warnings']:
    _LOG.warning('%s', line)
  print(page.text(results))
  with disk.chosen(folder, '--output'):
    written = page.write(results, scored, folder)
  print(f'report: {written}')
