"""Measurements of the project on an accelerator, in one command.

python -m benchmarks.accelerator --minutes=M --to=OUT [--data=FOLDER]
  [--work=FOLDER]

It is for a machine with a GPU and without network that has the packages of a
JAX user: jax, flax, optax, orbax-checkpoint, absl-py, pillow, matplotlib,
jinja2, scikit-learn, scipy, threadpoolctl, tqdm; and PyTorch, if it is to be
compared with. One more package, a wheel of 0.1 MB, is brought along. Grain and
tensorflow-datasets are not needed, as the samples lie on the card:

  pip download --no-deps --dest=wheels ml_collections
  pip install --no-index --no-deps --target=brought wheels/*.whl  # There.
  PYTHONPATH=brought python -m benchmarks.accelerator --minutes=9 --to=out

The stages, the most important first, each with a file OUT/NAME.json:

  1_card    the card and its best rates; parity with PyTorch's numbers
  2_speed   memory reads, the video network and seconds per frame
  3_fleet   MNIST networks by vmap and by lax.map
  4_resume  whether a resumed training equals an unstopped one, bit for bit
  5_ped2    Ped2: the recipe of motion, three seeds; then 256 pixels, N = 2,000:
            the released recipe, ours, AE

A row is written when it is measured. After --minutes, or however the command
ends, the same command goes on: rows that are there are kept, and a training
goes on from its checkpoint in --work (default: OUT-work). OUT may be emptied if
--work is kept. On a new machine, files of stages in --data are taken up, and
trainings begin anew. OUT has at most eight files of at most 16 MiB: one per
stage, and ped2_runs.zip in up to three parts.

The FOLDER of --data may hold ped2.zip (`python -m benchmarks.pack_ped2`;
without it generated clips stand in; its frames are square, so that motion is
not quite that of the data set), golden/ (default: tests/golden), and files
of stages.

Without a GPU all stages run at a small size; their files say "not run on an
accelerator" and hold no speed. The last line is JSON.
"""
