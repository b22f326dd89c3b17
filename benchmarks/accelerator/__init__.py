"""The project on an accelerator: what it measures there, in one command.

python -m benchmarks.accelerator --minutes=M --to=OUT [--data=FOLDER]
  [--work=FOLDER]

For a machine with a GPU, without network, that has what JAX users have (jax,
flax, optax, orbax-checkpoint, absl-py, pillow, matplotlib, jinja2,
scikit-learn, scipy, threadpoolctl, tqdm; PyTorch to compare with if it is
there). What else is imported is brought along as one wheel of 0.1 MB; grain and
tensorflow-datasets are not, as the samples lie on the card:

  pip download --no-deps --dest=wheels ml_collections
  pip install --no-index --no-deps --target=brought wheels/*.whl  # There.
  PYTHONPATH=brought python -m benchmarks.accelerator --minutes=9 --to=out

Stages, by their worth, each with a file OUT/NAME.json:

  1_card    what the card is and does at best; parity with PyTorch's numbers
  2_speed   memory reads, the video network and seconds a frame
  3_fleet   MNIST networks by vmap and by lax.map
  4_resume  whether a resumed training is the straight one, bit for bit
  5_ped2    Ped2 at 256 pixels, N = 2,000: the released recipe, ours, AE

A row is written when it is measured. After --minutes, or however the command
ends, the same command goes on: rows that are there are kept, a training goes on
from its checkpoint in --work (OUT-work unless it is given). OUT may be empty
again if --work is kept; on a new machine, files of stages in --data are taken
up, and trainings begin anew. OUT has at most eight files of at most 16 MiB:
that of each stage, and ped2_runs.zip in up to three parts.

FOLDER may hold ped2.zip (`python -m benchmarks.pack_ped2`; without it
generated clips stand in), golden/ (else that of tests/), and files of stages.

Without a GPU all stages run at a small size, say "not run on an accelerator"
and hold no speed. The last line is JSON.
"""
