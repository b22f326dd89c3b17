"""How the processes of one run find each other."""

import errno
import logging
import os
import re
import socket
import threading
import time

import jax

from memae_jax.runtime import errors

_LOG = logging.getLogger(__name__)
_TOLD = 10.0  # Seconds between two lines while waiting.
_LOOKS = 3  # For a host whose name the network cannot look up right now.


_joining: list[threading.Thread] = []


def is_joining() -> bool:
  """Whether JAX waits for other processes, which nothing can stop."""
  return any(thread.is_alive() for thread in _joining)


def _number(key: str, text: str) -> int | None:
  """The number that a variable holds, None if it is empty."""
  if text and not (text.isascii() and text.isdigit()):
    raise errors.UserError(f'{key} is "{text}", not a number')
  return int(text) if text else None


def _in_cluster() -> bool:
  """Whether SLURM or Cloud TPU tells of several processes."""
  variable, key = os.environ.get, 'SLURM_STEP_NUM_TASKS'
  in_slurm = (_number(key, variable(key, '')) or 1) > 1
  return in_slurm or len(variable('TPU_WORKER_HOSTNAMES', '').split(',')) > 1


def is_one_of_several() -> bool:
  """Whether the variables that `join` reads tell of several processes."""
  told = os.environ.get('JAX_NUM_PROCESSES', '')
  return told != '1' if told else _in_cluster()


def join(
  coordinator: str,
  processes: int,
  process: int,
  patience: float = 300,
  heartbeat: int = 100,
) -> None:
  """Joins the processes of a distributed run, if this is one of several.

  They are told by arguments, else by JAX_COORDINATOR_ADDRESS,
  JAX_NUM_PROCESSES and JAX_PROCESS_ID, else by SLURM or Cloud TPU.

  Args:
    coordinator: host:port of process 0, or ''.
    processes: their number, or 0.
    process: which of them this is, or -1.
    patience: seconds to wait for the others.
    heartbeat: seconds without a sign of life after which a process is taken as
      dead, and those that wait for it end.

  Raises:
    UserError: some of the three are missing or wrong, or the others are not
      reached.
  """
  variable = os.environ.get
  coordinator = coordinator or variable('JAX_COORDINATOR_ADDRESS', '')
  found = {}
  for name, value, unset, key in (
    ('processes', processes, 0, 'JAX_NUM_PROCESSES'),
    ('process', process, -1, 'JAX_PROCESS_ID'),
  ):
    is_flag = value != unset
    text = str(value) if is_flag else variable(key, '')
    found[name] = _number(f'--{name}' if is_flag else key, text)
  if found['processes'] is None and _in_cluster():
    # JAX asks SLURM or Cloud TPU.
    _initialize('the first process', patience, heartbeat)
    return
  if not coordinator and not any(v is not None for v in found.values()):
    return
  if not coordinator or None in found.values():
    raise errors.UserError(
      'a distributed run needs all of --coordinator=HOST:PORT, --processes=N'
      ' and --process=I (or JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and'
      ' JAX_PROCESS_ID)'
    )
  if not 0 <= found['process'] < found['processes']:
    raise errors.UserError(
      f'--process={found["process"]} is not below --processes='
      f'{found["processes"]}; they count from 0'
    )
  host, port = address(coordinator)
  if found['processes'] > 1:
    _check_host(host, port, coordinator)
    if found['process'] == 0:
      _check_port(port, coordinator)
    where = coordinator, found['processes'], found['process']
    _initialize(coordinator, patience, heartbeat, *where)


def address(text: str) -> tuple[str, int]:
  """Reads HOST:PORT, with an IPv6 address as [HOST]:PORT.

  Raises:
    UserError: it is something else.
  """
  refusal = f'--coordinator (or JAX_COORDINATOR_ADDRESS) is "{text}"'
  host = r'\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s:/@\[\]]+'
  found = re.fullmatch(rf'({host}):(.*)', text)
  if not found or '/' in found[2]:
    mend = 'give HOST:PORT of the first process, such as host0:1234'
    if text.count(':') > 1 and '/' not in text:
      mend = 'give an IPv6 address in brackets, such as [::1]:1234'
    raise errors.UserError(f'{refusal}; {mend}')
  host, port = found.groups()
  number = int(port) if re.fullmatch(r'[0-9]{1,5}', port) else 0
  if not 1 <= number <= 65535:
    raise errors.UserError(
      f'{refusal}; the port must be a number from 1 to 65535, such as'
      f' {host}:1234'
    )
  return host.strip('[]'), number


def _check_host(host: str, port: int, coordinator: str) -> None:
  """Raises UserError if there is no such host, and will not be one soon."""
  for look in range(1, _LOOKS + 1):
    try:
      socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
      return
    except (OSError, UnicodeError) as error:
      if 'KUBERNETES_SERVICE_HOST' in os.environ:
        return  # The name of a pod is known as soon as that starts.
      again = getattr(error, 'errno', None) == socket.EAI_AGAIN
      if not again or look == _LOOKS:
        raise errors.UserError(
          f'--coordinator is "{coordinator}", but the host "{host}" is unknown'
          f' here ({getattr(error, "strerror", None) or error})'
        ) from error
      time.sleep(1)


def _check_port(port: int, coordinator: str) -> None:
  """Raises UserError if another program of this host has the port."""
  with socket.socket() as probe:
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
      probe.bind(('', port))
    except OSError as error:
      if error.errno == errno.EADDRINUSE:
        mend = 'another program has this port; choose another'
      elif error.errno == errno.EACCES:
        mend = 'this port is reserved; choose one above 1023'
      else:
        return  # JAX listens in its own way.
      raise errors.UserError(
        f'--coordinator is "{coordinator}", but {mend}'
      ) from error


def _initialize(where: str, patience: float, heartbeat: int, *how) -> None:
  """Lets JAX join, and says every now and then what it is waiting for.

  JAX aborts the process, with a stack of C++, when its own time is over.

  Args:
    where: the processes meet.
    patience: seconds to wait.
    heartbeat: see `join`.
    *how: arguments of `jax.distributed.initialize`.
  """
  # SIGTERM is ours: training saves a checkpoint and says so.
  jax.config.update('jax_enable_preemption_service', False)
  raised: list[BaseException] = []

  def meet():
    try:
      jax.distributed.initialize(
        *how,
        initialization_timeout=int(patience) + 600,
        heartbeat_timeout_seconds=heartbeat,
      )
    except Exception as error:
      raised.append(error)

  joining = threading.Thread(target=meet, daemon=True)
  _joining.append(joining)
  joining.start()
  begun = time.monotonic()
  while joining.is_alive():
    waited = time.monotonic() - begun
    joining.join(max(min(_TOLD, patience - waited), 0.01))
    waited = time.monotonic() - begun
    if joining.is_alive() and waited >= patience:
      raise errors.UserError(
        f'the processes of this run did not all come to {where} within'
        f' {patience:.0f} seconds; start them together, with the same'
        ' --coordinator and --processes (--patience=SECONDS to wait longer)'
      )
    if joining.is_alive():
      _LOG.info(
        'waiting for the other processes of this run at %s (%.0f of %.0f s)',
        where,
        waited,
        patience,
      )
  if raised:
    error = raised[0]
    raise errors.UserError(
      f'cannot join the distributed run at {where}:'
      f' {(str(error).splitlines() or [type(error).__name__])[0][:200]}'
    ) from error
