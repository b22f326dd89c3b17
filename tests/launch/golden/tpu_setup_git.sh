gcloud compute tpus tpu-vm ssh ped2 --worker=all '--command=set -e
rm -rf ~/memae_jax
git clone https://host/me/memae.git ~/memae_jax
git -C ~/memae_jax checkout 1a2b3c
curl -LsSf https://astral.sh/uv/install.sh | sh
~/.local/bin/uv venv --clear --python=3.12 ~/memae_env
~/.local/bin/uv pip install --python ~/memae_env -e ~/memae_jax '"'"'jax[tpu]'"'"'' --zone=us-west4-a
