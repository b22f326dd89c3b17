gcloud compute tpus queued-resources describe ped2 '--format=value(state.state)' --zone=us-west4-a
# If it is gone, preempted or has failed:
gcloud compute tpus queued-resources delete ped2 --force --quiet --zone=us-west4-a
gcloud compute tpus queued-resources create ped2 --accelerator-type=v5litepod-16 --node-id=ped2 --runtime-version=v2-alpha-tpuv5-lite --zone=us-west4-a
# As soon as it is active:
git -C . archive --format=tar.gz --output=/tmp/memae_jax-ped2.tar.gz HEAD
gcloud compute tpus tpu-vm scp /tmp/memae_jax-ped2.tar.gz ped2:memae_jax.tar.gz --worker=all --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=set -e
rm -rf ~/memae_jax
mkdir ~/memae_jax
tar -xzf ~/memae_jax.tar.gz -C ~/memae_jax
curl -LsSf https://astral.sh/uv/install.sh | sh
~/.local/bin/uv venv --clear --python=3.12 ~/memae_env
~/.local/bin/uv pip install --python ~/memae_env -e ~/memae_jax '"'"'jax[tpu]'"'"'' --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then echo '"'"'a job is running already'"'"' >&2; exit 2; fi
set -e
mkdir -p ~/memae_job
rm -f ~/memae_job/exit
cd ~/memae_jax
nohup setsid bash -c '"'"'trap : TERM; "$HOME"/memae_env/bin/python -m memae_jax.main --config=configs/ped2.py --workdir=/mnt/runs/ped2; echo $? >~/memae_job/exit'"'"' \
  >>~/memae_job/log 2>&1 </dev/null &
echo $! >~/memae_job/pid' --zone=us-west4-a
# If it is there, by what this prints:
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=if grep -qs memae_job "/proc/$(cat ~/memae_job/pid 2>/dev/null)/cmdline"; then echo '"'"'job: running'"'"'
elif [ -e ~/memae_job/exit ]; then echo "job: ended with $(cat ~/memae_job/exit)"
elif [ -e ~/memae_job/pid ]; then echo '"'"'job: lost'"'"'
else echo '"'"'job: none'"'"'
fi' --zone=us-west4-a
