"""CIFAR-10, one class normal at a time: Table 1 of the paper.

python -m memae_jax.data.prepare cifar10
python -m memae_jax.main --config=configs/cifar10.py --workdir=runs/cifar10

Ten classes, three seeds, three variants, in one fleet; each image by its own
contrast, and a threshold of 3/N, the upper end of what the paper recommends: so
MemAE separates pseudo-anomalies of the validation normals best (on MNIST with
--config.data.scaling=fixed and 1/N). Arguments after a colon: classes (how many
of the ten), seeds, variant (memae, nonspar, ae, ae_l1, dae, vae; joined by
"+"), slots, epochs, smoke, and

  protocol  one_class (default; the paper: a class is split 2:1, anomalies are
            30 % of the test set) or official (the official training images of
            a class; all 10,000 test images)
"""

from memae_jax import config as config_lib


def get_config(arg=''):
  """The paper's experiment, with seeds it does not have."""
  args = config_lib.parse_arg(
    arg,
    classes=10,
    seeds=3,
    variant='memae+nonspar+ae',
    slots=500,
    epochs=10.0,
    protocol='one_class',
    smoke={'classes': 2, 'seeds': 1, 'slots': 10, 'epochs': 1.0},
  )
  config = config_lib.default()
  config.name = 'cifar10'
  config.paper = 'cifar10'  # Dropped where the protocol is another.
  config.data.name = 'cifar10'
  config.data.protocol = args.protocol
  config.data.scaling = 'contrast'
  config.fleet.normal_classes = tuple(range(args.classes))
  config.fleet.seeds = args.seeds
  config.fleet.variants = tuple(args.variant.split('+'))

  config.model.network = 'conv'
  config.model.activation = 'leaky_relu'
  config.model.batch_norm = True
  config.model.widths = (64, 128, 128, 256)
  config.model.memory.slots = args.slots
  config.model.memory.threshold = 3.0
  config.model.memory.temperature = 0.1
  config.model.memory.init = 'encodings'

  config.train.batch_size = 64
  config.train.epochs = args.epochs
  config.train.learning_rate = 1e-3
  config.eval.batch_size = 256
  if args.smoke:
    config.data.max_samples = 5000
    config.eval.bootstrap = 20
  return config
