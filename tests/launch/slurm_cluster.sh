#!/bin/bash
# A real SLURM on this machine: two nodes of one CPU, all on loopback.
#
#   apt-get install munge slurm-wlm                  (Debian, as root)
#   tests/launch/slurm_cluster.sh start FOLDER       (as root)
#   SLURM_CONF=FOLDER/slurm.conf sinfo
#   tests/launch/slurm_cluster.sh stop FOLDER
#
# It touches nothing outside of FOLDER, so that it can run beside a SLURM that
# the machine already has. The names of the nodes resolve to nothing: jobs of
# several processes need JAX_COORDINATOR_ADDRESS=127.0.0.1:PORT.
set -euo pipefail
export PATH="$PATH:/usr/sbin"

say() { echo "slurm_cluster: $*" >&2; }

free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys
probes = [socket.socket() for _ in range(int(sys.argv[1]))]
for probe in probes:
  probe.bind(('127.0.0.1', 0))
print(*(probe.getsockname()[1] for probe in probes))
PYTHON
}

configure() {
  local controller first second host
  read -r controller first second <<<"$(free_ports 3)"
  host=$(hostname -s)
  cat >"$folder/slurm.conf" <<CONF
ClusterName=memae
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmUser=root
AuthType=auth/munge
# A job that is queued again waits for its credentials to end.
AuthInfo=socket=$folder/munge.socket,cred_expire=2
CryptoType=crypto/munge
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
JobRequeue=1
KillWait=10
ReturnToService=2
SchedulerParameters=sched_interval=2
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=$first CPUs=1
NodeName=n2 NodeHostname=$host NodeAddr=127.0.0.1 Port=$second CPUs=1
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
}

start() {
  local program
  for program in munged slurmctld slurmd sbatch; do
    if ! command -v "$program" >/dev/null; then
      say "there is no $program; apt-get install munge slurm-wlm"
      exit 2
    fi
  done
  mkdir -p "$folder"/{state,spool-n1,spool-n2}
  chmod 755 "$folder"
  (umask 077 && head -c 128 /dev/urandom >"$folder/munge.key")
  munged --force --key-file="$folder/munge.key" \
    --socket="$folder/munge.socket" --pid-file="$folder/munged.pid" \
    --log-file="$folder/munged.log" --seed-file="$folder/munge.seed"
  configure
  export SLURM_CONF="$folder/slurm.conf"
  slurmctld -c
  slurmd -N n1
  slurmd -N n2
  for _ in $(seq 60); do
    if [ "$(sinfo --noheader --states=idle --format=%D 2>/dev/null)" = 2 ]; then
      sinfo
      return
    fi
    sleep 0.5
  done
  say "the nodes did not come up; see $folder/*.log"
  stop
  exit 1
}

stop() {
  local program
  export SLURM_CONF="$folder/slurm.conf"
  scancel --user="$(id -un)" 2>/dev/null || true
  for _ in $(seq 40); do  # Jobs have KillWait seconds to save.
    if [ -z "$(squeue --noheader 2>/dev/null)" ]; then break; fi
    sleep 0.5
  done
  for program in slurmd-n1 slurmd-n2 slurmctld munged; do
    if [ -e "$folder/$program.pid" ]; then
      kill "$(cat "$folder/$program.pid")" 2>/dev/null || true
    fi
    for _ in $(seq 20); do  # Each takes its file away when it goes.
      if [ ! -e "$folder/$program.pid" ]; then break; fi
      sleep 0.25
    done
  done
}

if [ $# -ne 2 ] || [[ ! $1 =~ ^(start|stop)$ ]]; then
  say 'expected: start FOLDER, or: stop FOLDER'
  exit 2
fi
folder=$(realpath "$2")
"$1"
