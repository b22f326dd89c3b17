"""Processes of one run: they find each other and join."""

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
TELL_EVERY = 10.0  # Seconds between two lines while waiting.
_LOOKUPS = 3  # Tries to look up a host name.

_joining: list[threading.Thread] = []


def is_joining() -> bool:
  """Returns whether JAX waits for other processes, which cannot be stopped."""
  return any(thread.is_alive() for thread in _joining)


def _number(key: str, text: str) -> int | None:
  """Returns the number that a flag or variable holds, None if it is empty.

  Raises:
    UserError: the text is not a number; `key` names its flag or variable.
  """
  if text and not (text.isascii() and text.isdigit()):
    raise errors.UserError(f'{key} is "{text}", not a number')
  return int(text) if text else None


def _in_cluster() -> bool:
  """Returns whether SLURM or Cloud TPU has started several processes."""
  key = 'SLURM_STEP_NUM_TASKS'
  in_slurm = (_number(key, os.environ.get(key, '')) or 1) > 1
  hosts = os.environ.get('TPU_WORKER_HOSTNAMES', '').split(',')
  return in_slurm or len(hosts) > 1


def is_one_of_several() -> bool:
  """Returns whether the variables that `join` reads say several processes."""
  count = os.environ.get('JAX_NUM_PROCESSES', '')
  return count != '1' if count else _in_cluster()


def join(
  coordinator: str,
  processes: int,
  process: int,
  patience: float = 300,
  heartbeat: int = 100,
) -> None:
  """Joins the processes of a distributed run, if this is one of several.

  Coordinator, number and index come from the arguments, else from the variables
  JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and JAX_PROCESS_ID, else from SLURM
  or Cloud TPU.

  Args:
    coordinator: HOST:PORT of process 0; '' where it is not given.
    processes: how many there are; 0 where it is not given.
    process: index of this one, from 0; -1 where it is not given.
    patience: seconds to wait for the others.
    heartbeat: seconds without a sign of life after which a process counts as
      dead, and the processes that wait for it end.

  Raises:
    UserError: some of the three are missing or wrong, or other processes do
      not come in time.
  """
  variable = os.environ.get
  coordinator = coordinator or variable('JAX_COORDINATOR_ADDRESS', '')
  numbers = {}
  for name, value, unset, key in (
    ('processes', processes, 0, 'JAX_NUM_PROCESSES'),
    ('process', process, -1, 'JAX_PROCESS_ID'),
  ):
    is_flag = value != unset
    text = str(value) if is_flag else variable(key, '')
    numbers[name] = _number(f'--{name}' if is_flag else key, text)
  if numbers['processes'] is None and _in_cluster():
    # JAX asks SLURM or Cloud TPU.
    _initialize('the first process', patience, heartbeat)
    return
  if not coordinator and not any(v is not None for v in numbers.values()):
    return
  if not coordinator or None in numbers.values():
    raise errors.UserError(
      'a distributed run needs all of --coordinator=HOST:PORT, --processes=N'
      ' and --process=I (or JAX_COORDINATOR_ADDRESS, JAX_NUM_PROCESSES and'
      ' JAX_PROCESS_ID)'
    )
  count, index = numbers['processes'], numbers['process']
  if not 0 <= index < count:
    raise errors.UserError(
      f'--process={index} is not below --processes={count}; they count from 0'
    )
  host, port = address(coordinator)
  if count > 1:
    _check_host(host, port, coordinator)
    if index == 0:
      _check_port(port, coordinator)
    _initialize(coordinator, patience, heartbeat, coordinator, count, index)


def address(text: str) -> tuple[str, int]:
  """Parses HOST:PORT, or [HOST]:PORT with an IPv6 address.

  Returns:
    The host, without brackets, and the port.

  Raises:
    UserError: the text is something else.
  """
  refusal = f'--coordinator (or JAX_COORDINATOR_ADDRESS) is "{text}"'
  host = r'\[[0-9A-Fa-f:.]+(?:%\w+)?\]|[^\s:/@\[\]]+'
  match = re.fullmatch(rf'({host}):(.*)', text)
  if not match or '/' in match[2]:
    mend = 'give HOST:PORT of the first process, such as host0:1234'
    if text.count(':') > 1 and '/' not in text:
      mend = 'give an IPv6 address in brackets, such as [::1]:1234'
    raise errors.UserError(f'{refusal}; {mend}')
  host, port = match.groups()
  number = int(port) if re.fullmatch(r'[0-9]{1,5}', port) else 0
  if not 1 <= number <= 65535:
    raise errors.UserError(
      f'{refusal}; the port must be a number from 1 to 65535, such as'
      f' {host}:1234'
    )
  return host.strip('[]'), number


def _check_host(host: str, port: int, coordinator: str) -> None:
  """Raises UserError if the host is unknown, and will not be known soon."""
  for lookup in range(1, _LOOKUPS + 1):
    try:
      socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
      return
    except (OSError, UnicodeError) as error:
      if 'KUBERNETES_SERVICE_HOST' in os.environ:
        return  # A pod has its name as soon as it starts.
      again = getattr(error, 'errno', None) == socket.EAI_AGAIN
      if not again or lookup == _LOOKUPS:
        raise errors.UserError(
          f'--coordinator is "{coordinator}", but the host "{host}" is unknown'
          f' here ({getattr(error, "strerror", None) or error})'
        ) from error
      time.sleep(1)


def _check_port(port: int, coordinator: str) -> None:
  """Raises UserError if this host cannot listen to the port."""
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


def _initialize(
  where: str, patience: float, heartbeat: int, *addresses
) -> None:
  """Lets JAX join, and logs now and then what it is waiting for.

  JAX gets more time than `patience`, as it would abort the process with a stack
  of C++ when its own time is over.

  Args:
    where: place at which the processes meet, for messages.
    patience: seconds to wait.
    heartbeat: see `join`.
    *addresses: arguments of `jax.distributed.initialize`.
  """
  # SIGTERM is handled by `host`: training saves a checkpoint and says so.
  jax.config.update('jax_enable_preemption_service', False)
  raised: list[BaseException] = []

  def meet():
    try:
      jax.distributed.initialize(
        *addresses,
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
    joining.join(max(min(TELL_EVERY, patience - waited), 0.01))
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
