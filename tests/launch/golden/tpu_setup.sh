git -C . archive --format=tar.gz --output=/tmp/memae_jax-ped2.tar.gz HEAD
gcloud compute tpus tpu-vm scp /tmp/memae_jax-ped2.tar.gz ped2:memae_jax.tar.gz --worker=all --zone=us-west4-a
gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=set -e
rm -rf ~/memae_jax
mkdir ~/memae_jax
tar -xzf ~/memae_jax.tar.gz -C ~/memae_jax
curl -LsSf https://astral.sh/uv/install.sh | sh
~/.local/bin/uv venv --clear --python=3.12 ~/memae_env
~/.local/bin/uv pip install --python ~/memae_env -e ~/memae_jax '"'"'jax[tpu]'"'"'
sudo mount /mnt/runs' --zone=us-west4-a
