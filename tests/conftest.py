"""Strict JAX settings, eight simulated devices, and the real data if there."""

import collections
import gc
import os
import pathlib

os.environ.setdefault('JAX_PLATFORMS', 'cpu')
os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')
# Small programs run a few times: compiling them well would take most of the
# time. Without the newer emitters JAX 0.10 compiles in a third of it (0.12 has
# no others and ignores the word). On a busy machine a simulated device may come
# late to a collective, which must not abort the process. Child processes
# inherit all of it.
os.environ.setdefault(
  'XLA_FLAGS',
  '--xla_backend_optimization_level=0'
  ' --xla_backend_extra_options=xla_cpu_disable_new_fusion_emitters'
  ' --xla_cpu_parallel_codegen_split_count=1'
  ' --xla_cpu_collective_call_terminate_timeout_seconds=600',
)

import hypothesis
import jax
import pytest
from absl import flags

from tests import helpers

jax.config.update('jax_num_cpu_devices', 8)
jax.config.update('jax_numpy_rank_promotion', 'raise')
_CACHE = pathlib.Path(__file__).resolve().parents[1] / '.pytest_cache/compiled'
jax.config.update('jax_compilation_cache_dir', str(_CACHE))
jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.02)
# And for child processes.
os.environ['JAX_COMPILATION_CACHE_DIR'] = str(_CACHE)
os.environ['JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS'] = '0.02'
# grain 0.2.18 reads its flags as soon as it is used (google/grain#1355).
flags.FLAGS.mark_as_parsed()

# Programs are many small objects that live long: to look for circles among
# them often takes a tenth of the time.
gc.set_threshold(100_000, 50, 100)

# The same seed of examples each time; thoroughly, others each time.
_THOROUGH = os.environ.get('MEMAE_TEST_THOROUGH') == '1'
hypothesis.settings.register_profile('memae', derandomize=not _THOROUGH)
hypothesis.settings.load_profile('memae')

_FILES = 25  # Of a table of times.
SHARED = pathlib.Path(__file__).resolve().parents[2] / 'shared'


def pytest_collection_modifyitems(items):
  """Skips what takes minutes, unless it is asked for."""
  if _THOROUGH:
    return
  skip = pytest.mark.skip(reason='takes minutes; set MEMAE_TEST_THOROUGH=1')
  for item in items:
    if 'thorough' in item.keywords:
      item.add_marker(skip)


def pytest_terminal_summary(terminalreporter):
  """Prints where the time went: the slowest files, and each folder."""
  seconds = collections.Counter()
  for reports in terminalreporter.stats.values():
    for report in reports:
      if hasattr(report, 'duration') and hasattr(report, 'when'):
        seconds[report.nodeid.partition('::')[0]] += report.duration
  if len(seconds) < _FILES:
    return
  folders = collections.Counter()
  for name, value in seconds.items():
    folders[name.rpartition('/')[0]] += value
  terminalreporter.section('seconds by folder, and of the slowest files')
  for name, value in (*folders.most_common(), *seconds.most_common(_FILES)):
    terminalreporter.line(f'{value:8.1f}  {name}')


@pytest.fixture(autouse=True, scope='module')
def forget_programs():
  """Frees the compiled programs of a module; they would fill the memory."""
  yield
  jax.clear_caches()


@pytest.fixture(autouse=True)
def end_children():
  """Ends what a failed test leaves running, which others would suffer from."""
  yield
  while helpers.STARTED:
    process = helpers.STARTED.pop()
    if process.returncode is None:
      process.kill()
      process.communicate()


@pytest.fixture(scope='session')
def scored_run(tmp_path_factory):
  """Returns a function: kind of run -> experiment, its scores, folder."""
  from tests import exports

  return exports.scored_runs(tmp_path_factory.mktemp)


@pytest.fixture(scope='session')
def scorer_of(scored_run):
  """Returns a function: kind and number of a replica -> path, scorer."""
  from tests import exports

  return exports.scorers(scored_run)


@pytest.fixture(scope='session')
def shared():
  """The folder of real data beside the project."""
  if not SHARED.is_dir():
    pytest.skip('no folder "shared" with real data beside the project')
  return SHARED
