"""Card of a released fleet: facts of a run and its files, and their page."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2

from memae_jax import config as config_lib
from memae_jax.config import config_file, fields, packaged
from memae_jax.estimators import released
from memae_jax.estimators import run as run_lib
from memae_jax.evaluation.metrics import intervals
from memae_jax.evaluation.report import wording
from memae_jax.methods import registry

METRIC = 'auroc'
# {data set: where it is from, and its licence}.
SOURCES = {
  'digits': '`load_digits` of scikit-learn: the test part of "Optical'
  ' Recognition of Handwritten Digits" by E. Alpaydin and C. Kaynak (1998), UCI'
  ' Machine Learning Repository, https://archive.ics.uci.edu/dataset/80, by its'
  ' page there under CC BY 4.0. Counts from 0 to 16 are multiplied by 255 / 16'
  ' and rounded.',
  'mnist': 'MNIST by Y. LeCun, C. Cortes and C. Burges,'
  ' http://yann.lecun.com/exdb/mnist/, made of NIST Special Databases 1 and 3.'
  " That page names no licence; Keras's documentation says that Y. LeCun and C."
  ' Cortes hold the copyright and that it is available under CC BY-SA 3.0.',
}


def command(config: Any) -> str:
  """Returns a command that trains such a run, in terms of its config file.

  Args:
    config: of the run, resolved.
  """
  wanted = config_lib.flatten(config.to_dict())
  file = packaged.files().get(config.name)
  words = ['python', '-m', 'memae_jax.main']
  if file is None:
    return ' '.join([*words, '--config=config.json'])
  usual = config_lib.resolve(config_file.get_config(str(file)))
  usual = config_lib.flatten(usual.to_dict())
  words.append(f'--config=configs/{file.name}')
  words += [
    f'--config.{name}={_word(value)}'
    for name, value in wanted.items()
    if value != usual[name]
  ]
  words.append(f'--workdir=runs/{config.name}')
  return ' '.join(map(shlex.quote, words))


def _word(value: Any) -> str:
  if isinstance(value, (list, tuple)):
    return ','.join(map(str, value))
  return str(value)


def without_paths(config: Any) -> Any:
  """Returns a config without folders and files of the machine of its run."""
  usual = config_lib.flatten(config_lib.default().to_dict())
  paths = config_lib.with_role(fields.PATH)
  return config_lib.changed(config, {name: usual[name] for name in paths})


def facts(
  name: str, run: run_lib.Run, source: str, members: Mapping[str, str]
) -> dict[str, Any]:
  """Returns what a card says of a run, without its weights.

  Args:
    name: of the fleet.
    run: evaluated.
    source: where the data are from, and their licence.
    members: name of the replica by CLASS/METHOD.

  Raises:
    UserError: the results or scores of the run cannot be read.
  """
  results, scores = run.results, run.scores
  config = without_paths(config_lib.load(run.workdir / 'config.json'))
  by_name = {one['name']: one for one in results['replicas']}
  classes: dict[str, dict[str, Any]] = {}
  for member, replica in members.items():
    number, method = member.split('/')
    of_test = scores[replica]
    ends = intervals.bootstrap(
      of_test['score'], of_test['anomalous'], (METRIC,), config.eval.bootstrap
    )
    classes.setdefault(number, {})[method] = {
      METRIC: by_name[replica]['metrics'][METRIC],
      'ci95': ends[METRIC],
    }
  data = dict(results['dataset'])
  return {
    'format': released.FORMAT,
    'name': name,
    'methods': {
      method: {
        'label': wording.label(method),
        'score': _score(results, method),
        METRIC: results['methods'][method][METRIC],
      }
      for method in dict.fromkeys(m.split('/')[1] for m in members)
    },
    'classes': classes,
    'baselines': {
      other: {'label': wording.label(other), METRIC: found[METRIC]}
      for other, found in results['baselines'].items()
    },
    'data': {
      'source': source,
      **{
        key: data[key]
        for key in ('name', 'protocol', 'description', 'split', 'base_rate')
      },
      **{key: data[key] for key in ('data_sha256', 'label_sha256')},
    },
    'run': {
      'command': command(config),
      **{
        key: results['environment']['training'][key]
        for key in ('commit', 'versions', 'device', 'machine')
      },
      'seed': config.train.seed,
      'config': config.to_dict(),
    },
  }


def _score(results: Mapping[str, Any], method: str) -> str:
  """Returns the definition of the score of a method."""
  family = registry.find(method).family
  place = results['families'].get(family, results)
  return place['score']['definition']


def page(facts: Mapping[str, Any]) -> str:
  """Returns the card as Markdown.

  Args:
    facts: of card.json: those of `facts`, and of the files.
  """
  environment = jinja2.Environment(
    loader=jinja2.PackageLoader('memae_jax.estimators', ''),
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    undefined=jinja2.StrictUndefined,
  )
  rivals = facts['baselines'].values()
  return environment.get_template('card.md.j2').render(
    facts,
    labels=[method['label'] for method in facts['methods'].values()],
    one=next(iter(facts['classes'])),
    rivals=sorted(rivals, key=lambda rival: -(rival[METRIC]['mean'] or 0)),
    fewest=facts['data']['split']['validation']['min'],
    cell=_cell,
  )


def _cell(value: float | None, ends: Sequence[float] | None) -> str:
  """Returns a number and its interval, as tables show them."""
  if value is None:
    return ''
  return f'{value:.4f}' + (f' [{ends[0]:.4f}, {ends[1]:.4f}]' if ends else '')
