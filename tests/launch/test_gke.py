"""The manifests for Kubernetes; nothing here talks to a cluster."""

import json
import os
import pathlib
import re

import pytest
import yaml

from tests.launch import helpers, test_common

JOB = '--config=configs/ped2.py', '--workdir=/runs/ped2'
TPU = '--tpu=v5e', '--topology=4x4'
SCHEMA = pathlib.Path(__file__).parent / 'jobset_schema.json'
CASES = {
  'gke_tpu': (
    '--name=ped2', '--image=IMAGE', *TPU, '--spot', '--claim=runs:/runs',
    '--queue=research', '--namespace=vision',
  ),
  'gke_gpu': (
    '--image=IMAGE', '--nodes=2', '--gpus_per_node=8',
    '--gpu_type=nvidia-h100-80gb', '--env=XLA_FLAGS=--xla_a=b --xla_c=d',
  ),
  'gke_study': (
    '--name=sizes', '--image=IMAGE', '--module=memae_jax.study', '--array=2',
    '--cpus_per_node=8', '--queue=cpus',
  ),
}  # fmt: skip


def _manifests(*argv, job=JOB):
  code, out, err = helpers.launch('gke', 'run', '--dry_run', *argv, '--', *job)
  assert code == 0, err
  return out, list(yaml.safe_load_all(out))


def _job(manifest):
  return manifest['spec']['replicatedJobs'][0]['template']['spec']


def _container(manifest):
  return _job(manifest)['template']['spec']['containers'][0]


def _expanded(word, env):
  """What Kubernetes makes of a word of a command."""
  return re.sub(
    r'\$(\$|\((\w+)\))',
    lambda m: '$' if m[1] == '$' else env.get(m[2], m[0]),
    word,
  )


@pytest.mark.parametrize('golden', CASES)
def test_dry_run(golden):
  out, _ = _manifests(*CASES[golden])
  helpers.assert_golden(f'{golden}.yaml', out)


@pytest.mark.parametrize('golden', CASES)
def test_manifests_have_only_known_fields_of_the_right_kind(golden):
  jsonschema = pytest.importorskip(
    'jsonschema', reason='no package jsonschema: the schema is not checked'
  )
  schema = json.loads(SCHEMA.read_text())
  jsonschema.Draft202012Validator.check_schema(schema)
  _, found = _manifests(*CASES[golden])
  for manifest in found:
    jsonschema.validate(manifest, schema)
    _job(manifest)['completions'] = '4'
    with pytest.raises(jsonschema.ValidationError, match='completions'):
      jsonschema.validate(manifest, schema)
    _job(manifest)['completions'] = 4
    _job(manifest)['typo'] = 4
    with pytest.raises(jsonschema.ValidationError, match='typo'):
      jsonschema.validate(manifest, schema)


def test_odd_characters_reach_the_job():
  _, (manifest,) = _manifests(
    '--image=i', f'--env=ODD={test_common.ODD[2]}', job=test_common.ODD
  )
  env = {'HOME': '/no', 'id': 'no'}
  words = [_expanded(word, env) for word in _container(manifest)['command']]
  assert words == ['python', '-m', 'memae_jax.main', *test_common.ODD]
  value = _container(manifest)['env'][0]['value']
  assert _expanded(value, env) == test_common.ODD[2]


@pytest.mark.parametrize(
  'argv, hosts, resource, count',
  [
    (('--tpu=v5e', '--topology=2x2'), 1, 'google.com/tpu', 4),
    (('--tpu=v5e', '--topology=1x1'), 1, 'google.com/tpu', 1),
    (
      ('--tpu=v6e', '--topology=2x4', '--chips_per_host=8'),
      1,
      'google.com/tpu',
      8,
    ),
    (('--tpu=v5e', '--topology=2x4'), 2, 'google.com/tpu', 4),
    (('--tpu=v4', '--topology=2x2x4'), 4, 'google.com/tpu', 4),
    (('--gpus_per_node=8', '--nodes=3'), 3, 'nvidia.com/gpu', 8),
    (('--nodes=2', '--cpus_per_node=4'), 2, 'cpu', 4),
  ],
)
def test_a_process_a_host(argv, hosts, resource, count):
  _, (manifest,) = _manifests('--image=i', *argv)
  assert _job(manifest)['completions'] == hosts
  assert _job(manifest)['parallelism'] == hosts
  assert _container(manifest)['resources']['limits'] == {resource: count}
  env = {e['name']: e.get('value') for e in _container(manifest)['env']}
  assert env.get('JAX_NUM_PROCESSES') == (str(hosts) if hosts > 1 else None)


def test_queue():
  code, out, err = helpers.launch(
    'gke', 'queue', '--dry_run', '--queue=research', '--quota=32', *TPU
  )
  assert code == 0, err
  helpers.assert_golden('gke_queue.yaml', out)


def test_it_is_handed_to_kubectl(tmp_path):
  kubectl = tmp_path / 'kubectl'
  kubectl.write_text('#!/bin/bash\necho "$@"\ncat\nexit 7\n')
  kubectl.chmod(0o755)
  code, out, _ = helpers.launch(
    'gke', 'run', '--image=i', '--', *JOB,
    PATH=f'{tmp_path}:{os.environ["PATH"]}',
  )  # fmt: skip
  first, _, rest = out.partition('\n')
  assert code == 7
  assert first == 'create --filename=-'
  assert rest == _manifests('--image=i')[0]


@pytest.mark.parametrize(
  'argv, message',
  [
    (('run',), 'run: --image is missing'),
    (('run', '--tpu=v5e'), '--tpu and --topology belong together'),
    (('run', '--tpu=v9', '--topology=1x1'), "invalid choice: 'v9'"),
    (('run', '--topology=4by4'), '"4by4": expected such as 4x4'),
    (('run', *TPU, '--gpus_per_node=1'), 'exclude each other'),
    (
      ('run', '--tpu=v4', '--topology=3x3x1', '--image=i'),
      '--topology=3x3x1 has 9 chips, which do not make hosts of 4',
    ),
    (('run', '--claim=runs'), '"runs": expected CLAIM:/PATH'),
    (('run', '--name=Ped2'), '"Ped2" is not a name'),
    (('queue', '--queue=q'), 'queue: --queue and --quota are missing'),
    (('walk',), "invalid choice: 'walk'"),
  ],
)
def test_wrong_options(argv, message):
  code, out, err = helpers.launch('gke', *argv, '--', *JOB)
  assert code == 2 and not out
  assert message in err and err.count('\n') == 1


def test_without_kubectl_it_says_so(tmp_path):
  code, _, err = helpers.launch(
    'gke', 'run', '--image=i', '--', *JOB, PATH=str(tmp_path)
  )
  assert code == 2
  assert err.startswith('error: there is no "kubectl" here')
