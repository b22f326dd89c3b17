r"""Job on Kubernetes (GKE): a JobSet on a TPU slice, on GPU or CPU nodes.

python -m launch.gke run --name=ped2 --image=IMAGE --tpu=v5e --topology=4x4 \
  --claim=runs:/runs --queue=research -- \
  --config=configs/ped2.py --workdir=/runs/ped2

python -m launch.gke queue --queue=research --tpu=v5e --topology=4x4 --quota=32

`run` needs a cluster with JobSet, and with Kueue for --queue; `queue` makes a
queue of Kueue. A pod that is preempted comes back with all the others, and the
run goes on; a mistake of the user (exit codes 2 and 3) ends it. Each part of a
study (--array) becomes a JobSet, which is queued for itself.
"""

import argparse
import math
import re
import subprocess
from typing import NamedTuple

import yaml

from launch import common

_PORT = 8476
_MISTAKES = [2, 3]  # Exit codes that a restart does not mend.
_TPUS = {
  'v4': 'tpu-v4-podslice',
  'v5e': 'tpu-v5-lite-podslice',
  'v5p': 'tpu-v5p-slice',
  'v6e': 'tpu-v6e-slice',
}


class Nodes(NamedTuple):
  """Nodes of a job: `count` of `resource` on each of `hosts` nodes.

  `labels` select them.
  """

  hosts: int
  resource: str
  count: int
  labels: dict[str, str]


def nodes(options) -> Nodes:
  """Returns the nodes that the command line asks for."""
  labels = {}
  if options.tpu:
    chips = math.prod(map(int, options.topology.split('x')))
    on_host = min(options.chips_per_host, chips)
    if chips % on_host:
      raise common.LaunchError(
        f'--topology={options.topology} has {chips} chips, which do not make'
        f' hosts of {on_host}'
      )
    labels['cloud.google.com/gke-tpu-accelerator'] = _TPUS[options.tpu]
    labels['cloud.google.com/gke-tpu-topology'] = options.topology
    out = Nodes(chips // on_host, 'google.com/tpu', on_host, labels)
  elif options.gpus_per_node:
    if options.gpu_type:
      labels['cloud.google.com/gke-accelerator'] = options.gpu_type
    count = options.gpus_per_node
    out = Nodes(options.nodes, 'nvidia.com/gpu', count, labels)
  else:
    out = Nodes(options.nodes, 'cpu', options.cpus_per_node, labels)
  if options.spot:
    labels['cloud.google.com/gke-spot'] = 'true'
  return out


def _literal(word: str) -> str:
  """Returns a word in which Kubernetes does not expand $(NAME)."""
  return word.replace('$', '$$')


def _env(options, job: common.Job, name: str, hosts: int) -> list[dict]:
  variables = [{'name': k, 'value': _literal(v)} for k, v in job.env.items()]
  if hosts == 1:
    return variables
  index = "metadata.annotations['batch.kubernetes.io/job-completion-index']"
  return [
    *variables,
    # Pod 0 of the job, in the headless service that JobSet makes.
    {
      'name': 'JAX_COORDINATOR_ADDRESS',
      'value': f'{name}-job-0-0.{name}:{_PORT}',
    },
    {'name': 'JAX_NUM_PROCESSES', 'value': str(hosts)},
    {
      'name': 'JAX_PROCESS_ID',
      'valueFrom': {'fieldRef': {'fieldPath': index}},
    },
  ]


def _pod(options, job: common.Job, name: str, on: Nodes) -> dict:
  container = {
    'name': 'job',
    'image': options.image,
    'command': [_literal(word) for word in job.words(options.python)],
    'env': _env(options, job, name, on.hosts),
    'resources': {
      'requests': {on.resource: on.count},
      'limits': {on.resource: on.count},
    },
  }
  pod = {
    'restartPolicy': 'Never',  # JobSet restarts all of them together.
    'terminationGracePeriodSeconds': options.grace,
    'containers': [container],
  }
  if on.hosts > 1:
    container['ports'] = [{'containerPort': _PORT}]
  if on.labels:
    pod['nodeSelector'] = dict(on.labels)
  if options.spot:
    pod['tolerations'] = [
      {
        'key': 'cloud.google.com/gke-spot',
        'operator': 'Equal',
        'value': 'true',
        'effect': 'NoSchedule',
      }
    ]
  if options.claim:
    claim, path = options.claim
    container['volumeMounts'] = [{'name': 'shared', 'mountPath': path}]
    pod['volumes'] = [
      {'name': 'shared', 'persistentVolumeClaim': {'claimName': claim}}
    ]
  return pod


def jobset(options, job: common.Job, name: str) -> dict:
  """Returns the manifest of one job."""
  on = nodes(options)
  metadata = {'name': name}
  if options.namespace:
    metadata['namespace'] = options.namespace
  if options.queue:
    metadata['labels'] = {'kueue.x-k8s.io/queue-name': options.queue}
  if options.tpu and on.hosts > 1:  # All pods in one slice, alone.
    key = 'alpha.jobset.sigs.k8s.io/exclusive-topology'
    metadata['annotations'] = {key: 'cloud.google.com/gke-nodepool'}
  mistake = {'containerName': 'job', 'operator': 'In', 'values': _MISTAKES}
  return {
    'apiVersion': 'jobset.x-k8s.io/v1alpha2',
    'kind': 'JobSet',
    'metadata': metadata,
    'spec': {
      'failurePolicy': {
        'maxRestarts': options.restarts,
        'rules': [
          {
            'name': 'mistake',
            'action': 'FailJobSet',
            'onJobFailureReasons': ['PodFailurePolicy'],
          }
        ],
      },
      'replicatedJobs': [
        {
          'name': 'job',
          'replicas': 1,
          'template': {
            'spec': {
              'completionMode': 'Indexed',
              'parallelism': on.hosts,
              'completions': on.hosts,
              'backoffLimit': 0,
              'podFailurePolicy': {
                'rules': [{'action': 'FailJob', 'onExitCodes': mistake}]
              },
              'template': {'spec': _pod(options, job, name, on)},
            }
          },
        }
      ],
    },
  }


def queue(options) -> list[dict]:
  """Returns the manifests of a queue of Kueue, as the options ask for it."""
  on = nodes(options)
  local = {'name': options.queue}
  if options.namespace:
    local['namespace'] = options.namespace
  quota = {'name': on.resource, 'nominalQuota': options.quota}
  flavor = {'name': options.queue, 'resources': [quota]}
  return [
    {
      'apiVersion': 'kueue.x-k8s.io/v1beta1',
      'kind': 'ResourceFlavor',
      'metadata': {'name': options.queue},
      'spec': {'nodeLabels': dict(on.labels)},
    },
    {
      'apiVersion': 'kueue.x-k8s.io/v1beta1',
      'kind': 'ClusterQueue',
      'metadata': {'name': options.queue},
      'spec': {
        'namespaceSelector': {},
        'resourceGroups': [
          {'coveredResources': [on.resource], 'flavors': [flavor]}
        ],
      },
    },
    {
      'apiVersion': 'kueue.x-k8s.io/v1beta1',
      'kind': 'LocalQueue',
      'metadata': local,
      'spec': {'clusterQueue': options.queue},
    },
  ]


def _claim(text: str) -> tuple[str, str]:
  name, _, path = text.partition(':')
  if not name or not path.startswith('/'):
    raise argparse.ArgumentTypeError(f'"{text}": expected CLAIM:/PATH')
  return name, path


def _topology(text: str) -> str:
  if not re.fullmatch(r'[1-9]\d*(x[1-9]\d*){1,2}', text):
    raise argparse.ArgumentTypeError(f'"{text}": expected such as 4x4 or 2x2x4')
  return text


def _parser() -> common.Parser:
  parser = common.Parser(__doc__)
  add = parser.add_argument
  add('action', choices=['run', 'queue'])
  add('--name', type=common.name, default='memae')
  add(
    '--image',
    help='an image with Python, memae_jax, its configs and JAX for the chip',
  )
  add('--python', default='python', help='Python of the image')
  add('--tpu', choices=sorted(_TPUS))
  add(
    '--topology',
    type=_topology,
    help='shape of the slice, such as 4x4 or 2x2x4',
  )
  add('--chips_per_host', type=common.positive, default=4)
  add(
    '--nodes',
    type=common.positive,
    default=1,
    help='number of nodes, without --tpu',
  )
  add('--gpus_per_node', type=common.positive)
  add('--gpu_type', help='such as nvidia-h100-80gb')
  add('--cpus_per_node', type=common.positive, default=1)
  add('--spot', action='store_true', help='on spot nodes')
  add('--claim', type=_claim, help='CLAIM:/PATH, storage that all pods see')
  add('--namespace', type=common.name)
  add('--queue', type=common.name, help='a queue of Kueue')
  add('--quota', type=common.positive, help='chips, GPUs or CPUs of a queue')
  add('--restarts', type=common.positive, default=100)
  add('--grace', type=common.positive, default=120, help='seconds to save')
  return parser


def manifests(parser: common.Parser, options, job: common.Job) -> list[dict]:
  """Returns the manifests for kubectl; options that do not fit are an error."""
  if bool(options.tpu) != bool(options.topology):
    parser.error('--tpu and --topology belong together')
  if options.tpu and options.gpus_per_node:
    parser.error('--tpu and --gpus_per_node exclude each other')
  if options.action == 'queue':
    if not options.queue or not options.quota:
      parser.error('queue: --queue and --quota are missing')
    return queue(options)
  if not options.image:
    parser.error('run: --image is missing')
  parser.one_process(
    options,
    nodes(options).hosts,
    'give a --topology of one host, or --nodes=1',
  )
  names = [options.name]
  if options.array:
    names = [f'{options.name}-{index}' for index in range(options.array)]
  jobs = job.shards(options.array)
  return [jobset(options, one, name) for one, name in zip(jobs, names)]


def main() -> int:
  """Runs the command line; returns the exit code of kubectl."""
  parser = _parser()
  options, job = parser.read(optional=['queue'])
  text = yaml.safe_dump_all(
    manifests(parser, options, job), sort_keys=False, width=1000
  )
  if options.dry_run:
    print(text, end='')
    return 0
  # `create` refuses a name that exists; `apply` changes an existing queue.
  verb = 'apply' if options.action == 'queue' else 'create'
  try:
    command = ['kubectl', verb, '--filename=-']
    return subprocess.run(command, input=text, text=True).returncode
  except FileNotFoundError:
    raise common.LaunchError(
      'there is no "kubectl" here; see the manifest with --dry_run'
    ) from None


if __name__ == '__main__':
  common.guarded(main)
