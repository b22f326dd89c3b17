"""Release of a finished run: its replicas as files that Python loads by name.

python -m memae_jax.release runs/digits --name=digits
python -m memae_jax.release --check=digits

The first command writes weights and a card to the folder `weights` of the
package, or to --to; `memae_jax.load('digits/3')` then is the replica whose
normal class is 3. It takes autoencoders and banks of centres of k-means, for
one normal class each. A bank of samples would hold training data, and is
refused. The second command scores the test samples again, by the protocol of
the run, and fails unless AUROC is that of the card. See docs/weights.md.
"""

import hashlib
import logging
import re
from typing import Any

import numpy as np
import sklearn.metrics
from absl import flags

from memae_jax import cli
from memae_jax import config as config_lib
from memae_jax.data import transforms
from memae_jax.estimators import calls, fitted, fleet_card, released
from memae_jax.estimators import run as run_lib
from memae_jax.methods import base
from memae_jax.runtime import errors, paths, strict_json
from memae_jax.training import experiment

TOLERANCE = 0.001  # Of AUROC, between card and check.
LEAST = 3  # Distinct training samples that a centre is the mean of, at least.
_LEARNED, _BANK = 'autoencoder', 'bank'  # Families that are released.
_BLOCK = 512  # Samples whose features are taken at once.


def fewest(
  exp: experiment.Experiment, index: int, network: fitted.Fitted
) -> int:
  """Returns of how few distinct training features a slot of a bank is the mean.

  Args:
    exp: the experiment, of banks.
    index: of the replica.
    network: the replica alone.
  """
  split, method = exp.splits[index], exp.trainer.method
  variables = network.built()[0].programs.one(network.weights, 0).variables
  counts = []
  for part in method.parts:
    place = base.leaf(variables, part.slots.path)
    slots = np.asarray(place['slots'])[: int(place['count'])]
    rows = []
    for start in range(0, len(split.train), _BLOCK):
      raw = exp.source.inputs[split.train[start : start + _BLOCK]]
      found = part.extract(transforms.apply(raw, split.transform))
      rows.append(np.asarray(found).reshape(-1, slots.shape[-1]))
    near = sklearn.metrics.pairwise_distances_argmin(
      np.unique(np.concatenate(rows), axis=0), slots
    )
    counts.append(np.bincount(near, minlength=len(slots)).min())
  return int(min(counts))


def _check_bank(exp: experiment.Experiment) -> None:
  """Raises UserError for banks of samples, or of features of a network."""
  options = exp.config.methods.bank
  if options.select != 'k_means':
    raise errors.UserError(
      f'the slots of the bank are training samples (methods.bank.select is'
      f' "{options.select}"), which are not released; use "k_means"'
    )
  for name in (options.features, *options.also):
    if name.startswith('lite0'):
      raise errors.UserError(
        f'the features of the bank are "{name}", those of a network whose'
        ' weights are not here; use others'
      )


def _replicas(first: experiment.Experiment) -> dict[str, str]:
  """Returns the names of replicas by CLASS/METHOD.

  Raises:
    UserError: one cannot be released.
  """
  found: dict[str, str] = {}
  for exp in first.members:
    if exp.family not in (_LEARNED, _BANK):
      raise errors.UserError(
        f'method "{exp.replicas[0].variant}" is not released: it is no'
        ' autoencoder and no bank of centres; train a run without it'
      )
    if exp.family == _BANK:
      _check_bank(exp)
    for replica in exp.replicas:
      if replica.normal_class is None:
        raise errors.UserError(
          f'data.protocol is "{exp.config.data.protocol}", which has no normal'
          ' class that a replica could be named by'
        )
      member = f'{replica.normal_class}/{replica.variant}'
      if member in found:
        raise errors.UserError(
          f'"{found[member]}" and "{replica.name}" would both be "{member}";'
          ' train a run of one seed and one setting'
        )
      found[member] = replica.name
  methods = first.config.fleet.variants

  def order(member: str) -> tuple[int, int]:
    number, method = member.split('/')
    return int(number), methods.index(method)

  return {member: found[member] for member in sorted(found, key=order)}


def _networks(
  first: experiment.Experiment, run: run_lib.Run
) -> tuple[dict[str, fitted.Fitted], int | None]:
  """Returns networks by name of the replica, and the least of `fewest`.

  Raises:
    UserError: a bank holds training samples.
  """
  networks, counts = {}, []
  for exp in first.members:
    which = range(len(exp.replicas))
    for index, network in enumerate(fitted.of_family(exp, run.workdir, which)):
      name = exp.replicas[index].name
      networks[name] = network
      if exp.family != _BANK:
        continue
      counts.append(fewest(exp, index, network))
      if counts[-1] < LEAST:
        raise errors.UserError(
          f'a slot of "{name}" stands for {counts[-1]} training samples and'
          ' would give them away; lower methods.bank.slots until each stands'
          f' for {LEAST}'
        )
  return networks, min(counts, default=None)


def release(run: run_lib.Run, name: str, to: Any, source: str = '') -> str:
  """Writes the fleet of a run.

  Args:
    run: evaluated.
    name: of the fleet.
    to: folder of fleets; None: that of the package.
    source: where the data are from, and their licence; '': as `SOURCES` says.

  Returns:
    What was written, for people.

  Raises:
    UserError: the run cannot be released; nothing was written.
  """
  if not re.fullmatch(r'[a-z][a-z0-9_]*', name):
    raise errors.UserError(
      f'--name is "{name}"; use small letters, digits and "_"'
    )
  data = run.results['dataset']['name']
  source = source or fleet_card.SOURCES.get(data, '')
  if not source:
    raise errors.UserError(
      f'where data set "{data}" is from, and under which licence, is not known'
      ' here; say it by --data_source'
    )
  first = experiment.build(config_lib.load(run.workdir / 'config.json'))
  replicas = _replicas(first)
  networks, least = _networks(first, run)
  content = released.packed({k: networks[v] for k, v in replicas.items()})
  if len(content) > released.MOST:
    raise errors.UserError(
      f'the weights have {len(content):,} bytes, more than {released.MOST:,};'
      ' train smaller networks, or lower methods.bank.slots'
    )
  inputs = next(iter(networks.values())).meta['inputs']
  facts = fleet_card.facts(name, run, source, replicas) | {
    'inputs': {key: inputs[key] for key in ('shape', 'dtype')},
    'fewest_of_a_centre': least,
    'weights': {
      'bytes': len(content),
      'sha256': hashlib.sha256(content).hexdigest(),
    },
  }
  facts = strict_json.plain(facts)
  files = {
    released.WEIGHTS: content,
    released.FACTS: strict_json.text(facts).encode(),
    released.CARD: fleet_card.page(facts).encode(),
  }
  folder = released.place(to) / name
  released.write(folder, files)
  return (
    f'{len(replicas)} replicas of {run.workdir} are in {folder}:'
    f' memae_jax.load("{name}/{next(iter(replicas))}")'
  )


def check(name: str, folder: Any = None) -> str:
  """Evaluates a released fleet again, on the test samples of its run.

  Args:
    name: of the fleet.
    folder: of fleets; None: that of the package.

  Returns:
    AUROC of each replica beside that of the card, for people.

  Raises:
    UserError: one differs by more than `TOLERANCE`, or the data are others.
  """
  facts = released.facts(name, released.place(folder))
  first = experiment.build(config_lib.resolve(facts['run']['config']))
  if first.identity['data_sha256'] != facts['data']['data_sha256']:
    raise errors.UserError(
      f'data set "{first.source.name}" is not the one of the card of "{name}":'
      ' its data_sha256 is another; prepare it again'
    )
  lines, worst = [], 0.0
  for number, methods in facts['classes'].items():
    for method, told in methods.items():
      exp, index = next(
        (exp, index)
        for exp in first.members
        for index, replica in enumerate(exp.replicas)
        if (str(replica.normal_class), replica.variant) == (number, method)
      )
      split = exp.splits[index]
      one = released.load(f'{name}/{number}/{method}', folder)
      score = one.anomaly_score(exp.source.inputs[split.test])
      auroc = sklearn.metrics.roc_auc_score(split.anomalous, score)
      worst = max(worst, abs(auroc - told['auroc']))
      lines.append(
        f'{name}/{number}/{method}: AUROC {auroc:.4f}, card {told["auroc"]:.4f}'
      )
  verdict = f'AUROC differs by at most {worst:.5f} from the card'
  if worst > TOLERANCE:
    raise errors.UserError(
      f'{"; ".join(lines)}; {verdict}, more than {TOLERANCE}: release the fleet'
      ' again'
    )
  return '\n'.join([*lines, f'{verdict}, which is within {TOLERANCE}'])


def run(*words: str) -> None:
  """Releases or checks what the flags describe."""
  options = flags.FLAGS
  to = options.to or None
  logging.getLogger('memae_jax').setLevel(logging.WARNING)
  with calls.guarded():
    if options.check and not (words or options.name):
      print(check(options.check, to))
    elif len(words) == 1 and options.name and not options.check:
      folder = run_lib.Run(paths.local(words[0], 'the folder of a run'))
      print(release(folder, options.name, to, options.data_source))
    else:
      raise errors.UserError(
        'give the folder of a run and --name=NAME, or --check=NAME alone'
      )


if __name__ == '__main__':
  flags.DEFINE_string('name', '', 'Name of the fleet, such as digits.')
  flags.DEFINE_string(
    'to', '', 'Folder of fleets; default: that of the package.'
  )
  flags.DEFINE_string('check', '', 'Fleet to evaluate again.')
  flags.DEFINE_string(
    'data_source', '', 'Where the data are from, and their licence.'
  )
  cli.main(run, arguments=1)
