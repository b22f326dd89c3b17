gcloud compute tpus tpu-vm ssh ped2-0 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then echo '"'"'a job is running already'"'"' >&2; exit 2; fi
set -e
mkdir -p ~/memae_job
rm -f ~/memae_job/exit
cd ~/memae_jax
nohup setsid bash -c '"'"'trap : TERM; "$HOME"/memae_env/bin/python -m memae_jax.study --config=configs/ped2.py --workdir=/mnt/runs/ped2 --shard=0/2; echo $? >~/memae_job/exit'"'"' \
  >>~/memae_job/log 2>&1 </dev/null &
echo $! >~/memae_job/pid' --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2-1 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then echo '"'"'a job is running already'"'"' >&2; exit 2; fi
set -e
mkdir -p ~/memae_job
rm -f ~/memae_job/exit
cd ~/memae_jax
nohup setsid bash -c '"'"'trap : TERM; "$HOME"/memae_env/bin/python -m memae_jax.study --config=configs/ped2.py --workdir=/mnt/runs/ped2 --shard=1/2; echo $? >~/memae_job/exit'"'"' \
  >>~/memae_job/log 2>&1 </dev/null &
echo $! >~/memae_job/pid' --zone=us-west4-a
